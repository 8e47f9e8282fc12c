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
    /// Compare with the signed heads in that file, or in that folder, or that object, of the object store, which were kept outside; may be given more than once.
    #[arg(long = "checkpoint", value_name = "FILE|s3://BUCKET/FOLDER")]
    checkpoints: Vec<Place>,
    /// Believe that public key only, which was kept outside, and not those in the database; may be given more than once.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<VerifyingKey>,
    /// Print the outcome as JSON.
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
        total => Err(Failure::new(Exit::Failed, anyhow!("the log is not what was signed: {total} things do not fit"))),
    }
}

/// The heads in some places, and how many parts of them are none: what was broken off when a server died.
async fn read_checkpoints(settings: &Settings, places: &[Place]) -> Result<(Vec<SignedCheckpoint>, usize), Failure> {
    let (mut found, mut unreadable) = (Vec::new(), 0);
    for place in places {
        let text = match place {
            Place::Here(file) => {
                let text = std::fs::read_to_string(file).with_context(|| file.display().to_string());
                text.map_err(|error| Failure::new(Exit::Wrong, error))?
            }
            Place::Away(url) => Bucket::of(&settings.object_store, url)?.texts(&url.path).await?.join(note::SEPARATOR),
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
    let _ = writeln!(text, "  {:>10} signed heads that are stored", report.heads);
    if !options.outside.is_empty() {
        let _ = writeln!(text, "  {:>10} signed heads that were kept outside", report.outside);
    }
    if report.purged > 0 {
        let _ = writeln!(text, "  {:>10} events whose personal parts were purged, as the log says", report.purged);
    }
    if unreadable > 0 {
        let _ = writeln!(text, "  {unreadable:>10} parts of the files are no signed head, and were left out");
    }
    if options.keys.is_empty() {
        let _ = writeln!(text, "  the keys are those in the database: --key names one that was kept outside");
    }
    if report.findings.is_empty() {
        text.push_str("everything fits");
        return text;
    }
    if let Some(position) = report.findings.iter().find_map(Finding::position) {
        let _ = writeln!(text, "the first event that does not fit is at position {position}, or behind it");
    }
    let _ = writeln!(text, "{} things do not fit:", report.findings_total);
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
