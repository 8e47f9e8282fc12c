//! `backscroll audit log`

use anyhow::Context;
use clap::Args;
use domain::ids::WorkspaceId;
use ledger::audit::{Filter, Order, TextAccess};

use super::filter::FilterArguments;
use super::table::table;
use crate::cli::connection::audit_log;
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Of that workspace, with the sign-ins of its members; of the whole server, where it is left out.
    #[arg(long, value_name = "ID")]
    workspace: Option<WorkspaceId>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Before that position: to go on where another call ended.
    #[arg(long, value_name = "POSITION")]
    before: Option<i64>,
    /// Behind that position.
    #[arg(long, value_name = "POSITION")]
    after: Option<i64>,
    /// The oldest first.
    #[arg(long)]
    oldest_first: bool,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Print each entry as JSON, a line each.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let order = if arguments.oldest_first { Order::OldestFirst } else { Order::NewestFirst };
    let filter = Filter {
        before: arguments.before,
        after: arguments.after,
        order,
        limit: arguments.limit,
        ..arguments.filter.filter(arguments.workspace)
    };
    let found = audit_log(&settings).await?.find(&filter).await.context("the audit cannot be read")?;
    // Whoever holds the database can read everything in it.
    let entries = found.entries(&TextAccess::everything());
    if arguments.json {
        let lines = entries.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        return print(&lines.context("an entry cannot be written as JSON")?.join("\n"));
    }
    print(&table(&entries))
}
