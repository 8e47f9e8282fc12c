//! `backscroll audit diff TYPE ID`

use anyhow::{Context, anyhow};
use clap::Args;
use ledger::audit::{Moment, TextAccess};

use super::filter::{AggregateArguments, moment};
use crate::cli::connection::audit_log;
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    aggregate: AggregateArguments,
    /// The first moment: a position or a time (RFC 3339). The default is before the first event.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    from: Option<Moment>,
    /// The second moment. The default is now.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    to: Option<Moment>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let audit_log = audit_log(&settings).await?;
    let (from, to) = (arguments.from.unwrap_or(Moment::Position(0)), arguments.to.unwrap_or(Moment::Now));
    let moments = audit_log.between(None, arguments.aggregate.stream(), from, to).await.context("the audit cannot be read")?;
    let moments = moments.ok_or_else(|| Failure::new(Exit::Failed, anyhow!("the log has no such aggregate")))?;
    let difference = audit_log.difference(&moments, &TextAccess::everything()).await.context("the audit cannot be read")?;
    if arguments.json {
        return print(&serde_json::to_string_pretty(&difference).context("a difference cannot be written as JSON")?);
    }
    let mut lines = vec![format!("from the aggregate's event {} to its event {}", difference.from_version, difference.to_version)];
    lines.extend(difference.messages_sent.map(|sent| format!("{sent} messages were sent")));
    lines.extend(difference.readable);
    print(&lines.join("\n"))
}
