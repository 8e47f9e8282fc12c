//! How far long work is: a bar with the rate and the time left on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows how far something is. May be told from any thread, as often as one likes.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    /// What is being done, and when a line was last printed.
    plain: Mutex<Plain>,
}

struct Plain {
    what: String,
    began_at: Instant,
    said_at: Option<Instant>,
}

impl Meter {
    /// Of `unit`, such as `events`.
    pub(super) fn new(unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0).with_style(style(unit)));
        let now = Instant::now();
        Self { bar, plain: Mutex::new(Plain { what: String::new(), began_at: now, said_at: None }) }
    }

    /// So much of `total` is done of what is being done now. `detail` is for the line's end.
    pub(super) fn at(&self, what: &str, done: u64, total: u64, detail: &str) {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = plain.what != what;
        if is_new {
            *plain = Plain { what: what.to_owned(), began_at: Instant::now(), said_at: None };
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
            None => plain.say(done, total, detail),
        }
    }

    /// It is over: the bar goes.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Plain {
    fn say(&mut self, done: u64, total: u64, detail: &str) {
        if self.said_at.is_some_and(|at| at.elapsed() < LINE_EVERY) && done < total {
            return;
        }
        self.said_at = Some(Instant::now());
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
