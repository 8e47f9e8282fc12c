//! Malicious archives, and files that are not archives.

use std::io::Cursor;

use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::exports::{Export, message, zip};
use super::memory::{Memory, settings};
use crate::import::{ArchiveError, ImportError, Limits, Settings, slack_from};

/// The error for an archive. Checks that nothing was appended.
async fn refused(zip: Cursor<Vec<u8>>, limits: Limits) -> ImportError {
    let memory = Memory::with_a_workspace(100);
    let before = memory.len();
    let error = slack_from(&memory, zip, &Settings { limits, ..settings() }, &()).await.expect_err("a refusal");
    assert_eq!(memory.len(), before, "{error}");
    error
}

async fn refused_archive(zip: Cursor<Vec<u8>>) -> ArchiveError {
    match refused(zip, Limits::default()).await {
        ImportError::Archive(error) => error,
        other => panic!("{other}"),
    }
}

/// The bytes with every `from` replaced by `to`, which has the same length.
fn patched(zip: Cursor<Vec<u8>>, from: &[u8], to: &[u8]) -> Cursor<Vec<u8>> {
    let mut bytes = zip.into_inner();
    let places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from)).collect::<Vec<_>>();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    Cursor::new(bytes)
}

/// The offset of the directory's entry for the last file.
fn last_entry(bytes: &[u8]) -> usize {
    (0..bytes.len()).rfind(|at| bytes[*at..].starts_with(b"PK\x01\x02")).expect("an entry")
}

#[tokio::test]
async fn names_that_lead_outside_are_refused() {
    for name in [
        "../evil.json",
        "a/../../evil.json",
        "/etc/passwd",
        "a\\..\\..\\b.json",
        "C:/a.json",
        "C:\\a.json",
        "\\\\server\\a",
        "a//b.json",
        "a/./b.json",
        ".//a.json",
        "./../a.json",
        "a\u{7}.json",
    ] {
        let plain = "x".repeat(name.len());
        let zip = zip([("users.json", b"[]".as_slice()), ("channels.json", b"[]"), (&plain, b"[]")]);
        let error = refused_archive(patched(zip, plain.as_bytes(), name.as_bytes())).await;
        assert!(matches!(error, ArchiveError::Name { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn two_entries_of_one_name_are_refused() {
    let zip = zip([("users.json", b"[]".as_slice()), ("channels.json", b"[]"), ("xxxxx.json", b"[1]")]);
    let error = refused_archive(patched(zip, b"xxxxx.json", b"users.json")).await;
    assert!(matches!(error, ArchiveError::DuplicateNames), "{error}");
    for twins in [["a/b.json", "a\\b.json"], ["a\\b.json", "./a/b.json"], ["./users.json", ".\\users.json"]] {
        let files = [("users.json", b"[]".as_slice()), ("channels.json", b"[]"), (twins[0], b"[]"), (twins[1], b"[]")];
        let error = refused_archive(super::exports::zip(files)).await;
        assert!(matches!(error, ArchiveError::DuplicateNames), "{twins:?}: {error}");
    }
}

#[tokio::test]
async fn an_encrypted_archive_is_refused() {
    let zip = zip([("users.json", b"[]".as_slice()), ("channels.json", b"[]")]);
    let mut bytes = zip.into_inner();
    let entry = last_entry(&bytes);
    bytes[entry + 8] |= 1;
    let error = refused_archive(Cursor::new(bytes)).await;
    assert!(matches!(error, ArchiveError::Encrypted(_)), "{error}");
}

#[tokio::test]
async fn a_symbolic_link_is_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("users.json", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let error = refused_archive(zip.finish().expect("a zip")).await;
    assert!(matches!(error, ArchiveError::SymbolicLink(_)), "{error}");
}

#[tokio::test]
async fn a_bomb_is_refused() {
    let zeros = vec![b' '; 20 * 1024 * 1024];
    let zip = zip([("users.json", b"[]".as_slice()), ("channels.json", b"[]"), ("orchard/2025-01-01.json", &zeros)]);
    let error = refused_archive(zip).await;
    assert!(matches!(error, ArchiveError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_entry_larger_than_its_directory_says_is_refused() {
    let zeros = vec![b' '; 500_000];
    let mut bytes = zip([("users.json", b"[]".as_slice()), ("channels.json", &zeros)]).into_inner();
    let entry = last_entry(&bytes);
    bytes[entry + 24..entry + 28].copy_from_slice(&10_u32.to_le_bytes());
    let error = refused_archive(Cursor::new(bytes)).await;
    assert!(matches!(error, ArchiveError::SizeMismatch(_) | ArchiveError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn entries_that_share_bytes_are_refused() {
    let mut bytes = zip([("users.json", b"[]".as_slice()), ("channels.json", b"[]"), ("groups.json", b"[]")]).into_inner();
    let entry = last_entry(&bytes);
    bytes[entry + 42..entry + 46].copy_from_slice(&0_u32.to_le_bytes());
    let error = refused_archive(Cursor::new(bytes)).await;
    assert!(matches!(error, ArchiveError::Overlapping | ArchiveError::NotAZip(_)), "{error}");
}

#[tokio::test]
async fn too_many_or_too_large_entries_are_refused() {
    let export = || Export::of_two().saying(&json!([message("U1", 1, "hello")])).zip();
    for limits in [
        Limits { entries_max: 2, ..Limits::default() },
        Limits { list_bytes_max: 10, ..Limits::default() },
        Limits { total_bytes_max: 100, ..Limits::default() },
    ] {
        let error = refused(export(), limits).await;
        assert!(matches!(error, ImportError::Archive(ArchiveError::TooManyEntries { .. } | ArchiveError::TooLarge { .. })), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_a_zip_or_not_an_export_is_refused() {
    for bytes in [b"".as_slice(), b"hello", b"PK\x03\x04 and then nothing", &[0; 4096]] {
        assert!(matches!(refused_archive(Cursor::new(bytes.to_vec())).await, ArchiveError::NotAZip(_)));
    }
    let whole = Export::of_two().zip().into_inner();
    assert!(matches!(refused_archive(Cursor::new(whole[..whole.len() - 30].to_vec())).await, ArchiveError::NotAZip(_)));
    assert!(matches!(refused(zip([("notes.txt", b"hello".as_slice())]), Limits::default()).await, ImportError::NotAnExport));
    assert!(matches!(refused(zip([("users.json", b"[]".as_slice())]), Limits::default()).await, ImportError::NotAnExport));
}

#[tokio::test]
async fn a_list_that_is_not_json_is_refused() {
    for text in ["", "{}", "nonsense", "[1,2", "[{]"] {
        let error = refused(Export::of_two().with_text("users.json", text).zip(), Limits::default()).await;
        assert!(matches!(error, ImportError::Json { .. }), "{text}: {error}");
    }
}

#[tokio::test]
async fn deep_json_does_not_exhaust_the_stack() {
    let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
    let blocks =
        format!(r#"[{{"user":"U1","ts":"1735689601.000100","text":"","blocks":{}1{}}}]"#, "[".repeat(100_000), "]".repeat(100_000));
    for text in [deep, blocks] {
        let export = Export::of_two().with_text("orchard/2025-01-01.json", &text);
        let memory = Memory::with_a_workspace(100);
        if let Ok(report) = export.import(&memory).await {
            assert_eq!(report.messages.in_file, 1);
        }
    }
}
