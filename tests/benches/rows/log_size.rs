//! Appends to a long log, compared with appends to a short one.

use crate::appenders::Ours;
use crate::filled_log::{FilledLog, ROW_BYTES, free_bytes};
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs, sized};

const CALLERS: [usize; 2] = [1, 32];
/// The bytes that must stay free on the disk.
const FREE_BYTES_MIN: u64 = 10 << 30;

pub async fn measure(report: &mut Report) {
    let (short, sizes): (i64, [i64; 3]) = sized((100_000, [1_000_000, 10_000_000, 50_000_000]), (10_000, [20_000, 50_000, 100_000]));
    let mut left_out = Vec::new();
    let mut long = FilledLog::create().await;
    for size in sizes {
        if free_bytes() < size.unsigned_abs() * ROW_BYTES + FREE_BYTES_MIN {
            left_out.push(format!("{} was left out: the disk has no room for it", millions(size)));
            continue;
        }
        long.grow_to(size).await;
        for callers in CALLERS {
            at_that_size(report, &long, size, short, callers).await;
        }
    }
    report.over(format!(
        "the average wait of a caller for an append; SQL fills the log with rows of about 400 bytes, indexes included, and then vacuums it{}",
        left_out.iter().map(|text| format!("; {text}")).collect::<String>()
    ));
}

async fn at_that_size(report: &mut Report, long: &FilledLog, size: i64, short: i64, callers: usize) {
    // A new reference each time, because the measurement makes it longer.
    let mut reference = FilledLog::create().await;
    reference.grow_to(short).await;
    let (long, short_store) = (long.store().await, reference.store().await);
    // A first round, so that connections and prepared statements exist.
    for store in [&long, &short_store] {
        store.rate(callers).await;
    }
    let (mut in_long, mut in_short) = (Runs::default(), Runs::default());
    for run in 0..runs() {
        // The order changes, so that neither store always follows the other.
        if run % 2 == 0 {
            in_long.push(latency(&long, callers).await);
            in_short.push(latency(&short_store, callers).await);
        } else {
            in_short.push(latency(&short_store, callers).await);
            in_long.push(latency(&long, callers).await);
        }
    }
    let row = format!("log-size, {}, {}", millions(size), super::callers(callers));
    let short = format!("{} events", millions(short));
    report.compare(row, "ms", &in_long, (&short, &in_short), Goal::AtMost(1.3));
}

/// The average wait of a caller, in milliseconds.
async fn latency(store: &Ours, callers: usize) -> f64 {
    1_000.0 * callers as f64 / store.rate(callers).await
}

fn millions(events: i64) -> String {
    format!("{} M", events as f64 / 1_000_000.0)
}
