//! Months of the log as files: exported, verified without a server, and restored.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use chrono::{Datelike, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ledger::months::{ExportError, Manifest, Month, positions, restore, verify};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, query, query_scalar};
use tests::{TestApp, TestDatabase, eventually, program};

use crate::projections::{Fixture, Reading};
use crate::support::this_month;

async fn exported(fixture: &Fixture, folder: &Path) -> (Manifest, PathBuf) {
    this_month(&fixture.writing.pool, None, folder).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_restored_into_an_empty_database_gives_the_same_tables() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = exported(&fixture, folder.path()).await;
    let verified = verify(&path, |_| {}).expect("a valid month");
    assert_eq!((&verified.manifest, verified.erased), (&manifest, 0));
    assert!(manifest.events > 100 && manifest.first_position == 1, "{manifest:?}");

    let empty = TestDatabase::create().await;
    let pool = empty.pool(4).await;
    put_keys_back(&fixture.writing.pool, &pool).await;
    restore(&pool, &path).await.expect("a restore");
    let mut reading = Reading::of(&empty).await;
    reading.start_projector(None);
    let limit = std::time::Duration::from_secs(20);
    reading.progress.wait_for(projections::RELATIONAL, manifest.last_position, limit).await.expect("the projector keeps up");
    assert_eq!(reading.dump().await, fixture.reading.dump().await);

    match restore(&pool, &path).await {
        Err(ExportError::NotNext { head, first }) => assert_eq!((head, first), (manifest.last_position, 1)),
        other => panic!("a month was restored twice: {other:?}"),
    }
}

/// Copies the keys that seal personal data. They are in no file of the log; they have a separate backup.
pub async fn put_keys_back(from: &PgPool, to: &PgPool) {
    let keys = query_scalar::<_, serde_json::Value>("SELECT jsonb_agg(to_jsonb(k)) FROM secret.person_keys k")
        .fetch_one(from)
        .await
        .expect("the keys");
    let insert = query("INSERT INTO secret.person_keys SELECT * FROM jsonb_populate_recordset(NULL::secret.person_keys, $1)");
    insert.bind(keys).execute(to).await.expect("the keys are restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_not_over_or_has_no_events_is_not_exported() {
    let fixture = Fixture::without_projector().await;
    fixture.writing.workspace().await;
    let now = Utc::now();
    let this = format!("{:04}-{:02}", now.year(), now.month()).parse::<Month>().expect("a month");
    let refused = positions(&fixture.writing.pool, this, now).await;
    assert!(matches!(refused, Err(ExportError::NotClosed(_))), "{refused:?}");
    let long_ago = "2001-02".parse::<Month>().expect("a month");
    let empty = positions(&fixture.writing.pool, long_ago, now).await;
    assert!(matches!(empty, Err(ExportError::Empty(_))), "{empty:?}");
    assert!("2001-13".parse::<Month>().is_err());
}

/// Rewrites the file with changed lines, and writes a matching manifest.
fn rewritten(manifest: &Manifest, path: &Path, change: impl FnOnce(Vec<String>) -> Vec<String>) {
    let file = path.with_file_name(&manifest.file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(&file).expect("a file")).read_to_string(&mut text).expect("lines");
    let lines = change(text.lines().map(str::to_owned).collect());
    let mut bytes = GzEncoder::new(Vec::new(), Compression::default());
    bytes.write_all((lines.join("\n") + "\n").as_bytes()).expect("bytes");
    let bytes = bytes.finish().expect("bytes");
    let sha256 = hex::encode(Sha256::digest(&bytes));
    std::fs::write(&file, bytes).expect("a file");
    let manifest = Manifest { sha256, ..manifest.clone() };
    std::fs::write(path, serde_json::to_string(&manifest).expect("JSON")).expect("a file");
}

fn what_is_wrong(path: &Path) -> String {
    match verify(path, |_| {}) {
        Err(ExportError::Wrong { what, .. }) => what,
        other => panic!("the change was not found: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_month_is_reported_at_the_first_event_that_differs() {
    let fixture = Fixture::without_projector().await;
    fixture.writing.workspace().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = exported(&fixture, folder.path()).await;
    rewritten(&manifest, &path, |lines| lines.into_iter().enumerate().map(|(n, line)| change_one(n, &line)).collect());
    assert_eq!(what_is_wrong(&path), "event 3 does not have its digest");

    let (manifest, path) = exported(&fixture, folder.path()).await;
    rewritten(&manifest, &path, |mut lines| {
        lines.remove(1);
        lines
    });
    assert_eq!(what_is_wrong(&path), "event 2 is missing");

    let (manifest, path) = exported(&fixture, folder.path()).await;
    rewritten(&manifest, &path, |mut lines| {
        lines.pop();
        lines
    });
    assert_eq!(what_is_wrong(&path), format!("event {} is missing", manifest.last_position));

    let (manifest, path) = exported(&fixture, folder.path()).await;
    std::fs::write(path.with_file_name(&manifest.file), b"something else").expect("a file");
    assert_eq!(what_is_wrong(&path), "it is not the file that the manifest was written for");
}

/// Changes the event type in the third line.
fn change_one(n: usize, line: &str) -> String {
    if n == 2 { line.replacen("\"sequence\":", "\"sequence\":1", 1) } else { line.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_has_a_signed_head_of_its_events() {
    let app = TestApp::start().await;
    app.sign_up("somebody").await;
    let (proofs, last) = (&app.app().proofs, app.app().commands.store().catch_up().await.expect("the head"));
    eventually("everything is signed", async || proofs.newest().await.expect("heads").is_some_and(|head| head.size >= last)).await;
    let head = proofs.within(1..=last).await.expect("heads").expect("a head").note;
    let vkey = proofs.keys().await.expect("keys")[0].vkey.clone();
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = this_month(&app.app().pool, Some(head.clone()), folder.path()).await;

    let verified = async |key: &str| {
        let arguments = ["log", "verify-export", path.to_str().expect("a path"), "--key", key];
        program::said(&program::output(&arguments, &std::collections::BTreeMap::new()).await)
    };
    let (code, said) = verified(&vkey).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("the head of size {last} matches, and its signature is valid")), "{said}");
    let other = ledger::proof::note::SigningKey::from_seed("chat.example.org/v1/proof", &[7; 32]).expect("a key");
    let (code, said) = verified(&other.verifying().to_string()).await;
    assert!(code == Some(4) && said.contains("not signed with a known key"), "{said}");

    let with_line = |place: usize, text: &str| {
        head.lines().enumerate().map(|(n, line)| format!("{}\n", if n == place { text } else { line })).collect()
    };
    for (place, text, part) in [
        (2, "A".repeat(43) + "=", "has another root than these events"),
        (1, "999999".into(), "the head of size 999999 ends in another month"),
    ] {
        let forged = Manifest { checkpoint: Some(with_line(place, &text)), ..manifest.clone() };
        std::fs::write(&path, serde_json::to_string(&forged).expect("JSON")).expect("a file");
        let (code, said) = verified(&vkey).await;
        assert!(code == Some(4) && said.contains(part), "{said}");
    }
}
