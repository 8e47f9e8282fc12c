//! `backscroll log`: closed months of the log as files.

use std::path::PathBuf;

use chrono::Utc;
use clap::Subcommand;
use commands::log_export::{self, ExportError, Month};

use super::connection::read_pool;
use super::{Exit, Failure, print};
use crate::app;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Write a month that is over: JSON lines in order of position, compressed, and a manifest.
    Export {
        /// The month, in UTC, as `2025-01`.
        #[arg(long)]
        month: Month,
        /// Into which folder.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Check a month that was written: its hash, that nothing is missing, and every digest. Needs no server.
    VerifyExport {
        /// The manifest.
        manifest: PathBuf,
    },
    /// Put months back, in order, into an empty database. Then `backscroll replay` makes the read tables.
    Restore {
        /// The manifests.
        #[arg(required = true)]
        manifests: Vec<PathBuf>,
    },
}

/// Checks a month; this verb alone needs no settings.
pub(super) fn verify(manifest: &std::path::Path) -> Result<(), Failure> {
    let found = log_export::verify(manifest).map_err(failed)?;
    let shown = found.manifest;
    print(&format!(
        "{}: {} events, positions {} to {}, every digest fits; {} are emptied, and keep the digest of what they were",
        shown.month, shown.events, shown.first_position, shown.last_position, found.erased
    ))
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Export { month, to } => {
            let (manifest, path) = log_export::export(&read_pool(&settings).await?, month, &to, Utc::now()).await.map_err(failed)?;
            print(&format!("{} events of {} are in {}", manifest.events, manifest.month, path.display()))
        }
        Verb::VerifyExport { manifest } => verify(&manifest),
        Verb::Restore { manifests } => {
            // Every migration must be there, which the read pool asks for.
            drop(read_pool(&settings).await?);
            let pool = app::write_pool(&settings).await?;
            for path in manifests {
                let manifest = log_export::restore(&pool, &path).await.map_err(failed)?;
                print(&format!("{} events of {} are restored", manifest.events, manifest.month))?;
            }
            Ok(())
        }
    }
}

fn failed(error: ExportError) -> Failure {
    let exit = match &error {
        ExportError::NoMonth(_) | ExportError::NotClosed(_) | ExportError::Empty(_) => Exit::Wrong,
        ExportError::File { .. } => Exit::Failed,
        ExportError::Wrong { .. } | ExportError::NotNext { .. } => Exit::Refused,
        ExportError::Database(_) => Exit::Unreachable,
    };
    Failure::new(exit, error)
}
