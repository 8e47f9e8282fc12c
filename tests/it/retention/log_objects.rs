//! Months of the log in the object store: the binary exports, verifies and restores them there.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use chrono::{DateTime, Months, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ledger::months::Manifest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stores::log::event_digest;
use tests::objects::ObjectFolder;
use tests::place::Place;
use tests::tls::{self, Certificates};
use tests::{program, servers};

use crate::projections::Fixture;
use crate::support::this_month;

/// The size of a part of an upload, in bytes.
const PIECE_BYTES: usize = 10 * 1024 * 1024;

/// Random bytes that stay larger than a part after compression.
const PADDING_BYTES: usize = 24 * 1024 * 1024;

/// The exit code of the binary, and its output.
async fn backscroll(arguments: &str, environment: &BTreeMap<String, String>) -> (Option<i32>, String) {
    program::said(&program::output(&arguments.split(' ').collect::<Vec<_>>(), environment).await)
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

/// The line with a time one year earlier.
fn a_year_before(line: &str) -> Value {
    let mut line: Value = serde_json::from_str(line).expect("a line");
    let recorded_at: DateTime<Utc> = serde_json::from_value(line["recorded_at"].clone()).expect("a moment");
    line["recorded_at"] = json!(recorded_at.checked_sub_months(Months::new(12)).expect("a year before"));
    line
}

/// The line with its correct digest.
fn with_its_digest(mut line: Value) -> String {
    let digest = event_digest(
        line["position"].as_i64().expect("a position"),
        text(&line, "aggregate_type"),
        text(&line, "aggregate_id"),
        line["sequence"].as_i64().expect("a sequence"),
        text(&line, "event_type"),
        text(&line, "event_version"),
        text(&line, "payload"),
        text(&line, "metadata"),
        text(&line, "event_id").parse().expect("an identifier"),
        text(&line, "workspace_id").parse().ok(),
        serde_json::from_value(line["recorded_at"].clone()).expect("a moment"),
    );
    line["digest"] = json!(hex::encode(digest));
    line.to_string()
}

/// A large month that is over, in the object store. Returns its manifest and the manifest's address.
async fn old_month(folder: &ObjectFolder) -> (Manifest, String) {
    let fixture = Fixture::without_projector().await;
    fixture.writing.workspace().await;
    let here = tempfile::tempdir().expect("a folder");
    let (manifest, path) = this_month(&fixture.writing.pool, None, here.path()).await;
    let mut lines = String::new();
    GzDecoder::new(std::fs::File::open(path.with_file_name(&manifest.file)).expect("a file")).read_to_string(&mut lines).expect("lines");
    let mut lines = lines.lines().map(a_year_before).collect::<Vec<_>>();
    let noise = (0..PADDING_BYTES / 64).map(|n| hex::encode(Sha256::digest(n.to_le_bytes()))).collect::<String>();
    let mut payload: Value = serde_json::from_str(text(&lines[0], "payload")).expect("a payload");
    payload["noise"] = json!(noise);
    lines[0]["payload"] = json!(payload.to_string());

    let month = text(&lines[0], "recorded_at")[..7].to_owned();
    let mut bytes = GzEncoder::new(Vec::new(), Compression::fast());
    for line in lines {
        writeln!(bytes, "{}", with_its_digest(line)).expect("a line");
    }
    let bytes = bytes.finish().expect("bytes");
    assert!(bytes.len() > PIECE_BYTES, "the file is uploaded in parts");
    let manifest = Manifest { month, sha256: hex::encode(Sha256::digest(&bytes)), ..manifest };
    folder.put(&manifest.file, bytes).await;
    folder.put("old.manifest.json", serde_json::to_vec(&manifest).expect("JSON")).await;
    (manifest, format!("{}/old.manifest.json", folder.url))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_exported_to_the_object_store_verified_there_and_restored() {
    let folder = ObjectFolder::create();
    let (old, url) = old_month(&folder).await;
    let mut place = Place::create(&[]).await;
    place.environment.extend(ObjectFolder::environment());
    let (code, said) = backscroll(&format!("log restore {url}"), &place.environment).await;
    assert!(code == Some(0) && said.contains(&format!("{} events of {} are restored", old.events, old.month)), "{said}");

    let to = format!("{}/again", folder.url);
    let again = format!("{to}/log-{}.manifest.json", old.month);
    let (code, said) = backscroll(&format!("log export --month {} --to {to}", old.month), &place.environment).await;
    assert!(code == Some(0) && said.contains(&format!("{} events of {} are in {again}", old.events, old.month)), "{said}");
    let manifest: Manifest = serde_json::from_str(&folder.texts().await[&format!("log-{}.manifest.json", old.month)]).expect("a manifest");
    assert_eq!((manifest.events, manifest.first_position, &manifest.month), (old.events, 1, &old.month));

    // Verification needs nothing but the object store.
    let (code, said) = backscroll(&format!("log verify-export {again}"), &ObjectFolder::environment()).await;
    assert!(code == Some(0) && said.contains(&format!("{}: {} events, positions 1 to", old.month, old.events)), "{said}");
    let events = folder.path.clone().join("again").join(manifest.file);
    object_store::ObjectStoreExt::put(&folder.bucket, &events, "something else".into()).await.expect("the object store accepts the object");
    let (code, said) = backscroll(&format!("log verify-export {again}"), &ObjectFolder::environment()).await;
    assert!(
        code == Some(4) && said.contains(&format!("s3://tests/{events}: it is not the file that the manifest was written for")),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_object_store_is_reported_with_the_address() {
    let (folder, right) = (ObjectFolder::create(), ObjectFolder::environment());
    folder.put("no.manifest.json", b"{}".to_vec()).await;
    let with = |name: &str, value: &str| {
        let mut changed = right.clone();
        changed.insert(name.to_owned(), value.to_owned());
        changed
    };
    let url = |name: &str| format!("{}/{name}", folder.url);
    for (environment, at, code, part) in [
        (right.clone(), url("nothing"), 1, format!("{} cannot be used", url("nothing"))),
        (right.clone(), url("no.manifest.json"), 4, format!("{}: it is not a manifest", url("no.manifest.json"))),
        (right.clone(), "s3://tests".into(), 2, "s3://tests is not the address of a manifest".into()),
        (right.clone(), "s3://tests//x".into(), 2, "is not an address such as s3://bucket/folder".into()),
        (with("BACKSCROLL_OBJECT_STORE_SECRET_KEY", "wrong"), url("nothing"), 2, "cannot be used".into()),
        (with("BACKSCROLL_OBJECT_STORE_URL", "http://127.0.0.1:9"), url("nothing"), 3, "cannot be used".into()),
        (
            with("BACKSCROLL_OBJECT_STORE_URL", "here"),
            url("nothing"),
            2,
            "object_store_url (BACKSCROLL_OBJECT_STORE_URL) is invalid".into(),
        ),
        (
            with("BACKSCROLL_OBJECT_STORE_CA_FILE", "/nowhere"),
            url("nothing"),
            2,
            "the file /nowhere cannot be used (object_store_ca_file)".into(),
        ),
    ] {
        let (ended, said) = backscroll(&format!("log verify-export {at}"), &environment).await;
        assert!(ended == Some(code) && said.contains(&part), "{at}: {ended:?} {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_with_tls_is_trusted_for_its_authority_only() {
    let folder = ObjectFolder::create();
    let (_, url) = old_month(&folder).await;
    let certificates = Certificates::sign().expect("certificates");
    let behind = servers::address("BACKSCROLL_OBJECT_STORE_URL").trim_start_matches("http://").to_owned();
    let mut environment = ObjectFolder::environment();
    environment.insert("BACKSCROLL_OBJECT_STORE_URL".into(), tls::serve(&certificates, behind).await);
    let (code, said) = backscroll(&format!("log verify-export {url}"), &environment).await;
    assert!(code == Some(3) && said.to_lowercase().contains("certificate"), "{code:?} {said}");

    let here = tempfile::tempdir().expect("a folder");
    let authority = here.path().join("ca.pem");
    std::fs::write(&authority, &certificates.authority).expect("a file");
    environment.insert("BACKSCROLL_OBJECT_STORE_CA_FILE".into(), authority.display().to_string());
    let (code, said) = backscroll(&format!("log verify-export {url}"), &environment).await;
    assert_eq!(code, Some(0), "{said}");
}
