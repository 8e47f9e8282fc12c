//! The servers that an operator on Debian has: Postgres with TLS and a role without privileges, NATS with a password and
//! TLS, Redis with a password and TLS, and nginx. `scripts/services.sh debian` fetches and runs the programs. The
//! configurations are those of `deploy/`, with other ports and folders.
//!
//! The servers run in a temporary folder, and end with the test that started them.

mod nginx;
mod process;
mod servers;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::servers::checkout;

pub use nginx::Nginx;
pub use process::tool;
pub use servers::{DebianServer, DebianServers};

/// The longest time that a server may take to answer after its start. The first start fetches its packages.
const START_MAX: Duration = Duration::from_secs(120);
/// The time between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The text of a file in `deploy/`.
///
/// # Panics
/// Panics if the file cannot be read.
#[must_use]
pub fn deployed(file: &str) -> String {
    let path = checkout().join("deploy").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A text with other ports, folders or names.
///
/// # Panics
/// Panics if the text does not have one of the words.
#[must_use]
pub fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the configuration has no longer {from:?}");
        text.replace(from, to)
    })
}

/// A temporary folder that the servers' user can enter.
///
/// # Panics
/// Panics if it cannot be created.
#[must_use]
pub fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("its permissions");
    folder
}

/// Creates a folder in a folder.
fn folder_in(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(&path).expect("a folder");
    path
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its permissions");
}

async fn until_it_answers(what: &str, log: &Path, mut answers: impl AsyncFnMut() -> bool) {
    let gives_up_at = Instant::now() + START_MAX;
    while !answers().await {
        let log = || fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < gives_up_at, "{what} still does not answer after {START_MAX:?}: {}", log());
        sleep(LOOK_EVERY).await;
    }
}
