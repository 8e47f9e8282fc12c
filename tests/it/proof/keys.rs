//! The keys: made once, sealed, handed over, or given in a file.

use projections::proof::KeySource;
use projections::proof::keyring::{KeyError, published, rotate};
use tests::eventually;

use super::world::World;

/// A key as Go's `note` writes it: of its documentation, and known to everybody.
const FILE_KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n";
const FILE_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_once_and_never_stored_openly() {
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
    // Under another master key it does not open, and nothing is signed.
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
async fn a_key_that_hands_over_signs_once_with_the_new_one_and_what_it_signed_still_verifies() {
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
        handed_over.verify(std::slice::from_ref(key)).expect("both have signed the head in between");
    }
    world.post("after it").await;
    world.settle().await;
    let after = world.head().await;
    after.verify(std::slice::from_ref(&new)).expect("the new one signs");
    after.verify(std::slice::from_ref(&old)).expect_err("the old one does not");
    before.verify(std::slice::from_ref(&old)).expect("what it signed holds");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM secret.proof_keys").fetch_one(world.pool()).await.expect("keys");
    assert_eq!(left, 1, "the old private key is gone");
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
    world.head().await.verify(&[FILE_VKEY.parse().expect("a key")]).expect("signed with it");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM secret.proof_keys").fetch_one(world.pool()).await.expect("keys");
    assert_eq!(left, 0);
    assert!(matches!(rotate(world.pool(), &world.keys).await, Err(KeyError::InFile)));
    // A file that has no key: nothing is signed until it has one.
    world.stop().await;
    std::fs::write(&path, "nonsense").expect("a file");
    let last = world.post("waits").await;
    world.start();
    world.expect_a_failure().await;
    assert!(world.size().await < last);
    std::fs::write(&path, FILE_KEY).expect("a file");
    world.settle().await;
}
