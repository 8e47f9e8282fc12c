//! Months in the object store: written here first and then put there, and fetched to be read.

use std::ops::AsyncFnOnce;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use ledger::months::{self, ExportError, Manifest};
use object_store::path::Path as ObjectPath;
use stores::objects::{ObjectStoreSettings, ObjectUrl};
use tempfile::TempDir;

use super::failed;
use crate::cli::place::{Bucket, Place};
use crate::cli::{Exit, Failure};

/// A month that can be read here. What was fetched for it goes when this does.
pub(super) struct Fetched {
    manifest: PathBuf,
    /// Where it really is.
    away: Option<(ObjectUrl, TempDir)>,
}

impl Fetched {
    /// Where its manifest can be read, and beside it its events.
    pub(super) fn path(&self) -> &Path {
        &self.manifest
    }

    /// What is wrong with it, under the name that whoever asked knows.
    pub(super) fn failed(&self, error: ExportError) -> Failure {
        let named = |path: PathBuf| self.away.as_ref().map_or(path.clone(), |(url, _)| PathBuf::from(beside(url, &path).to_string()));
        failed(match error {
            ExportError::File { path, source } => ExportError::File { path: named(path), source },
            ExportError::Wrong { path, what } => ExportError::Wrong { path: named(path), what },
            ExportError::Unreadable { path, what, source } => ExportError::Unreadable { path: named(path), what, source },
            other => other,
        })
    }

    /// What is wrong with its manifest.
    pub(super) fn wrong(&self, what: impl ToString) -> Failure {
        self.failed(ExportError::Wrong { path: self.manifest.clone(), what: what.to_string() })
    }
}

/// Has a month here, `settings` being asked where the object store is, should the month be there.
pub(super) async fn fetched(place: &Place, settings: impl FnOnce() -> Result<ObjectStoreSettings, Failure>) -> Result<Fetched, Failure> {
    let url = match place {
        Place::Here(path) => return Ok(Fetched { manifest: path.clone(), away: None }),
        Place::Away(url) => url,
    };
    let name = url.path.filename().ok_or_else(|| Failure::new(Exit::Wrong, anyhow!("{url} names no manifest")))?;
    let (bucket, folder) = (Bucket::of(&settings()?, url)?, TempDir::new()?);
    let month = Fetched { manifest: folder.path().join(name), away: Some((url.clone(), folder)) };
    bucket.download(&url.path, month.path()).await?;
    let manifest = months::read_manifest(month.path()).map_err(|error| month.failed(error))?;
    let events = month.path().with_file_name(&manifest.file);
    bucket.download(&beside(url, &events).path, &events).await?;
    Ok(month)
}

/// Has a month written into a folder, of this machine or of the object store, and answers with its manifest and where that is.
pub(super) async fn export_to(
    to: &Place,
    settings: &ObjectStoreSettings,
    write: impl AsyncFnOnce(&Path) -> Result<(Manifest, PathBuf), ExportError>,
) -> Result<(Manifest, Place), Failure> {
    let url = match to {
        Place::Here(folder) => {
            let (manifest, path) = write(folder).await.map_err(failed)?;
            return Ok((manifest, Place::Here(path)));
        }
        Place::Away(url) => url,
    };
    let (bucket, folder) = (Bucket::of(settings, url)?, TempDir::new()?);
    let (manifest, path) = write(folder.path()).await.map_err(failed)?;
    let within = |name: &str| ObjectUrl { path: url.path.clone().join(name), ..url.clone() };
    bucket.upload(&folder.path().join(&manifest.file), &within(&manifest.file).path).await?;
    // The manifest last: where it is, its events are.
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let manifest_url = within(&name);
    bucket.upload(&path, &manifest_url.path).await?;
    Ok((manifest, Place::Away(manifest_url)))
}

/// The object that has the name of a file, beside that other object.
fn beside(url: &ObjectUrl, file: &Path) -> ObjectUrl {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let parts = url.path.parts().collect::<Vec<_>>();
    let folder = parts.iter().take(parts.len().saturating_sub(1)).cloned().collect::<ObjectPath>();
    ObjectUrl { path: folder.join(name), ..url.clone() }
}
