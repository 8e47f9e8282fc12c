//! `backscroll audit show POSITION`

use std::fmt::Write;

use anyhow::{Context, anyhow};
use clap::Args;
use ledger::audit::{Change, Entry, Filter, TextAccess};

use super::table::line;
use crate::cli::connection::audit_log;
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The event's position in the log.
    position: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let position = arguments.position;
    let this = Filter { after: Some(position.saturating_sub(1)), before: Some(position.saturating_add(1)), limit: 1, ..Filter::default() };
    let audit_log = audit_log(&settings).await?;
    let entries = audit_log.find(&this).await.context("the audit cannot be read")?.entries(&TextAccess::everything());
    let entry = entries.first().ok_or_else(|| Failure::new(Exit::Failed, anyhow!("there is no event at position {position}")))?;
    if arguments.json {
        return print(&serde_json::to_string_pretty(entry).context("an entry cannot be written as JSON")?);
    }
    print(&full_text(entry)?)
}

/// The full text of an event.
fn full_text(entry: &Entry) -> Result<String, Failure> {
    let mut text = format!("{}\n\n", line(entry));
    let maybe = |value: Option<String>| value.unwrap_or_else(|| "—".into());
    let rows = [
        ("event", format!("{} (version {}), {}", entry.event_type, entry.event_version, entry.event_id)),
        ("happened", entry.happened_at.unwrap_or(entry.recorded_at).to_rfc3339()),
        ("recorded", entry.recorded_at.to_rfc3339()),
        ("actor", format!("{} {}", entry.actor_name.as_deref().unwrap_or("—"), entry.actor_id)),
        ("by", maybe(entry.by.clone())),
        ("aggregate", format!("{} {}, event {} of the aggregate", entry.aggregate_type, entry.aggregate_id, entry.sequence)),
        ("workspace", maybe(entry.workspace_id.map(|id| id.to_string()))),
        ("command", entry.command.clone()),
        ("address", maybe(entry.address.clone())),
        ("session", maybe(entry.session_id.map(|id| id.to_string()))),
        ("client", maybe(entry.user_agent.clone())),
        ("request", maybe(entry.request_id.clone())),
        ("correlation", entry.correlation_id.to_string()),
        ("caused by", maybe(entry.caused_by.map(|position| position.to_string()))),
        ("caused", entry.caused.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<12} {value}");
    }
    let payload = serde_json::to_string_pretty(&entry.payload).context("an event cannot be written as JSON")?;
    let _ = writeln!(text, "\n{payload}\n\nchanges:");
    for change in &entry.changes {
        let _ = writeln!(text, "  {}", change_line(change));
    }
    Ok(text)
}

fn change_line(change: &Change) -> String {
    let json = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    match change.op {
        "add" => format!("+ {} {}", change.path, json(&change.value)),
        "remove" => format!("- {} {}", change.path, json(&change.was)),
        _ => format!("~ {} {} → {}", change.path, json(&change.was), json(&change.value)),
    }
}
