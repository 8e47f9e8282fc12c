//! `backscroll audit verify`

use std::fmt::Write;

use anyhow::{Context, anyhow};
use clap::Args;
use ledger::proof::note::{self, SignedCheckpoint, VerifyingKey};
use ledger::proof::verify::{self, Finding, Options, Report};
use serde_json::json;

use crate::cli::connection::read_pool;
use crate::cli::place::{Bucket, Place};
use crate::cli::progress::Meter;
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Compare the log with signed heads that are stored outside the database: a file, an object, or a folder of the
    /// object store. May be given more than once.
    #[arg(long = "checkpoint", value_name = "FILE|s3://BUCKET/FOLDER")]
    checkpoints: Vec<Place>,
    /// Trust only this public key, from a copy outside, and not the keys in the database. May be given more than once.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<VerifyingKey>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let (outside, unreadable) = read_checkpoints(&settings, &arguments.checkpoints).await?;
    let options = Options { outside, keys: arguments.keys };
    let pool = read_pool(&settings).await?;
    let meter = Meter::new("events");
    let outcome = verify::verify(&pool, &options, |done, total| meter.at("verifying", done, total, "")).await;
    meter.finish();
    let report = outcome.context("the log cannot be verified")?;
    print(&if arguments.json { as_json(&report, unreadable) } else { as_text(&report, &options, unreadable) })?;
    match report.findings_total {
        0 => Ok(()),
        total => Err(Failure::new(Exit::Failed, anyhow!("the log differs from its signed heads: {total} findings"))),
    }
}

/// Reads the signed heads of `places`. Also counts the parts that are not a head: a server that died while it wrote can
/// leave an incomplete one.
async fn read_checkpoints(settings: &Settings, places: &[Place]) -> Result<(Vec<SignedCheckpoint>, usize), Failure> {
    let (mut found, mut unreadable) = (Vec::new(), 0);
    for place in places {
        let text = match place {
            Place::Local(file) => {
                let text = std::fs::read_to_string(file).with_context(|| file.display().to_string());
                text.map_err(|error| Failure::new(Exit::Wrong, error))?
            }
            Place::Remote(url) => Bucket::of(&settings.object_store, url)?.texts(&url.path).await?.join(note::SEPARATOR),
        };
        let before = found.len();
        for part in note::split(&text) {
            match part {
                Ok((_, checkpoint)) => found.push(checkpoint),
                Err(_) => unreadable += 1,
            }
        }
        if found.len() == before {
            return Err(Failure::new(Exit::Wrong, anyhow!("{place} has no signed head")));
        }
    }
    Ok((found, unreadable))
}

fn rate(report: &Report) -> f64 {
    report.events as f64 / report.elapsed.as_secs_f64().max(f64::EPSILON)
}

fn as_text(report: &Report, options: &Options, unreadable: usize) -> String {
    let seconds = report.elapsed.as_secs_f64();
    let mut text = format!("{} events verified in {seconds:.2} s ({:.0} events/s)\n", report.events, rate(report));
    let _ = writeln!(text, "  {:>10} of them are in a signed head", report.signed);
    let _ = writeln!(text, "  {:>10} signed heads are in the database", report.heads);
    if !options.outside.is_empty() {
        let _ = writeln!(text, "  {:>10} signed heads are from outside", report.outside);
    }
    if report.purged > 0 {
        let _ = writeln!(text, "  {:>10} events have lost personal parts, as the log records", report.purged);
    }
    if unreadable > 0 {
        let _ = writeln!(text, "  {unreadable:>10} parts of the files are not a signed head, and were skipped");
    }
    if options.keys.is_empty() {
        let _ = writeln!(text, "  the keys are from the database: give --key to use a key from outside");
    }
    if report.findings.is_empty() {
        text.push_str("everything matches");
        return text;
    }
    if let Some(position) = report.findings.iter().find_map(Finding::position) {
        let _ = writeln!(text, "the first event that does not match is at position {position}, or after it");
    }
    let _ = writeln!(text, "{} findings:", report.findings_total);
    for finding in &report.findings {
        let _ = writeln!(text, "  {finding}");
    }
    text
}

fn as_json(report: &Report, unreadable: usize) -> String {
    let finding = |finding: &Finding| json!({"code": finding.code(), "position": finding.position(), "detail": finding.to_string()});
    json!({
        "events": report.events,
        "signed": report.signed,
        "heads": report.heads,
        "outside": report.outside,
        "outside_unreadable": unreadable,
        "purged": report.purged,
        "seconds": report.elapsed.as_secs_f64(),
        "events_per_second": rate(report),
        "fits": report.findings_total == 0,
        "first_position": report.findings.iter().find_map(Finding::position),
        "findings_total": report.findings_total,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
    .to_string()
}
