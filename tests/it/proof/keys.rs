//! The keys of the proof: created once, sealed, rotated, or given in a file.

use domain::InstallationCommand;
use domain::installation::KeyChange;
use keyring::MasterKey;
use ledger::proof::keyring::{KeyError, published, rotate};
use ledger::proof::trust::{NewTrustError, begin_new_trust};
use ledger::proof::{KeySource, SealingKeys, Signing};
use processes::replays::by_the_server;
use tests::{TestApp, eventually};

use super::world::{ORIGIN, World};

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
    world.keys.sealing = SealingKeys::new(&MasterKey::from([8; 32]), None);
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
async fn the_log_records_the_first_key_and_a_new_key_in_the_file_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("proof.key");
    std::fs::write(&path, FILE_KEY).expect("a file");
    let mut app = TestApp::start_with(&[("BACKSCROLL_PROOF_KEY_FILE", path.to_str().expect("a path"))]).await;
    app.sign_up("ann").await;
    let noted = "SELECT payload #>> '{installation.proof_key_rotated,vkey}' FROM events
                 WHERE event_type = 'installation.proof_key_rotated' ORDER BY position";
    let noted = async |app: &TestApp| sqlx::query_scalar::<_, String>(noted).fetch_all(&app.app().pool).await.expect("the log");
    eventually("the log records the first key", async || !noted(&app).await.is_empty()).await;
    app.stop().await;
    std::fs::write(&path, OTHER_FILE_KEY).expect("a file");
    app.start_again().await;
    eventually("the log records the new key", async || noted(&app).await.len() > 1).await;
    let keys = app.app().proofs.keys().await.expect("keys").into_iter().map(|key| key.vkey).collect::<Vec<_>>();
    assert_eq!(keys[0], FILE_VKEY);
    assert_eq!(noted(&app).await, keys);
    // A second command for the same key, or a restart, records nothing.
    let once_more = InstallationCommand::NoteKeyRotation { vkey: keys[1].clone(), change: KeyChange::Rotation };
    app.app().commands.installation(&by_the_server(None), once_more).await.expect("the key is already recorded");
    assert_eq!(noted(&app).await, keys);
}

/// Waits until the consumer refuses for a reason with this text, and checks that it signs nothing.
async fn expect_a_reason(world: &World, with: &str) {
    let signing = || world.stats.signing();
    eventually(with, async || matches!(signing(), Signing::Refuses(reason) if reason.contains(with))).await;
}

async fn publish_nothing(world: &World) {
    world.tamper("TRUNCATE proof.keys, proof.checkpoints, proof.tiles, proof.deliveries, secret.proof_keys").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_signed_before_gets_no_new_key_by_itself() {
    let mut world = World::signed().await;
    let old = published(world.pool()).await.expect("keys")[0].vkey.clone();
    world.stop().await;
    publish_nothing(&world).await;
    // The log records its key.
    let note = InstallationCommand::NoteKeyRotation { vkey: old.clone(), change: KeyChange::First };
    world.writing.commands.installation(&by_the_server(None), note).await.expect("an event");
    world.start();
    expect_a_reason(&world, &format!("the log records that {old} signs it, and proof.keys is empty")).await;
    assert_eq!((world.size().await, published(world.pool()).await.expect("keys")), (0, vec![]));
    let begun = begin_new_trust(world.pool(), &world.keys).await.expect("a decision");
    assert_eq!(begun.heads_removed, 0);
    world.settle().await;
    assert_eq!(world.findings(&[]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_an_earlier_release_that_lost_its_key_is_not_taken_for_a_new_one() {
    let mut world = World::unsigned().await;
    world.tamper("UPDATE signing_keys_recorded SET since = now() + interval '2 hours'").await;
    world.start();
    expect_a_reason(&world, "before this database had signing keys, and proof.keys is empty").await;
    // The clocks of the server and of Postgres may differ.
    world.stop().await;
    world.tamper("UPDATE signing_keys_recorded SET since = now() + interval '10 minutes'").await;
    world.start();
    world.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_private_key_is_replaced_by_a_decision_only_and_the_heads_stay() {
    let mut world = World::signed().await;
    let before = world.head().await;
    let refused = begin_new_trust(world.pool(), &world.keys).await;
    assert!(matches!(refused, Err(NewTrustError::NotNeeded)), "{refused:?}");
    world.stop().await;
    world.tamper("DELETE FROM secret.proof_keys").await;
    world.post("unsigned").await;
    world.start();
    expect_a_reason(&world, "is not in the database: restore the table secret.proof_keys from the backup").await;
    assert!(matches!(rotate(world.pool(), &world.keys).await, Err(KeyError::Missing(_))));
    let begun = begin_new_trust(world.pool(), &world.keys).await.expect("a decision");
    assert_eq!(begun.heads_removed, 0);
    world.settle().await;
    let after = world.head().await;
    after.verify(&[begun.vkey.parse().expect("a key")]).expect("the new key signs");
    assert_eq!(world.findings(&[before, after]).await, [], "the heads of the old key still verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_end_before_what_was_signed_are_not_continued() {
    let mut world = World::signed().await;
    world.post("more").await;
    world.settle().await;
    rotate(world.pool(), &world.keys).await.expect("a new key");
    world.post("after the rotation").await;
    world.settle().await;
    eventually("the old key is retired", async || published(world.pool()).await.expect("keys")[0].retired_at.is_some()).await;
    world.stop().await;
    // The heads of an older backup.
    world.tamper("DELETE FROM proof.checkpoints WHERE size >= (SELECT max(first_size) FROM proof.keys)").await;
    let size = world.size().await;
    assert!(size > 0);
    world.start();
    expect_a_reason(&world, "Restore the schema proof from the backup of the same moment as the log").await;
    assert_eq!(world.size().await, size);
    let begun = begin_new_trust(world.pool(), &world.keys).await.expect("a decision");
    assert!(begun.heads_removed > 0);
    world.stop().await;
    world.start();
    world.settle().await;
    assert_eq!(world.findings(&[]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_does_not_hide_a_log_that_contradicts_its_heads() {
    let mut world = World::signed().await;
    world.stop().await;
    world.tamper("UPDATE proof.tiles SET hashes = overlay(hashes PLACING '\\x00' FROM 40)").await;
    let refused = begin_new_trust(world.pool(), &world.keys).await;
    assert!(matches!(refused, Err(NewTrustError::Contradicted(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_the_log_is_fixed_with_its_first_head() {
    const INVALID: &str = "backscroll.invalid/v1/proof";
    let mut world = World::unsigned().await;
    let origin = world.keys.origin.take();
    world.start();
    eventually("the consumer waits for a name", async || world.stats.signing() == Signing::WaitsForName).await;
    assert_eq!(published(world.pool()).await.expect("keys"), []);
    // An earlier release made a key at its first start, and has signed nothing with it.
    world.stop().await;
    rotate(world.pool(), &KeySource { origin: Some(INVALID.into()), ..world.keys.clone() }).await.expect("a key");
    world.start();
    eventually("the consumer waits for a name", async || world.stats.signing() == Signing::WaitsForName).await;
    world.stop().await;
    world.keys.origin = origin;
    world.start();
    world.settle().await;
    let head = world.head().await.checkpoint;
    assert_eq!(head.origin, ORIGIN);
    // From now on another name changes nothing, and no name is needed.
    for other in [Some("other.example.org/v1/proof".to_owned()), None] {
        world.stop().await;
        world.keys.origin = other;
        world.post("goes on").await;
        world.start();
        world.settle().await;
        assert_eq!(world.head().await.checkpoint.origin, ORIGIN);
    }
    assert_eq!(published(world.pool()).await.expect("keys").len(), 1);
}
