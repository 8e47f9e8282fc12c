//! The sample export of the project: a folder that people read and edit, and its zip, which `make run` imports.
//!
//! After an edit: `UPDATE_FIXTURES=1 cargo test -p slack --lib the_zip_of_the_sample`

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use domain::channel::Kind as ChannelKind;
use domain::message::Kind;
use zip::ZipArchive;

use super::exports::zip;
use super::memory::{Memory, settings};
use crate::import::slack;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().into_string().expect("a name");
        if entry.path().is_dir() {
            files.extend(self::files(&entry.path()).into_iter().map(|(inner, content)| (format!("{name}/{inner}"), content)));
        } else {
            files.insert(name, fs::read(entry.path()).expect("a file"));
        }
    }
    files
}

#[test]
fn the_zip_of_the_sample_is_the_folder() {
    let folder = files(&fixtures().join("sample-export"));
    let path = fixtures().join("sample-export.zip");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        let zip = zip(folder.iter().map(|(path, content)| (path.as_str(), content.as_slice())));
        fs::write(&path, zip.into_inner()).expect("a zip");
    }
    let mut zip = ZipArchive::new(fs::File::open(&path).expect("the zip")).expect("a zip");
    let mut zipped = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).expect("a file");
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("a content");
        zipped.insert(file.name().expect("a name").into_owned(), content);
    }
    assert!(zipped == folder, "the zip is not the folder: UPDATE_FIXTURES=1 writes it again");
}

#[tokio::test]
async fn the_sample_shows_everything_that_an_import_understands() {
    let memory = Memory::with_a_workspace(100);
    let report = slack(&memory, &fixtures().join("sample-export.zip"), &settings(), &()).await.expect("an import");
    println!("{report}");
    assert_eq!((report.users.in_file, report.channels.in_file, report.messages.in_file), (7, 9, 100));
    assert_eq!((report.messages.imported, report.messages.skipped), (100, 0));
    assert_eq!((report.reactions.skipped, report.pins.imported, report.pins.skipped), (0, 2, 0));
    assert!(report.read.threads >= 15 && report.read.edited_messages >= 4 && report.read.file_links >= 2);
    let kinds = |kind| memory.postings().iter().filter(|p| p.kind == kind).count();
    assert!([Kind::Text, Kind::File, Kind::System, Kind::Bot].into_iter().all(|kind| kinds(kind) > 1));
    let channels = |kind| memory.channels().iter().filter(|(_, c)| c.creation.as_ref().is_some_and(|c| c.kind == kind)).count();
    assert_eq!((channels(ChannelKind::Public), channels(ChannelKind::Private)), (5, 1));
    assert_eq!((channels(ChannelKind::Direct), channels(ChannelKind::GroupDirect)), (2, 1));
    assert!(memory.channel_named("spring-fair-2025").is_some_and(|(_, channel)| channel.archived));
    let again = slack(&memory, &fixtures().join("sample-export.zip"), &settings(), &()).await.expect("an import");
    assert_eq!(again.events_appended(), 0);
}
