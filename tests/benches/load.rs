//! Measuring: a rate over a fixed time, subject and reference turn about, the median of several runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often each is measured.
pub const RUNS: usize = 5;
/// How long each measurement takes.
pub const TAKES: Duration = Duration::from_millis(1_500);

/// How often a second `once` ends, when `callers` call it one after the other each.
pub async fn rate<F: Future<Output = ()> + Send + 'static>(callers: usize, once: impl Fn(u64) -> F + Send + Sync + 'static) -> f64 {
    let (once, counter) = (Arc::new(once), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let callers = (0..callers).map(|_| {
        let (once, counter) = (Arc::clone(&once), Arc::clone(&counter));
        tokio::spawn(async move {
            while started.elapsed() < TAKES {
                once(counter.fetch_add(1, Ordering::Relaxed)).await;
            }
        })
    });
    futures::future::join_all(callers.collect::<Vec<_>>()).await;
    counter.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// The runs of one figure.
#[derive(Clone, Debug, Default)]
pub struct Runs(pub Vec<f64>);

impl Runs {
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    pub fn range(&self) -> (f64, f64) {
        (self.0.iter().copied().fold(f64::INFINITY, f64::min), self.0.iter().copied().fold(0.0, f64::max))
    }
}
