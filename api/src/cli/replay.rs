//! `backscroll replay NAME`

use std::fmt::Write;

use clap::Args;
use projections::{RebuildError, RebuildOptions, RebuildReport};

use super::connection::stores;
use super::progress::Meter;
use super::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The projection: `backscroll projections` lists them.
    name: String,
    /// Switch even where the new model differs from the old one.
    #[arg(long)]
    accept_differences: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let stores = stores(&settings).await?;
    let meter = Meter::new("events");
    let options = RebuildOptions { accept_differences: arguments.accept_differences, ..RebuildOptions::default() };
    let observe = |progress: projections::RebuildProgress| meter.at(progress.phase.as_str(), progress.done, progress.total, "");
    let outcome = projections::rebuild(&stores, &arguments.name, options, observe).await;
    meter.finish();
    print(&summary(&arguments.name, &outcome.map_err(failed)?))
}

fn failed(error: RebuildError) -> Failure {
    let exit = match &error {
        RebuildError::Unknown(_) => Exit::Wrong,
        RebuildError::UnderWay(_) | RebuildError::Differs { .. } => Exit::Refused,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

fn summary(name: &str, report: &RebuildReport) -> String {
    let seconds = report.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { report.events as f64 / seconds } else { 0.0 };
    let (what, table, other) = match name {
        projections::SEARCH => ("documents", "documents", "the rows, index by index"),
        _ => ("events", "rows", "the old model, table by table"),
    };
    let mut text = format!(
        "{name} was built anew from {} {what} in {seconds:.2} s ({rate:.0} {what}/s), and stands at position {}\n",
        report.events, report.position
    );
    for (name, rows) in &report.rows {
        let _ = writeln!(text, "  {name:<24} {rows:>12} {table}");
    }
    let _ = match report.differences.is_empty() {
        true => writeln!(text, "equal to {other}"),
        false => writeln!(text, "differs from {other}, as accepted:"),
    };
    for difference in &report.differences {
        let _ = writeln!(text, "  {difference}");
    }
    text
}
