//! The long campaign: `make chaos`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use chaos::campaign::{Campaign, Report, folder};
use chaos::plan;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let setting = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let seed = match setting("SEED") {
        Some(text) => text.parse().context("SEED must be a whole number")?,
        None => rand::random_range(1..1_000_000),
    };
    let count = setting("ROUNDS").map_or(Ok(20), |text| text.parse()).context("ROUNDS must be a whole number")?;
    let only = setting("FAULTS").unwrap_or_default();
    let faults = only.split_terminator(',').map(|name| name.parse().map_err(anyhow::Error::msg)).collect::<Result<Vec<_>>>()?;
    println!("chaos: seed {seed}, {count} rounds (again: make chaos SEED={seed} ROUNDS={count} FAULTS={only})");
    let (name, rounds) = (format!("seed-{seed}"), plan::rounds(seed, count, &faults));
    let began = Instant::now();
    let mut terminate = signal(SignalKind::terminate())?;
    let report = tokio::select! {
        report = async { Campaign::start(seed, &name, &rounds).await?.run(&rounds).await } => report?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("interrupted"),
    };
    tell(&report, &name, began);
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, name: &str, began: Instant) {
    for left_out in &report.left_out {
        println!("{left_out}");
    }
    println!(
        "{} rounds in {:.0} s: {:?}, {} events, {} cuts, slowest recovery {:.1} s, {} violations",
        report.rounds,
        began.elapsed().as_secs_f64(),
        report.tally,
        report.events,
        report.meddled,
        report.slowest_recovery.as_secs_f64(),
        report.violations.len()
    );
    for violation in &report.violations {
        println!("  {violation}");
    }
    if !report.violations.is_empty() {
        println!("records, logs and data: {}", folder(name).display());
    }
}
