//! `backscroll log`: export, check and restore closed months of the log.

pub(super) mod months;
pub(super) mod verify;

use chrono::Utc;
use clap::Subcommand;
use ledger::months::{ExportError, Month, export, positions, restore};
use ledger::proof::Proofs;
use ledger::proof::note::VerifyingKey;

use self::months::{export_to, fetched};
use super::connection::read_pool;
use super::place::Place;
use super::{Exit, Failure, print};
use crate::app;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Export a closed month: compressed JSON lines in order of position, and a manifest.
    Export {
        /// The month, in UTC, as `2025-01`.
        #[arg(long)]
        month: Month,
        /// The folder to write to: on this machine, or in the object store.
        #[arg(long, value_name = "DIR|s3://BUCKET/FOLDER")]
        to: Place,
    },
    /// Check exported months: their hashes, their completeness and each digest. If they begin with the first month,
    /// also their signed heads. Needs no server.
    VerifyExport {
        /// The manifests, in order: files, or addresses such as `s3://bucket/folder/log-2025-01.manifest.json`.
        #[arg(required = true)]
        manifests: Vec<Place>,
        /// A public key that signs heads, from a copy outside the database. May be given more than once.
        #[arg(long = "key", value_name = "VKEY")]
        keys: Vec<VerifyingKey>,
    },
    /// Restore months, in order, into an empty database. Then `backscroll migrate` builds the read tables.
    Restore {
        /// The manifests: files, or addresses such as `s3://bucket/folder/log-2025-01.manifest.json`.
        #[arg(required = true)]
        manifests: Vec<Place>,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Export { month, to } => {
            let pool = read_pool(&settings).await?;
            let within = positions(&pool, month, Utc::now()).await.map_err(failed)?;
            let head = Proofs::new(pool.clone()).within(within.clone()).await.map_err(anyhow::Error::from)?;
            let note = head.map(|head| head.note);
            let (manifest, place) =
                export_to(&to, &settings.object_store, async |folder| export(&pool, month, within, note, folder).await).await?;
            print(&format!("{} events of {} are in {place}", manifest.events, manifest.month))
        }
        Verb::VerifyExport { manifests, keys } => verify::run(|| Ok(settings.object_store.clone()), &manifests, &keys).await,
        Verb::Restore { manifests } => {
            // `read_pool` checks that the schema is up to date.
            drop(read_pool(&settings).await?);
            let pool = app::long_write_pool(&settings).await?;
            for place in manifests {
                let month = fetched(&place, || Ok(settings.object_store.clone())).await?;
                let manifest = restore(&pool, month.path()).await.map_err(|error| month.failed(error))?;
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
        ExportError::Wrong { .. } | ExportError::Unreadable { .. } | ExportError::NotNext { .. } => Exit::Refused,
        ExportError::Database(_) => Exit::Unreachable,
    };
    Failure::new(exit, error)
}
