//! The figures of several runs of a measurement.

use std::time::Duration;

/// The number of runs of each measurement.
pub fn runs() -> usize {
    sized(5, 2)
}

/// Whether this is a trial: it is short, and writes no files.
pub fn is_trial() -> bool {
    std::env::var_os("TRY").is_some_and(|value| !value.is_empty())
}

/// The first value, or the second one in a trial.
pub fn sized<T>(whole: T, trial: T) -> T {
    if is_trial() { trial } else { whole }
}

/// The runs of one figure.
#[derive(Clone, Debug, Default)]
pub struct Runs(pub Vec<f64>);

impl Runs {
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = |place: usize| sorted.get(place).copied().unwrap_or_default();
        (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2)) / 2.0
    }

    pub fn range(&self) -> (f64, f64) {
        (self.0.iter().copied().fold(f64::INFINITY, f64::min), self.0.iter().copied().fold(0.0, f64::max))
    }

    /// The ratio of each run to the paired run of the reference.
    pub fn ratios(&self, reference: &Self) -> Self {
        Self(self.0.iter().zip(&reference.0).map(|(figure, reference)| figure / reference).collect())
    }
}

/// Latencies, for percentiles.
#[derive(Clone, Debug)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn of(latencies: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted = latencies.into_iter().collect::<Vec<_>>();
        sorted.sort_unstable();
        Self(sorted)
    }

    /// The number of requests.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The latency in milliseconds that this part of all requests did not exceed.
    pub fn percentile(&self, part: f64) -> f64 {
        let place = ((self.0.len() as f64 * part).ceil() as usize).clamp(1, self.0.len().max(1)) - 1;
        self.0.get(place).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    }
}
