//! Real archives, if they lie beside the project.

use std::path::{Path, PathBuf};

use super::memory::{Memory, settings};
use crate::import::{ImportReport, slack};

fn beside_the_project(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    let there = path.exists();
    println!("{name}: {}", if there { "used" } else { "is not beside the project, and not used" });
    there.then_some(path)
}

/// Imports the archive twice. The second import appends nothing.
async fn imported_twice(path: &Path) -> (Memory, ImportReport) {
    let memory = Memory::with_a_workspace(100_000);
    let report = slack(&memory, path, &settings(), &()).await.expect("an import");
    println!("{report}");
    let again = slack(&memory, path, &settings(), &()).await.expect("an import");
    assert_eq!((again.events_appended(), again.messages.already_there), (0, report.messages.imported));
    (memory, report)
}

async fn holds(name: &str, users: u64, channels: u64, messages: u64) {
    let Some(path) = beside_the_project(name) else { return };
    let (memory, report) = imported_twice(&path).await;
    assert_eq!((report.users.in_file, report.channels.in_file, report.messages.in_file), (users, channels, messages));
    assert_eq!((report.messages.imported, report.messages.skipped), (messages, 0));
    assert_eq!(memory.postings().len() as u64, messages);
}

#[tokio::test]
async fn a_genuine_export_of_2018_is_imported_whole() {
    holds("slack-export-2018.zip", 4, 2, 158).await;
}

#[tokio::test]
async fn eighteen_thousand_messages_are_imported_whole() {
    holds("gitter-slack-export-small.zip", 1_154, 12, 18_000).await;
}

#[tokio::test]
async fn two_hundred_thousand_messages_are_imported_whole() {
    holds("gitter-slack-export.zip", 7_466, 521, 209_865).await;
}
