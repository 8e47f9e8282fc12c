//! `backscroll import`

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Subcommand;
use commands::{Commands, EventStore};
use domain::ids::{UserId, WorkspaceId};
use slack::import::{ArchiveError, ImportError, ImportReport, Observer, Progress};
use uuid::Uuid;

use super::connection::{NamedWorkspace, store};
use super::progress::Meter;
use super::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Import a Slack export. An interrupted import can be run again: it skips what is imported already.
    Slack {
        /// The zip file.
        file: PathBuf,
        /// The workspace to import into: its identifier or its domain.
        #[arg(long, value_name = "ID|DOMAIN")]
        workspace: NamedWorkspace,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    let Verb::Slack { file, workspace, json } = verb;
    let store = store(&settings).await?;
    // A wrong path is told before a wrong workspace.
    std::fs::File::open(&file).map_err(|error| failed(&file, ArchiveError::Open(error).into()))?;
    let workspace_id = workspace.find(&Commands::new(store.clone())).await?;
    let report = slack(&store, &file, workspace_id, UserId::SYSTEM).await?;
    if json {
        return print(&serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?);
    }
    print(&report.to_string())
}

/// Imports an export, and shows the progress.
pub(super) async fn slack(store: &EventStore, file: &Path, workspace_id: WorkspaceId, importer: UserId) -> Result<ImportReport, Failure> {
    let settings = slack::import::Settings {
        workspace_id,
        importer,
        at: Utc::now(),
        correlation_id: Uuid::now_v7(),
        limits: slack::import::Limits::default(),
    };
    let observer = MeterObserver(Meter::new("bytes"));
    let outcome = slack::import::slack(store, file, &settings, &observer).await;
    observer.0.finish();
    outcome.map_err(|error| failed(file, error))
}

struct MeterObserver(Meter);

impl Observer for MeterObserver {
    fn progress(&self, progress: &Progress) {
        let detail = format!("{} messages, {} events", progress.messages_read, progress.events_appended);
        self.0.at("importing", progress.bytes_done, progress.bytes_total, &detail);
    }
}

fn failed(file: &Path, error: ImportError) -> Failure {
    let exit = match &error {
        ImportError::Archive(ArchiveError::Open(_)) => Exit::Wrong,
        ImportError::Archive(_) | ImportError::Json { .. } | ImportError::NotAnExport => Exit::Refused,
        ImportError::EnterpriseGrid | ImportError::SeveralExports(_) => Exit::Refused,
        ImportError::NoWorkspace(_) | ImportError::TooManyMembers { .. } => Exit::Refused,
        ImportError::Store(_) => Exit::Unreachable,
        _ => Exit::Failed,
    };
    let error = anyhow::Error::from(error);
    match exit {
        Exit::Wrong => Failure::new(exit, error.context(format!("{}: correct the path, and let this user read the file", file.display()))),
        Exit::Refused => Failure::new(exit, error.context(file.display().to_string())),
        exit => Failure::new(exit, error),
    }
}
