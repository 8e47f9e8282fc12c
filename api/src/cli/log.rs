//! `backscroll log`: closed months of the log as files.

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Subcommand;
use commands::log_export::{self, ExportError, Month, Verified};
use projections::proof::Proofs;
use projections::proof::note::{SignedCheckpoint, VerifyingKey};
use projections::proof::tiles::Edge;
use projections::proof::tree::{Hash, leaf_hash};

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
    /// Check months that were written: their hashes, that nothing is missing, and every digest; from the first month on also their signed heads.
    /// Needs no server.
    VerifyExport {
        /// The manifests, in order.
        #[arg(required = true)]
        manifests: Vec<PathBuf>,
        /// The public key that heads are signed with, as it was kept outside; may be given more than once.
        #[arg(long = "key", value_name = "VKEY")]
        keys: Vec<VerifyingKey>,
    },
    /// Put months back, in order, into an empty database. Then `backscroll replay` makes the read tables.
    Restore {
        /// The manifests.
        #[arg(required = true)]
        manifests: Vec<PathBuf>,
    },
}

/// Checks months; this verb alone needs no settings.
pub(super) fn verify(manifests: &[PathBuf], keys: &[VerifyingKey]) -> Result<(), Failure> {
    // The tree of everything up to here, where the months began with the first.
    let mut tree = Some(Edge::default());
    for path in manifests {
        let manifest = log_export::read_manifest(path).map_err(failed)?;
        tree = tree.filter(|tree| i64::try_from(tree.size()).is_ok_and(|size| size + 1 == manifest.first_position));
        let head = manifest.checkpoint.as_deref().map(str::parse::<SignedCheckpoint>).transpose().map_err(|error| wrong(path, error))?;
        let mut root = None;
        let found = log_export::verify(path, |digest| {
            let Some(tree) = &mut tree else { return };
            tree.append(leaf_hash(digest), |_, _| {});
            if head.as_ref().is_some_and(|head| head.checkpoint.size == tree.size()) {
                root = Some(tree.root());
            }
        });
        let Verified { manifest, erased } = found.map_err(failed)?;
        let head = match (&head, &tree) {
            (Some(head), Some(_)) => judge(path, head, root, keys)?,
            (Some(_), None) => "its head is not compared: begin with the first month".to_owned(),
            (None, _) => "it has no head".to_owned(),
        };
        print(&format!(
            "{}: {} events, positions {} to {}, every digest fits; {erased} are emptied, and keep the digest of what they were; {head}",
            manifest.month, manifest.events, manifest.first_position, manifest.last_position
        ))?;
    }
    Ok(())
}

/// Whether the log has the root that the head says, and who signed it. Without a root, no event of the month is the head's last.
fn judge(path: &Path, head: &SignedCheckpoint, root: Option<Hash>, keys: &[VerifyingKey]) -> Result<String, Failure> {
    let size = head.checkpoint.size;
    let Some(root) = root else { return Err(wrong(path, format!("the head of size {size} ends in another month"))) };
    if head.checkpoint.root != root {
        return Err(wrong(path, format!("the head of size {size} has another root than these events")));
    }
    if keys.is_empty() {
        return Ok(format!("the head of size {size} fits; its signature is not checked without --key"));
    }
    head.verify(keys).map_err(|error| wrong(path, format!("the head of size {size}: {error}")))?;
    Ok(format!("the head of size {size} fits and is signed"))
}

fn wrong(path: &Path, what: impl ToString) -> Failure {
    failed(ExportError::Wrong { path: path.to_owned(), what: what.to_string() })
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Export { month, to } => {
            let pool = read_pool(&settings).await?;
            let positions = log_export::positions(&pool, month, Utc::now()).await.map_err(failed)?;
            let head = Proofs::new(pool.clone()).within(positions.clone()).await.map_err(anyhow::Error::from)?;
            let note = head.map(|head| head.note);
            let (manifest, path) = log_export::export(&pool, month, positions, note, &to).await.map_err(failed)?;
            print(&format!("{} events of {} are in {}", manifest.events, manifest.month, path.display()))
        }
        Verb::VerifyExport { manifests, keys } => verify(&manifests, &keys),
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
