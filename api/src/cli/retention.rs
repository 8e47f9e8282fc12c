//! `backscroll retention run`

use std::fmt::Write;

use clap::Subcommand;
use processes::retention::{Retention, RetentionReport, RunError};
use projections::Progress;
use tokio::runtime::Handle;

use super::connection::{NamedWorkspace, asked, commands, read_models, read_pool};
use super::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Archive or purge the messages that are old enough, as the server does every day. An interrupted run can be
    /// repeated.
    Run {
        /// Only messages of that workspace.
        #[arg(long, value_name = "ID|DOMAIN")]
        workspace: Option<NamedWorkspace>,
        /// Show the messages that a run would take, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    let Verb::Run { workspace, dry_run, json } = verb;
    let pool = read_pool(&settings).await?;
    let commands = commands(&settings).await?;
    let workspace = match &workspace {
        Some(named) => Some(named.find(&commands).await?),
        None => None,
    };
    let (read_models, progress) = (read_models(&settings).await?, Progress::new(pool.clone()));
    let retention = Retention::new(commands, read_models, progress, pool, Handle::current()).called_by(asked());
    let report = if dry_run { retention.preview(workspace).await } else { retention.run(workspace).await };
    let report = report.map_err(failed)?;
    if json {
        return print(&serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?);
    }
    print(&table(&report, dry_run))
}

fn table(report: &RetentionReport, dry_run: bool) -> String {
    let mut text = format!("{:<38} {:<24} {:>7} {:>9} {:>9} {:>9}  oldest\n", "channel", "name", "action", "days", "messages", "held");
    for channel in &report.channels {
        let oldest = channel.oldest.map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<38} {:<24} {:>7} {:>9} {:>9} {:>9}  {oldest}",
            channel.channel_id.to_string(),
            channel.name.as_deref().unwrap_or("-"),
            channel.action,
            channel.days,
            channel.messages,
            channel.held
        );
    }
    let verb = if dry_run { "would leave" } else { "left" };
    let _ = write!(text, "{} messages {verb}; {} are held", report.messages(), report.held());
    text
}

fn failed(error: RunError) -> Failure {
    let exit = match &error {
        RunError::UnderWay => Exit::Refused,
        RunError::Read(_) | RunError::Database(_) => Exit::Unreachable,
        RunError::Behind(_) | RunError::Command(_) => Exit::Failed,
    };
    Failure::new(exit, error)
}
