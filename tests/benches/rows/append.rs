//! Appends, with one event per command.

use crate::appenders::{Bare, Ours, Stock};
use crate::report::Goal::{self, AtLeast, Stated};
use crate::report::Report;
use crate::runs::{Runs, runs};

/// The number of callers, and the goals for the ratios to stock postgres-es and to the bare group commit.
const CALLERS: [(usize, Goal, Goal); 4] =
    [(1, AtLeast(1.3), Stated), (32, AtLeast(4.0), AtLeast(0.7)), (128, AtLeast(6.0), AtLeast(0.7)), (500, Stated, AtLeast(0.7))];

/// The numbers of callers for the comparison of sealed and unsealed events.
const SEALING_CALLERS: [usize; 3] = [1, 32, 500];

pub async fn measure(report: &mut Report) {
    report.over("one message of about 65 characters an append, to a new stream, with three guards");
    let (ours, stock, bare) = (Ours::start().await, Stock::start().await, Bare::start().await);
    for callers in SEALING_CALLERS {
        let (mut sealed, mut unsealed) = (Runs::default(), Runs::default());
        for _ in 0..runs() {
            sealed.push(ours.rate(callers).await);
            unsealed.push(ours.rate_of_unsealed(callers).await);
        }
        let row = format!("append, sealed, {}", super::callers(callers));
        report.compare(&row, "events/s", &sealed, ("as long an event that is not sealed", &unsealed), AtLeast(0.9));
    }
    for (callers, than_stock, than_bare) in CALLERS {
        let (mut our_runs, mut stock_runs, mut bare_runs) = (Runs::default(), Runs::default(), Runs::default());
        for _ in 0..runs() {
            our_runs.push(ours.rate(callers).await);
            stock_runs.push(stock.rate(callers).await);
            bare_runs.push(bare.rate(callers).await);
        }
        let row = format!("append, {}", super::callers(callers));
        report.compare(&row, "events/s", &our_runs, ("stock postgres-es", &stock_runs), than_stock);
        report.compare(&row, "events/s", &our_runs, ("bare group commit", &bare_runs), than_bare);
    }
}
