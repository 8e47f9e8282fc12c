//! Shows the progress of long work: on a terminal a bar with the rate and the remaining time, otherwise plain lines.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The least time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// Shows the progress of work. Any thread may report, as often as it likes.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    /// The current work, and the time of the last printed line.
    plain: Mutex<Plain>,
}

struct Plain {
    what: String,
    began_at: Instant,
    printed_at: Option<Instant>,
}

impl Meter {
    /// A meter that counts `unit`, such as `events`.
    pub(super) fn new(unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0).with_style(style(unit)));
        let now = Instant::now();
        Self { bar, plain: Mutex::new(Plain { what: String::new(), began_at: now, printed_at: None }) }
    }

    /// Reports that `done` of `total` is done. `what` names the current work. `detail` stands at the end of the line.
    pub(super) fn at(&self, what: &str, done: u64, total: u64, detail: &str) {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = plain.what != what;
        if is_new {
            *plain = Plain { what: what.to_owned(), began_at: Instant::now(), printed_at: None };
        }
        match &self.bar {
            Some(bar) => {
                if is_new {
                    bar.reset();
                }
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(if detail.is_empty() { what.to_owned() } else { format!("{what}, {detail}") });
            }
            None => plain.print_line(done, total, detail),
        }
    }

    /// Ends the work, and removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Plain {
    fn print_line(&mut self, done: u64, total: u64, detail: &str) {
        if self.printed_at.is_some_and(|at| at.elapsed() < LINE_INTERVAL) && done < total {
            return;
        }
        self.printed_at = Some(Instant::now());
        let share = done.saturating_mul(100).checked_div(total).unwrap_or(0);
        let seconds = self.began_at.elapsed().as_secs_f64();
        let comma = if detail.is_empty() { "" } else { ", " };
        eprintln!("{}: {done} of {total} ({share} %), {seconds:.1} s{comma}{detail}", self.what);
    }
}

fn style(unit: &str) -> ProgressStyle {
    let counts =
        if unit == "bytes" { "{bytes}/{total_bytes} {bytes_per_sec}".to_owned() } else { format!("{{pos}}/{{len}} {unit} {{per_sec}}") };
    let template = format!("{{wide_bar}} {counts}, {{eta}} left  {{msg}}");
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
