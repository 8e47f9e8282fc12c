//! `backscroll audit tail`

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use ledger::audit::{Filter, Order, TextAccess};
use projections::ReadModels;

use super::filter::FilterArguments;
use super::table::line;
use crate::cli::connection::{NamedWorkspace, audit_log};
use crate::cli::{Failure, print};
use crate::config::Settings;

/// The time between two reads of the log.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only this workspace. The default is the whole server.
    #[arg(long, value_name = "ID|DOMAIN")]
    workspace: Option<NamedWorkspace>,
    #[command(flatten)]
    filter: FilterArguments,
    /// The number of earlier events to print first.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=200))]
    lines: u16,
    /// Print one JSON line for each entry.
    #[arg(long)]
    json: bool,
}

/// Prints the latest events, and then each new one, until Ctrl-C.
pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let audit_log = audit_log(&settings).await?;
    let workspace_id = NamedWorkspace::id_of(arguments.workspace.as_ref(), &settings).await?;
    let filter = arguments.filter.clone().filter(workspace_id);
    let newest = Filter { limit: arguments.lines.max(1), ..filter.clone() };
    let mut last = audit_log.find(&newest).await.context("the audit cannot be read")?.entries(&TextAccess::everything());
    last.reverse();
    let mut reached = last.last().map_or(0, |entry| entry.position);
    if arguments.lines > 0 {
        show(&last, arguments.json)?;
    }
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
        let next = Filter { after: Some(reached), order: Order::OldestFirst, limit: ReadModels::PAGE_ROWS_MAX, ..filter.clone() };
        let entries = audit_log.find(&next).await.context("the audit cannot be read")?.entries(&TextAccess::everything());
        reached = entries.last().map_or(reached, |entry| entry.position);
        show(&entries, arguments.json)?;
    }
}

fn show(entries: &[ledger::audit::Entry], as_json: bool) -> Result<(), Failure> {
    if entries.is_empty() {
        return Ok(());
    }
    let text = |entry| if as_json { serde_json::to_string(entry) } else { Ok(line(entry)) };
    let lines = entries.iter().map(text).collect::<Result<Vec<_>, _>>().context("an entry cannot be written as JSON")?;
    print(&lines.join("\n"))
}
