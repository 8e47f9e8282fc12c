//! A file that a command reads or writes: on this machine, or in the object store.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::buffered::{BufReader, BufWriter};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use stores::objects::{self, ObjectStoreSettings, ObjectUrl};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::{Exit, Failure};

/// The bytes of an object that are read or written at a time.
const CHUNK_BYTES: usize = 10 * 1024 * 1024;

/// The most small objects that are read concurrently.
const CONCURRENT_READS_MAX: usize = 16;

/// A path on this machine, or an address in the object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Local(PathBuf),
    /// In the object store.
    Remote(ObjectUrl),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with(ObjectUrl::SCHEME) { Ok(Self::Remote(text.parse()?)) } else { Ok(Self::Local(text.into())) }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(url) => url.fmt(f),
        }
    }
}

/// A bucket of the object store.
pub(super) struct Bucket {
    settings: ObjectStoreSettings,
    name: String,
    store: Arc<dyn ObjectStore>,
}

impl Bucket {
    pub(super) fn of(settings: &ObjectStoreSettings, url: &ObjectUrl) -> Result<Self, Failure> {
        let store = objects::bucket(settings, &url.bucket).map_err(|error| Failure::new(Exit::Wrong, error))?;
        Ok(Self { settings: settings.clone(), name: url.bucket.clone(), store })
    }

    /// Uploads a file of this machine. An earlier object is replaced only when the upload is complete.
    pub(super) async fn upload(&self, from: &Path, to: &ObjectPath) -> Result<(), Failure> {
        let mut file = File::open(from).await?;
        let mut object = BufWriter::with_capacity(self.store.clone(), to.clone(), CHUNK_BYTES);
        if let Err(error) = tokio::io::copy(&mut file, &mut object).await {
            // An incomplete upload costs money, but is not listed.
            let _ = object.abort().await;
            return Err(self.failed(to, error));
        }
        object.shutdown().await.map_err(|error| self.failed(to, error))
    }

    /// Downloads an object into a file of this machine.
    pub(super) async fn download(&self, from: &ObjectPath, to: &Path) -> Result<(), Failure> {
        let meta = self.store.head(from).await.map_err(|error| self.failed(from, error))?;
        let mut object = BufReader::with_capacity(self.store.clone(), &meta, CHUNK_BYTES);
        let mut file = File::create(to).await?;
        tokio::io::copy_buf(&mut object, &mut file).await.map_err(|error| self.failed(from, error))?;
        Ok(file.flush().await?)
    }

    /// The texts of all objects of a folder, in the order of their names. If `folder` is the name of one object: the
    /// text of that object.
    pub(super) async fn texts(&self, folder: &ObjectPath) -> Result<Vec<String>, Failure> {
        let listed = self.store.list(Some(folder)).map_ok(|meta| meta.location).try_collect::<Vec<_>>().await;
        let mut names = listed.map_err(|error| self.failed(folder, error))?;
        names.sort_unstable();
        if names.is_empty() && !folder.is_root() {
            match self.store.head(folder).await {
                Ok(meta) => names.push(meta.location),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(folder, error)),
            }
        }
        let texts = futures::stream::iter(names).map(|name| self.text(name)).buffered(CONCURRENT_READS_MAX);
        texts.try_collect().await
    }

    async fn text(&self, name: ObjectPath) -> Result<String, Failure> {
        let read = async { self.store.get(&name).await?.bytes().await };
        let bytes = read.await.map_err(|error| self.failed(&name, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn failed(&self, path: &ObjectPath, error: impl Into<anyhow::Error>) -> Failure {
        let error = error.into();
        let exit = match error.chain().find_map(<dyn std::error::Error>::downcast_ref) {
            Some(object_store::Error::NotFound { .. }) => Exit::Failed,
            Some(object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }) => Exit::Wrong,
            _ => Exit::Unreachable,
        };
        let url = ObjectUrl { bucket: self.name.clone(), path: path.clone() };
        let cause = error.chain().find_map(<dyn std::error::Error>::downcast_ref);
        Failure::new(exit, objects::diagnose(&self.settings, &url, cause, &format!("{error:#}")))
    }
}
