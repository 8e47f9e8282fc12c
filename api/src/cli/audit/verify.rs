//! `backscroll audit verify`

use std::fmt::Write;

use anyhow::{Context, anyhow};
use chrono::Utc;
use clap::Args;
use ledger::proof::Proofs;
use ledger::proof::keyring::{self, KeyError};
use ledger::proof::note::{self, SignedCheckpoint, VerifyingKey};
use ledger::proof::verify::{self, Finding, Options, Report};
use serde_json::json;
use sqlx::PgPool;

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
    let signing = signing(&settings, &pool).await?;
    print(&if arguments.json { as_json(&report, unreadable, &signing) } else { as_text(&report, &options, unreadable, &signing) })?;
    match (report.findings_total, signing) {
        (0, Ok(_)) => Ok(()),
        (0, Err(problem)) => {
            Err(Failure::new(Exit::Failed, anyhow!("the log fits its signed heads, but it is not signed any more: {problem}")))
        }
        (total, _) => Err(Failure::new(Exit::Failed, anyhow!("the log differs from its signed heads: {total} findings"))),
    }
}

/// Whether the log is still being signed: a remark for a log without a name, or the problem.
async fn signing(settings: &Settings, pool: &PgPool) -> Result<Result<Option<String>, String>, Failure> {
    let (proofs, source) = (Proofs::new(pool.clone()), settings.proof_keys());
    let keys = proofs.keys().await.context("the public keys cannot be read")?;
    // A file with the key need not be on this machine. And the key of a new log is not made here.
    if source.file.is_none() && (!keys.is_empty() || !source.has_name()) {
        match keyring::current(pool, &source).await {
            Ok(_) => {}
            Err(error @ KeyError::NoName) => return Ok(Ok(Some(error.to_string()))),
            Err(KeyError::Database(error)) => return Err(Failure::new(Exit::Unreachable, error)),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    let unsigned = proofs.unsigned().await.context("the heads cannot be read")?;
    Ok(if unsigned.is_old(Utc::now()) {
        Err(format!("{unsigned}; does a server run? /readyz says why it does not sign"))
    } else {
        Ok(None)
    })
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

fn as_text(report: &Report, options: &Options, unreadable: usize, signing: &Result<Option<String>, String>) -> String {
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
    if let Ok(Some(remark)) = signing {
        let _ = writeln!(text, "  no head is signed: {remark}");
    }
    if report.findings.is_empty() {
        text.push_str(if signing.is_ok() { "everything matches" } else { "everything that was signed matches" });
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

fn as_json(report: &Report, unreadable: usize, signing: &Result<Option<String>, String>) -> String {
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
        "signing_problem": signing.as_ref().err(),
        "findings_total": report.findings_total,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
    .to_string()
}
