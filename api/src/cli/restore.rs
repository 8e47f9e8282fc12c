//! `backscroll restore`

use std::fmt::Write;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use keyring::MasterKeys;
use processes::restore_check::{Line, Mark, RestoreCheck};

use super::progress::Meter;
use super::{Exit, Failure, print};
use crate::app;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say what a restored database has, what it lacks, and what the server makes again. Changes nothing. Exits with 4
    /// if a server cannot start on it.
    Check {
        /// Verify every event of the log and every signed head, and not only a sample.
        #[arg(long)]
        whole: bool,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    let Verb::Check { whole } = verb;
    let pool = app::work_pool(&settings).await?;
    let master = MasterKeys::new(&settings.master_key, settings.master_key_previous.as_ref());
    let meter = Meter::new("events");
    let checked = RestoreCheck::new(&pool, &master).run(whole, |done, total| meter.at("verifying", done, total, "")).await;
    meter.finish();
    let lines = checked.context("the database cannot be checked")?;
    print(&as_text(&lines))?;
    match lines.iter().filter(|line| line.mark == Mark::Missing).count() {
        0 => Ok(()),
        count => Err(Failure::new(Exit::Refused, anyhow!("a server cannot run on this database yet: lines with MISSING: {count}"))),
    }
}

fn as_text(lines: &[Line]) -> String {
    let mut text = String::new();
    for Line { what, mark, detail } in lines {
        let mark = match mark {
            Mark::Present => "ok",
            Mark::Rebuilt => "made again",
            Mark::Lost => "LOST",
            Mark::Missing => "MISSING",
        };
        let _ = writeln!(text, "{what:<14} {mark:<11} {detail}");
    }
    text
}
