//! `backscroll audit log`

use anyhow::Context;
use clap::Args;
use ledger::audit::{Filter, Order, TextAccess};

use super::filter::FilterArguments;
use super::table::table;
use crate::cli::connection::{NamedWorkspace, audit_log};
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only this workspace, with the sign-ins of its members. The default is the whole server.
    #[arg(long, value_name = "ID|DOMAIN")]
    workspace: Option<NamedWorkspace>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Only events before that position, to continue an earlier list.
    #[arg(long, value_name = "POSITION")]
    before: Option<i64>,
    /// Only events after that position.
    #[arg(long, value_name = "POSITION")]
    after: Option<i64>,
    /// List the oldest first.
    #[arg(long)]
    oldest_first: bool,
    /// The most events to list.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Print one JSON line for each entry.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let order = if arguments.oldest_first { Order::OldestFirst } else { Order::NewestFirst };
    let workspace_id = NamedWorkspace::id_of(arguments.workspace.as_ref(), &settings).await?;
    let filter =
        Filter { before: arguments.before, after: arguments.after, order, limit: arguments.limit, ..arguments.filter.filter(workspace_id) };
    let found = audit_log(&settings).await?.find(&filter).await.context("the audit cannot be read")?;
    // The operator can read the whole database anyway, so no text is withheld.
    let entries = found.entries(&TextAccess::everything());
    if arguments.json {
        let lines = entries.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        return print(&lines.context("an entry cannot be written as JSON")?.join("\n"));
    }
    print(&table(&entries))
}
