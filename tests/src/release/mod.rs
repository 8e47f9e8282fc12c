//! Databases of earlier releases in `tests/fixtures/releases`: a dump of each, and a manifest of its content. `dump`
//! makes such a fixture from the database of a test, and `restore` restores one.

mod dump;
mod manifest;
mod restore;

use std::fs;
use std::path::PathBuf;

pub use dump::dump;
pub use manifest::{Account, History, Manifest, Message, history, log};

use crate::TestDatabase;
use crate::servers::checkout;

/// A release with the database that it wrote.
pub struct Release {
    /// The folder of the fixture.
    pub folder: PathBuf,
    /// The content of the fixture.
    pub manifest: Manifest,
}

impl Release {
    /// Every release with a fixture, in order of name.
    ///
    /// # Panics
    /// Panics if a manifest cannot be read.
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

    /// Creates a database with the content that this release left.
    pub async fn restore(&self) -> TestDatabase {
        let database = TestDatabase::empty().await;
        restore::restore(&database.url, &self.folder.join(dump::FILE)).await;
        database
    }
}
