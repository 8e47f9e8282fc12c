//! Exported months in the object store. They are written to a local folder first and then uploaded, and downloaded
//! before they are read.

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

/// A month that can be read on this machine. Dropping it removes its downloaded files.
pub(super) struct Fetched {
    manifest: PathBuf,
    /// Its address in the object store, and the folder of the download.
    remote: Option<(ObjectUrl, TempDir)>,
}

impl Fetched {
    /// The path of the manifest. The events' file is in the same folder.
    pub(super) fn path(&self) -> &Path {
        &self.manifest
    }

    /// A failure that names the month by the address that the user gave.
    pub(super) fn failed(&self, error: ExportError) -> Failure {
        let named = |path: PathBuf| self.remote.as_ref().map_or(path.clone(), |(url, _)| PathBuf::from(sibling(url, &path).to_string()));
        failed(match error {
            ExportError::File { path, source } => ExportError::File { path: named(path), source },
            ExportError::Wrong { path, what } => ExportError::Wrong { path: named(path), what },
            ExportError::Unreadable { path, what, source } => ExportError::Unreadable { path: named(path), what, source },
            other => other,
        })
    }

    /// A failure about the manifest.
    pub(super) fn wrong(&self, what: impl ToString) -> Failure {
        self.failed(ExportError::Wrong { path: self.manifest.clone(), what: what.to_string() })
    }
}

/// Makes a month readable on this machine. `settings` gives the object store's settings, and is called only if the
/// month is there.
pub(super) async fn fetched(place: &Place, settings: impl FnOnce() -> Result<ObjectStoreSettings, Failure>) -> Result<Fetched, Failure> {
    let url = match place {
        Place::Local(path) => return Ok(Fetched { manifest: path.clone(), remote: None }),
        Place::Remote(url) => url,
    };
    let name = url.path.filename().ok_or_else(|| Failure::new(Exit::Wrong, anyhow!("{url} is not the address of a manifest")))?;
    let (bucket, folder) = (Bucket::of(&settings()?, url)?, TempDir::new()?);
    let month = Fetched { manifest: folder.path().join(name), remote: Some((url.clone(), folder)) };
    bucket.download(&url.path, month.path()).await?;
    let manifest = months::read_manifest(month.path()).map_err(|error| month.failed(error))?;
    let events = month.path().with_file_name(&manifest.file);
    bucket.download(&sibling(url, &events).path, &events).await?;
    Ok(month)
}

/// Lets `write` export a month into a folder of this machine or of the object store. Returns the manifest, and its
/// place.
pub(super) async fn export_to(
    to: &Place,
    settings: &ObjectStoreSettings,
    write: impl AsyncFnOnce(&Path) -> Result<(Manifest, PathBuf), ExportError>,
) -> Result<(Manifest, Place), Failure> {
    let url = match to {
        Place::Local(folder) => {
            let (manifest, path) = write(folder).await.map_err(failed)?;
            return Ok((manifest, Place::Local(path)));
        }
        Place::Remote(url) => url,
    };
    let (bucket, folder) = (Bucket::of(settings, url)?, TempDir::new()?);
    let (manifest, path) = write(folder.path()).await.map_err(failed)?;
    let within = |name: &str| ObjectUrl { path: url.path.clone().join(name), ..url.clone() };
    bucket.upload(&folder.path().join(&manifest.file), &within(&manifest.file).path).await?;
    // The manifest is uploaded last: if it exists, its events exist too.
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let manifest_url = within(&name);
    bucket.upload(&path, &manifest_url.path).await?;
    Ok((manifest, Place::Remote(manifest_url)))
}

/// The object in the folder of `url` that has the name of `file`.
fn sibling(url: &ObjectUrl, file: &Path) -> ObjectUrl {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let parts = url.path.parts().collect::<Vec<_>>();
    let folder = parts.iter().take(parts.len().saturating_sub(1)).cloned().collect::<ObjectPath>();
    ObjectUrl { path: folder.join(name), ..url.clone() }
}
