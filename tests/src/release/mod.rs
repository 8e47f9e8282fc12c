//! Databases of earlier releases, as `tests/fixtures/releases` keeps them: a dump of each, and a manifest of what is in
//! it. `dump` makes one of the database of a test, `restore` puts one back.

mod dump;
mod manifest;
mod restore;

use std::fs;
use std::path::PathBuf;

pub use dump::dump;
pub use manifest::{Account, History, Manifest, Message, history, log};

use crate::TestDatabase;
use crate::servers::checkout;

/// A release, and the database that it left.
pub struct Release {
    /// Where it is kept.
    pub folder: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
}

impl Release {
    /// Every release that is kept, in order of their names.
    ///
    /// # Panics
    /// A manifest cannot be read.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(checkout().join("tests/fixtures/releases")).expect("the releases");
        let mut folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect::<Vec<_>>();
        folders.sort();
        folders.into_iter().map(Self::read).collect()
    }

    fn read(folder: PathBuf) -> Self {
        let text = fs::read_to_string(folder.join(manifest::FILE)).expect("a manifest");
        Self { manifest: serde_json::from_str(&text).expect("a manifest"), folder }
    }

    /// A fresh database that is as that release left it.
    pub async fn restore(&self) -> TestDatabase {
        let database = TestDatabase::empty().await;
        restore::restore(&database.url, &self.folder.join(dump::FILE)).await;
        database
    }
}
