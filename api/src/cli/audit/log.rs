//! `backscroll audit log`

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use domain::AggregateType;
use domain::ids::{UserId, WorkspaceId};
use projections::ReadModels;
use projections::audit::{Entry, Filter, Sight};
use uuid::Uuid;

use crate::cli::connection::read_pool;
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Of that workspace.
    #[arg(long, value_name = "ID")]
    workspace: Option<WorkspaceId>,
    /// Done by that user.
    #[arg(long, value_name = "ID")]
    actor: Option<UserId>,
    /// Happened to a thing of that kind: user, workspace, channel or message.
    #[arg(long, value_name = "TYPE", value_parser = aggregate_type)]
    aggregate_type: Option<AggregateType>,
    /// Happened to that thing.
    #[arg(long, value_name = "ID")]
    aggregate_id: Option<Uuid>,
    /// Of that name, such as channel.archived.
    #[arg(long = "type", value_name = "NAME")]
    event_type: Option<String>,
    /// Recorded then or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Recorded before then (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// Before that position: to go on where another call ended.
    #[arg(long, value_name = "POSITION")]
    before: Option<i64>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Print each event as JSON, a line each.
    #[arg(long)]
    json: bool,
}

fn aggregate_type(name: &str) -> Result<AggregateType, String> {
    AggregateType::named(name).ok_or_else(|| format!("one of {}", AggregateType::ALL.map(AggregateType::as_str).join(", ")))
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let as_json = arguments.json;
    let found = ReadModels::new(read_pool(&settings).await?).audit(&filter(arguments)).await.context("the log cannot be read")?;
    // Whoever holds the database can read everything in it.
    let rows = found.entries(&Sight::everything());
    let lines = rows.iter().map(|row| if as_json { json(row) } else { Ok(line(row)) }).collect::<Result<Vec<_>, _>>()?;
    print(&lines.join("\n"))
}

fn filter(arguments: Arguments) -> Filter {
    Filter {
        workspace_id: arguments.workspace,
        actor: arguments.actor,
        aggregate_type: arguments.aggregate_type,
        aggregate_id: arguments.aggregate_id,
        event_type: arguments.event_type,
        from: arguments.from,
        to: arguments.to,
        before: arguments.before,
        limit: arguments.limit,
        ..Filter::default()
    }
}

fn json(row: &Entry) -> anyhow::Result<String> {
    serde_json::to_string(row).context("an event cannot be written as JSON")
}

fn line(row: &Entry) -> String {
    let at = row.recorded_at.format("%Y-%m-%d %H:%M:%S%.6f");
    format!("{:>10}  {at}  {:<32} {} {}  by {}", row.position, row.event_type, row.aggregate_type, row.aggregate_id, row.actor_id)
}
