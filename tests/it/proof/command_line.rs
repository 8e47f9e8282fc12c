//! `backscroll audit verify | prove | rotate-key`: their output and their exit codes.

use std::process::{Command, Output};

use serde_json::Value;
use tests::objects::ObjectFolder;
use tests::servers::checkout;
use tests::{TestApp, eventually, program};

async fn backscroll(app: &TestApp, arguments: &[&str]) -> Output {
    program::output(arguments, &app.environment).await
}

async fn settle(app: &TestApp) {
    let last = app.app().commands.store().catch_up().await.expect("the head");
    eventually("every event is signed", async || app.app().proofs.newest().await.expect("the heads").is_some_and(|head| head.size >= last))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_verifies_a_log_prints_proofs_and_detects_a_change() {
    let app = TestApp::start().await;
    for name in ["ann", "ben", "cid"] {
        app.sign_up(name).await;
    }
    settle(&app).await;
    let verified = backscroll(&app, &["audit", "verify", "--json"]).await;
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let report: Value = serde_json::from_slice(&verified.stdout).expect("JSON");
    assert_eq!((&report["fits"], &report["events"]), (&Value::Bool(true), &report["signed"]), "{report}");
    let told = backscroll(&app, &["audit", "verify"]).await;
    assert!(String::from_utf8_lossy(&told.stdout).trim_end().ends_with("everything matches"), "{told:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let proof = backscroll(&app, &["audit", "prove", "2"]).await;
    std::fs::write(path("proof"), &proof.stdout).expect("a file");
    let vkey = app.app().proofs.keys().await.expect("keys")[0].vkey.clone();
    let checked =
        Command::new("python3").arg("-I").arg(checkout().join("docs/verify_proof.py")).args(["proof", &vkey, &path("proof")]).output();
    assert!(checked.expect("python3").status.success(), "the script accepts the printed proof: {proof:?}");
    assert_eq!(backscroll(&app, &["audit", "prove", "999999"]).await.status.code(), Some(4));

    let head = app.app().proofs.newest().await.expect("the heads").expect("a head");
    std::fs::write(path("heads"), format!("{}\n{}", head.note, head.note)).expect("a file");
    std::fs::write(path("nothing"), "nothing").expect("a file");
    let with = async |file: &str| backscroll(&app, &["audit", "verify", "--key", &vkey, "--checkpoint", &path(file)]).await.status.code();
    assert_eq!((with("heads").await, with("nothing").await, with("missing").await), (Some(0), Some(2), Some(2)));

    let change = "ALTER TABLE events DISABLE TRIGGER USER; UPDATE events SET metadata = '{}' WHERE position = 2; ALTER TABLE events ENABLE TRIGGER USER";
    sqlx::raw_sql(change).execute(&app.app().pool).await.expect("an administrator may do that");
    let found = backscroll(&app, &["audit", "verify", "--json"]).await;
    let report: Value = serde_json::from_slice(&found.stdout).expect("JSON");
    assert_eq!((found.status.code(), &report["first_position"], &report["findings"][0]["code"]), (Some(1), &2.into(), &"digest".into()));
    let told = backscroll(&app, &["audit", "verify"]).await;
    assert!(String::from_utf8_lossy(&told.stdout).contains("the first event that does not match is at position 2"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_rotates_the_key() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    settle(&app).await;
    let rotated = backscroll(&app, &["audit", "rotate-key"]).await;
    assert_eq!(rotated.status.code(), Some(0), "{rotated:?}");
    let new = String::from_utf8_lossy(&rotated.stdout).lines().last().expect("a key").to_owned();
    let noted =
        "SELECT payload #>> '{installation.proof_key_rotated,vkey}' FROM events WHERE event_type = 'installation.proof_key_rotated'";
    let noted = sqlx::query_scalar::<_, String>(noted).fetch_all(&app.app().pool).await.expect("the log");
    assert_eq!(noted, [new.as_str()], "the log records the new key");
    let keys = async || app.app().proofs.keys().await.expect("keys");
    eventually("the old key is retired", async || keys().await[0].retired_at.is_some()).await;
    let published = app.get("/v1/proof/keys").await.expect(200);
    assert_eq!((published["items"].as_array().map(Vec::len), &published["items"][1]["vkey"]), (Some(2), &new.into()));
    assert_eq!(backscroll(&app, &["audit", "verify"]).await.status.code(), Some(0), "signatures of the old key still verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_in_the_object_store_reveal_a_log_that_was_signed_again() {
    let (folder, environment) = (ObjectFolder::create(), ObjectFolder::environment());
    let mut changes = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>();
    changes.extend([("BACKSCROLL_PROOF_OBJECT_STORE_URL", folder.url.as_str()), ("BACKSCROLL_PROOF_SEND_SECONDS", "1")]);
    let mut app = TestApp::start_with(&changes).await;
    app.sign_up("ann").await;
    settle(&app).await;
    eventually("the first head is in the object store", async || !folder.texts().await.is_empty()).await;
    app.sign_up("ben").await;
    settle(&app).await;
    eventually("the next head is in the object store", async || folder.texts().await.len() > 1).await;
    let verify = async |app: &TestApp, place: &str| program::said(&backscroll(app, &["audit", "verify", "--checkpoint", place]).await);
    // The log records its first key after some seconds, and a head of that event may arrive meanwhile.
    let before = folder.texts().await.len();
    let (code, said) = verify(&app, &folder.url).await;
    let mut counts = before..=folder.texts().await.len();
    assert!(code == Some(0) && counts.any(|count| said.contains(&format!("{count} signed heads are from outside"))), "{said}");
    let last = folder.texts().await.into_keys().next_back().expect("a head");
    let (code, said) = verify(&app, &format!("{}/{last}", folder.url)).await;
    assert!(code == Some(0) && said.contains(" 1 signed heads are from outside"), "{said}");
    let (code, said) = verify(&app, &format!("{}/nothing", folder.url)).await;
    assert!(code == Some(2) && said.contains("/nothing has no signed head"), "{said}");
    let (code, said) = verify(&app, "s3://").await;
    assert!(code == Some(2) && said.contains("is not an address such as s3://bucket/folder"), "{said}");

    // An attacker with the database and the key removes the last event, and lets the server sign everything again.
    let pool = app.app().pool.clone();
    app.stop().await;
    let forge = "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position = (SELECT max(position) FROM events);
                 ALTER TABLE events ENABLE TRIGGER USER; DELETE FROM proof.checkpoints; DELETE FROM proof.tiles";
    sqlx::raw_sql(forge).execute(&pool).await.expect("an administrator may do that");
    let (code, said) = verify(&app, &folder.url).await;
    assert!(code == Some(1) && said.contains("the log differs from its signed heads"), "{said}");
}
