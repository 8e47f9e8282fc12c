//! `backscroll audit export`

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use domain::AuditCommand;
use domain::audit::{Export as Noted, ExportFormat};
use domain::ids::WorkspaceId;
use ledger::audit::{Export, TextAccess};
use ledger::proof::keyring;
use uuid::Uuid;

use super::filter::FilterArguments;
use crate::cli::Failure;
use crate::cli::connection::{NamedWorkspace, asked, audit_log, commands, read_pool, require_workspace};
use crate::config::Settings;
use crate::http::audit::filter_parts;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// JSON Lines: one line for each entry.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// CloudEvents 1.0: one line for each event.
    Cloudevents,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The workspace. Its entries include the sign-ins of its members.
    #[arg(long, value_name = "ID|DOMAIN")]
    workspace: NamedWorkspace,
    #[command(flatten)]
    filter: FilterArguments,
    /// The format.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// The file to write. The default is the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let audit_log = audit_log(&settings).await?;
    let key = keyring::current(&read_pool(&settings).await?, &settings.proof_keys()).await.context("the signing key cannot be read")?;
    let format = match arguments.format {
        Format::Jsonl => ExportFormat::Jsonl,
        Format::Csv => ExportFormat::Csv,
        Format::Cloudevents => ExportFormat::Cloudevents,
    };
    let workspace_id = arguments.workspace.id(&settings).await?;
    let filter = arguments.filter.filter(Some(workspace_id));
    let (export_id, parts) = (Uuid::now_v7(), filter_parts(&filter));
    let head = audit_log.head().await.context("the log cannot be read")?;
    let noted = Noted { export_id, format, filter: parts.clone(), up_to: head.position };
    record(&settings, workspace_id, noted).await?;
    let mut export = Export::begin(export_id, workspace_id, Uuid::nil(), format, (filter, parts), head);
    let mut out: Box<dyn Write> = match &arguments.out {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(std::io::stdout()),
    };
    loop {
        let found = audit_log.piece(&export).await.context("the audit cannot be read")?;
        // The operator can read the whole database anyway, so no text is withheld.
        out.write_all(&export.write(&found, &TextAccess::everything()).context("an entry cannot be written")?)?;
        if found.is_empty() {
            break;
        }
    }
    let vkey = key.verifying().to_string();
    out.write_all(&export.end(&key).context("the manifest cannot be written")?)?;
    out.flush()?;
    eprintln!("signed with {vkey}");
    Ok(())
}

/// Records the export in the audit before the first entry is written.
async fn record(settings: &Settings, workspace_id: WorkspaceId, noted: Noted) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    require_workspace(&commands, workspace_id).await?;
    commands.audit(asked().context, workspace_id, AuditCommand::Export(noted)).await.context("the export was not recorded in the audit")?;
    Ok(())
}
