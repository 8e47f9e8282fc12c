//! Months of the log as files: written, checked without a server, and put back.

use std::io::{Read, Write};
use std::path::Path;

use chrono::{Datelike, TimeDelta, Utc};
use commands::log_export::{ExportError, Manifest, Month, export, restore, verify};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use sqlx::{PgPool, query, query_scalar};
use tests::TestDatabase;

use crate::projections::{House, Reading};

/// The month in which the test runs, as if it were over.
async fn exported(house: &House, folder: &Path) -> (Manifest, std::path::PathBuf) {
    let now = Utc::now();
    let month = format!("{:04}-{:02}", now.year(), now.month()).parse::<Month>().expect("a month");
    export(&house.writing.pool, month, folder, now + TimeDelta::days(40)).await.expect("a month")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_restored_into_an_empty_database_makes_the_same_tables() {
    let house = House::start().await;
    house.busy().await;
    house.settle().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = exported(&house, folder.path()).await;
    let verified = verify(&path).expect("a month that fits");
    assert_eq!((&verified.manifest, verified.erased), (&manifest, 0));
    assert!(manifest.events > 100 && manifest.first_position == 1, "{manifest:?}");

    let empty = TestDatabase::create().await;
    let pool = empty.pool(4).await;
    put_keys_back(&house.writing.pool, &pool).await;
    restore(&pool, &path).await.expect("a restore");
    let mut reading = Reading::of(&empty).await;
    reading.start_projector(None);
    let limit = std::time::Duration::from_secs(20);
    reading.progress.wait_for(projections::RELATIONAL, manifest.last_position, limit).await.expect("the projector keeps up");
    assert_eq!(reading.dump().await, house.reading.dump().await);

    match restore(&pool, &path).await {
        Err(ExportError::NotNext { head, first }) => assert_eq!((head, first), (manifest.last_position, 1)),
        other => panic!("a month was restored twice: {other:?}"),
    }
}

/// The keys that seal what is personal are in no file of the log: they have a backup of their own.
pub async fn put_keys_back(from: &PgPool, to: &PgPool) {
    let keys = query_scalar::<_, serde_json::Value>("SELECT jsonb_agg(to_jsonb(k)) FROM secret.person_keys k")
        .fetch_one(from)
        .await
        .expect("the keys");
    let insert = query("INSERT INTO secret.person_keys SELECT * FROM jsonb_populate_recordset(NULL::secret.person_keys, $1)");
    insert.bind(keys).execute(to).await.expect("the keys are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_not_over_or_in_which_nothing_happened_is_not_exported() {
    let house = House::without_projector().await;
    house.writing.workspace().await;
    let folder = tempfile::tempdir().expect("a folder");
    let now = Utc::now();
    let this = format!("{:04}-{:02}", now.year(), now.month()).parse::<Month>().expect("a month");
    let refused = export(&house.writing.pool, this, folder.path(), now).await;
    assert!(matches!(refused, Err(ExportError::NotClosed(_))), "{refused:?}");
    let long_ago = "2001-02".parse::<Month>().expect("a month");
    let empty = export(&house.writing.pool, long_ago, folder.path(), now).await;
    assert!(matches!(empty, Err(ExportError::Empty(_))), "{empty:?}");
    assert!("2001-13".parse::<Month>().is_err());
}

/// The lines of the file, changed, with a manifest that fits them.
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
    match verify(path) {
        Err(ExportError::Wrong { what, .. }) => what,
        other => panic!("it was not found: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_somebody_changed_is_found_at_the_first_event_that_does_not_fit() {
    let house = House::without_projector().await;
    house.writing.workspace().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = exported(&house, folder.path()).await;
    rewritten(&manifest, &path, |lines| lines.into_iter().enumerate().map(|(n, line)| change_one(n, &line)).collect());
    assert_eq!(what_is_wrong(&path), "event 3 is not what its digest is of");

    let (manifest, path) = exported(&house, folder.path()).await;
    rewritten(&manifest, &path, |mut lines| {
        lines.remove(1);
        lines
    });
    assert_eq!(what_is_wrong(&path), "event 2 is missing");

    let (manifest, path) = exported(&house, folder.path()).await;
    rewritten(&manifest, &path, |mut lines| {
        lines.pop();
        lines
    });
    assert_eq!(what_is_wrong(&path), format!("event {} is missing", manifest.last_position));

    let (manifest, path) = exported(&house, folder.path()).await;
    std::fs::write(path.with_file_name(&manifest.file), b"something else").expect("a file");
    assert_eq!(what_is_wrong(&path), "it is not the file that the manifest was written for");
}

/// Another event type in the third line.
fn change_one(n: usize, line: &str) -> String {
    if n == 2 { line.replacen("\"sequence\":", "\"sequence\":1", 1) } else { line.to_owned() }
}
