//! `backscroll audit as-of TYPE ID`

use anyhow::{Context, anyhow};
use clap::Args;
use domain::AggregateType;
use domain::ids::ChannelId;
use ledger::audit::{MessageThen, Moment, TextAccess};
use serde_json::json;

use super::filter::{AggregateArguments, moment};
use crate::cli::connection::audit_log;
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    aggregate: AggregateArguments,
    /// A position or a time (RFC 3339). The default is now.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<Moment>,
    /// For a channel: the number of its messages.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let audit_log = audit_log(&settings).await?;
    let (stream, at) = (arguments.aggregate.stream(), arguments.at.unwrap_or(Moment::Now));
    let (text_access, failed) = (TextAccess::everything(), "the audit cannot be read");
    let found = audit_log.as_of(None, stream, at).await.context(failed)?;
    let aggregate = found.ok_or_else(|| Failure::new(Exit::Failed, anyhow!("the log has no such aggregate")))?.shown(&text_access);
    let messages = match stream.aggregate {
        AggregateType::Channel => {
            let page = audit_log.messages_as_of(ChannelId(stream.id), at, None, arguments.limit, &text_access).await.context(failed)?;
            Some(page.items)
        }
        AggregateType::User
        | AggregateType::Workspace
        | AggregateType::Message
        | AggregateType::Retention
        | AggregateType::Session
        | AggregateType::Audit
        | AggregateType::Installation => None,
    };
    if arguments.json {
        let whole = json!({"thing": aggregate, "messages": messages});
        return print(&serde_json::to_string_pretty(&whole).context("the state cannot be written as JSON")?);
    }
    let state = serde_json::to_string_pretty(&aggregate.state).context("the state cannot be written as JSON")?;
    let when = aggregate.happened_at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let mut lines = vec![
        format!("{} {}, after {} events, the last {when}", aggregate.aggregate_type, aggregate.aggregate_id, aggregate.version),
        state,
    ];
    lines.extend(messages.unwrap_or_default().iter().rev().map(message_line));
    print(&lines.join("\n"))
}

fn message_line(message: &MessageThen) -> String {
    let at = message.sent_at.format("%Y-%m-%d %H:%M:%S");
    let text = message.content.as_deref().unwrap_or("(deleted)");
    format!("{at}  {}  {text}{}", message.author_id, if message.is_edited { "  (edited)" } else { "" })
}
