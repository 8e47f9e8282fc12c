//! The keys of the proof: created once, sealed, rotated, or given in a file.

use domain::InstallationCommand;
use ledger::proof::KeySource;
use ledger::proof::keyring::{KeyError, published, rotate};
use processes::replays::by_the_server;
use tests::{TestApp, eventually};

use super::world::World;

/// A key as Go's `note` writes it. It is public: it comes from the documentation of `note`.
const FILE_KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n";
const FILE_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// A second public key with the same name: its seed is 32 times the byte 7.
const OTHER_FILE_KEY: &str = "PRIVATE+KEY+PeterNeumann+a05eaa3c+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_once_and_stored_sealed_only() {
    let mut world = World::signed().await;
    let keys = published(world.pool()).await.expect("keys");
    assert_eq!(keys.len(), 1);
    world.stop().await;
    world.start();
    world.post("again").await;
    world.settle().await;
    assert_eq!(published(world.pool()).await.expect("keys"), keys);
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM secret.proof_keys").fetch_one(world.pool()).await.expect("a key");
    assert_eq!(sealed.len(), 12 + 32 + 16);
    // With another master key the signing key cannot be unsealed, and nothing is signed.
    world.stop().await;
    let size = world.size().await;
    world.keys = KeySource { sealing_key: [8; 32], ..world.keys.clone() };
    world.post("unsigned").await;
    assert!(matches!(rotate(world.pool(), &KeySource { file: Some("x".into()), ..world.keys.clone() }).await, Err(KeyError::InFile)));
    world.start();
    world.expect_a_failure().await;
    assert_eq!(world.size().await, size);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_signs_once_together_with_the_new_one_and_its_signatures_still_verify() {
    let mut world = World::signed().await;
    let old = published(world.pool()).await.expect("keys")[0].vkey.clone();
    let before = world.head().await;
    let new = rotate(world.pool(), &world.keys).await.expect("a new key");
    eventually("the new key has signed", async || published(world.pool()).await.expect("keys")[0].retired_at.is_some()).await;
    let keys = published(world.pool()).await.expect("keys");
    assert_eq!(keys.iter().map(|key| key.vkey.as_str()).collect::<Vec<_>>(), [&old, &new]);
    assert_eq!(keys[0].last_size, keys[1].first_size);

    let (old, new) = (old.parse().expect("a key"), new.parse().expect("a key"));
    let handed_over = world.head().await;
    for key in [&old, &new] {
        handed_over.verify(std::slice::from_ref(key)).expect("both keys have signed the head of the rotation");
    }
    world.post("after it").await;
    world.settle().await;
    let after = world.head().await;
    after.verify(std::slice::from_ref(&new)).expect("the new key signs");
    after.verify(std::slice::from_ref(&old)).expect_err("the old key does not sign any more");
    before.verify(std::slice::from_ref(&old)).expect("the earlier signature of the old key is valid");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM secret.proof_keys").fetch_one(world.pool()).await.expect("keys");
    assert_eq!(left, 1, "the old private key is deleted");
    world.stop().await;
    world.start();
    world.post("after a restart").await;
    world.settle().await;
    assert_eq!(world.findings(&[before, handed_over, after]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_signs_and_is_not_in_the_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("proof.key");
    std::fs::write(&path, FILE_KEY).expect("a file");
    let mut world = World::unsigned().await;
    world.keys = KeySource { file: Some(path.clone()), ..world.keys.clone() };
    world.start();
    world.settle().await;
    world.head().await.verify(&[FILE_VKEY.parse().expect("a key")]).expect("the head is signed with this key");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM secret.proof_keys").fetch_one(world.pool()).await.expect("keys");
    assert_eq!(left, 0);
    assert!(matches!(rotate(world.pool(), &world.keys).await, Err(KeyError::InFile)));
    // If the file contains no key, nothing is signed until it contains one.
    world.stop().await;
    std::fs::write(&path, "nonsense").expect("a file");
    let last = world.post("waits").await;
    world.start();
    world.expect_a_failure().await;
    assert!(world.size().await < last);
    std::fs::write(&path, FILE_KEY).expect("a file");
    world.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_records_a_new_key_in_the_file_once_and_not_the_first_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("proof.key");
    std::fs::write(&path, FILE_KEY).expect("a file");
    let mut app = TestApp::start_with(&[("BACKSCROLL_PROOF_KEY_FILE", path.to_str().expect("a path"))]).await;
    app.sign_up("ann").await;
    eventually("the first head is signed", async || app.app().proofs.newest().await.expect("the heads").is_some()).await;
    app.stop().await;
    std::fs::write(&path, OTHER_FILE_KEY).expect("a file");
    app.start_again().await;
    let noted =
        "SELECT payload #>> '{installation.proof_key_rotated,vkey}' FROM events WHERE event_type = 'installation.proof_key_rotated'";
    let noted = async |app: &TestApp| sqlx::query_scalar::<_, String>(noted).fetch_all(&app.app().pool).await.expect("the log");
    eventually("the log records the new key", async || !noted(&app).await.is_empty()).await;
    let keys = app.app().proofs.keys().await.expect("keys").into_iter().map(|key| key.vkey).collect::<Vec<_>>();
    assert_eq!(keys[0], FILE_VKEY);
    assert_eq!(noted(&app).await, keys[1..]);
    // A second command for the same key, or a restart, records nothing.
    let once_more = InstallationCommand::NoteKeyRotation { vkey: keys[1].clone() };
    app.app().commands.installation(&by_the_server(None), once_more).await.expect("the key is already recorded");
    assert_eq!(noted(&app).await, keys[1..]);
}
