//! Signed heads: every event is signed within a second, by one process, across restarts. No two heads contradict each
//! other.

use std::sync::atomic::Ordering;

use ledger::proof::{ConsistencyProof, Proofs};
use tests::eventually;
use tlog_tiles::{Hash, check_tree};

use super::world::{ORIGIN, World};

fn hash(text: &str) -> Hash {
    Hash::parse_hash(text).expect("a hash")
}

fn holds(proof: &ConsistencyProof) -> bool {
    let path = proof.hashes.iter().map(|text| hash(text)).collect();
    check_tree(&path, proof.to, hash(&proof.to_root), proof.from, hash(&proof.from_root)).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_signed_and_every_head_extends_the_one_before() {
    let world = World::signed().await;
    let mut heads = vec![world.head().await.checkpoint];
    for n in 0..3 {
        world.post(&format!("more {n}")).await;
        world.settle().await;
        heads.push(world.head().await.checkpoint);
    }
    let proofs = Proofs::new(world.pool().clone());
    for pair in heads.windows(2) {
        let proof = proofs.consistency(pair[0].size, Some(pair[1].size)).await.expect("a proof");
        assert!(holds(&proof), "{pair:?}");
        assert_eq!((hash(&proof.from_root), hash(&proof.to_root)), (pair[0].root, pair[1].root), "the proof is for the signed heads");
        assert_eq!(pair[0].origin, ORIGIN);
    }
    let report = world.verify().await;
    assert_eq!(report.findings, [], "an unchanged log has no findings");
    assert_eq!(report.events, world.last().await.unsigned_abs());
    assert_eq!(report.signed, report.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_takes_over_continues_where_the_killed_one_was() {
    let mut world = World::signed().await;
    for round in 0..8 {
        for n in 0..20 {
            world.post(&format!("{round} {n}")).await;
        }
        // The kill comes at an arbitrary step.
        world.kill().await;
        world.start();
    }
    world.settle().await;
    assert_eq!(world.verify().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_consumers_signs() {
    let mut world = World::signed().await;
    let waiting = world.another();
    world.post("one").await;
    world.settle().await;
    assert_eq!(waiting.size.load(Ordering::Relaxed), 0, "a waiting consumer signs nothing");
    world.kill().await;
    let last = world.post("two").await;
    eventually("the waiting consumer takes over", async || waiting.size.load(Ordering::Relaxed) == last).await;
    assert_eq!(world.verify().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_head_is_signed_for_a_log_that_was_rewritten() {
    let mut world = World::signed().await;
    world.stop().await;
    let (signed, last) = (world.head().await, world.last().await);
    world
        .tamper(&format!(
            "UPDATE events SET payload = replace(payload::text, '\"sealed\":\"', '\"sealed\":\"0')::json WHERE position = {last}"
        ))
        .await;
    world.cover_up(last).await;
    world.post("goes on").await;
    world.start();
    world.expect_a_refusal().await;
    assert_eq!(world.head().await, signed, "the signed head stays, and no later head is signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_head_is_signed_for_a_log_that_was_truncated_and_then_grew_differently() {
    let mut world = World::signed().await;
    world.stop().await;
    let (signed, last) = (world.head().await, world.last().await);
    world.tamper(&format!("DELETE FROM events WHERE position > {}", last - 2)).await;
    world.start();
    world.expect_a_refusal().await;
    assert_eq!(world.head().await, signed);
    // A newly started server appends to the truncated log, as if nothing had happened.
    world.stop().await;
    let (_, anew) = crate::support::another_process(&world.writing.database).await;
    for n in 0..4 {
        let asked = crate::support::asked(world.team.owner);
        crate::support::post(&anew, &asked, world.team.general, &format!("instead {n}")).await.expect("a post");
    }
    world.start();
    world.expect_a_refusal().await;
    assert_eq!(world.head().await, signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_head_is_signed_on_top_of_changed_tiles_or_heads() {
    let changes = [
        "UPDATE proof.tiles SET hashes = overlay(hashes PLACING '\\x00' FROM 40)",
        "DELETE FROM proof.tiles",
        "DELETE FROM proof.checkpoints",
        "UPDATE proof.checkpoints SET note = replace(note, 'example', 'exampel')",
    ];
    for change in changes {
        let mut world = World::signed().await;
        world.stop().await;
        world.tamper(change).await;
        let before = world.size().await;
        world.post("goes on").await;
        world.start();
        world.expect_a_refusal().await;
        assert_eq!(world.size().await, before, "{change}");
        assert_ne!(world.verify().await.findings, [], "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_head_is_signed_on_top_of_one_that_another_process_stored_meanwhile() {
    let world = World::signed().await;
    let size = world.size().await;
    world.tamper(&format!("UPDATE proof.checkpoints SET note = replace(note, E'\\n{size}\\n', E'\\n{}\\n')", size - 1)).await;
    world.post("goes on").await;
    world.expect_a_refusal().await;
    assert_eq!(world.size().await, size);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_old_head_of_each_hour_and_the_first_head_of_each_key_stay() {
    let mut world = World::signed().await;
    let mut sizes = vec![world.size().await];
    for n in 0..5 {
        world.post(&format!("more {n}")).await;
        world.settle().await;
        sizes.push(world.size().await);
    }
    world.stop().await;
    // Three heads within one hour of the past, two within the next hour, and the newest one of now.
    world.tamper(&format!("UPDATE proof.checkpoints SET signed_at = '2026-01-01 10:00Z' WHERE size <= {}", sizes[2])).await;
    world.tamper(&format!("UPDATE proof.checkpoints SET signed_at = '2026-01-01 11:00Z' WHERE size IN ({}, {})", sizes[3], sizes[4])).await;
    world.start();
    let left = async || {
        let left = sqlx::query_scalar::<_, i64>("SELECT size FROM proof.checkpoints ORDER BY size").fetch_all(world.pool()).await;
        left.expect("the heads")
    };
    eventually("old heads are removed", async || left().await == [sizes[0], sizes[2], sizes[4], sizes[5]]).await;
    assert_eq!(world.verify().await.findings, []);
}
