//! `make bench`: speed, always as a ratio to a reference that is measured in the same run, turn about, so that it holds on a noisy machine.
//!
//! `make bench ROW=append` runs the rows whose name begins so. The table goes to `docs/BENCHMARKS.md`, and as JSON to `target/bench.json`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has failed")]

mod append;
mod archive;
mod harness;
mod report;

use report::Report;

#[tokio::main]
async fn main() {
    // Cargo passes `--bench` of its own.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let mut report = Report::default();
    append::rows(&mut report, &wanted).await;
    archive::rows(&mut report, &wanted).await;
    report.write(wanted.is_empty());
}
