//! Changes that an administrator of the database can make to the log, and how verification detects them.

use ledger::proof::verify::Options;

use super::world::World;

/// The positions of messages in a new world: the last six.
async fn messages(world: &World) -> Vec<i64> {
    let last = world.last().await;
    (last - 5..=last).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_payload_is_reported() {
    let mut world = World::signed().await;
    world.stop().await;
    let changed = messages(&world).await[2];
    world
        .tamper(&format!("UPDATE events SET payload = replace(payload::text, 'message', 'massage')::json WHERE position = {changed}"))
        .await;
    assert_eq!(world.findings(&[]).await, [("digest", Some(changed))]);
    world.cover_up(changed).await;
    assert_eq!(world.findings(&[]).await, [("leaf", Some(changed))], "the leaf differs even if the digest was changed too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_any_column_is_reported() {
    let mut world = World::signed().await;
    world.stop().await;
    let changed = messages(&world).await[3];
    for (column, value) in [
        ("metadata", "'{}'"),
        ("event_type", "'message.edited'"),
        ("event_version", "'9'"),
        ("aggregate_type", "'channel'"),
        ("event_id", "gen_random_uuid()"),
        ("workspace_id", "NULL"),
        ("digest", "sha256('x')"),
        ("recorded_at", "recorded_at + interval '1 us'"),
    ] {
        world.tamper(&format!("CREATE TABLE kept AS SELECT * FROM events WHERE position = {changed}")).await;
        world.tamper(&format!("UPDATE events SET {column} = {value} WHERE position = {changed}")).await;
        let findings = world.findings(&[]).await;
        assert_eq!(findings.first().map(|(_, position)| *position), Some(Some(changed)), "{column}: {findings:?}");
        world
            .tamper(&format!("DELETE FROM events WHERE position = {changed}; INSERT INTO events SELECT * FROM kept; DROP TABLE kept"))
            .await;
        assert_eq!(world.findings(&[]).await, [], "{column} with its old value");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_swapped_events_are_reported() {
    let mut world = World::signed().await;
    world.stop().await;
    let places = messages(&world).await;
    let (one, other) = (places[1], places[4]);
    world
        .tamper(&format!(
            "UPDATE events SET position = -1 WHERE position = {one};
             UPDATE events SET position = {one} WHERE position = {other};
             UPDATE events SET position = {other} WHERE position = -1"
        ))
        .await;
    let findings = world.findings(&[]).await;
    assert_eq!(findings[0].1, Some(one), "{findings:?}");
    world.cover_up(one).await;
    world.cover_up(other).await;
    let findings = world.findings(&[]).await;
    assert!(findings.contains(&("leaf", Some(one))) && findings.contains(&("leaf", Some(other))), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_event_is_reported_as_a_gap() {
    let mut world = World::signed().await;
    world.stop().await;
    let gone = messages(&world).await[2];
    world.tamper(&format!("DELETE FROM events WHERE position = {gone}")).await;
    assert_eq!(world.findings(&[]).await[0], ("gap", Some(gone)));
    // The later events move up.
    world.tamper(&format!("UPDATE events SET position = -position WHERE position > {gone}")).await;
    world.tamper("UPDATE events SET position = -position - 1 WHERE position < 0").await;
    assert_eq!(world.findings(&[]).await[0].1, Some(gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_last_events_are_reported() {
    let mut world = World::signed().await;
    world.stop().await;
    let last = world.last().await;
    world.tamper(&format!("DELETE FROM events WHERE position > {}", last - 2)).await;
    assert_eq!(world.findings(&[]).await, [("log_shorter", Some(last - 1))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_a_stream_and_a_decreasing_time_are_reported() {
    let mut world = World::signed().await;
    world.stop().await;
    let changed = messages(&world).await[2];
    world.tamper(&format!("UPDATE events SET sequence = 2 WHERE position = {changed}")).await;
    assert!(world.findings(&[]).await.contains(&("sequence", Some(changed))));
    world.tamper(&format!("UPDATE events SET sequence = 1, recorded_at = recorded_at - interval '1 day' WHERE position = {changed}")).await;
    assert!(world.findings(&[]).await.contains(&("recorded_at", Some(changed))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_kept_outside_reveals_a_log_that_was_rewritten_and_signed_with_the_stolen_key() {
    let mut world = World::signed().await;
    let early = world.head().await;
    for n in 0..3 {
        world.post(&format!("later {n}")).await;
    }
    world.settle().await;
    world.stop().await;
    let late = world.head().await;
    let changed = world.last().await - 1;
    world
        .tamper(&format!(
            "UPDATE events SET payload = replace(payload::text, '\"sealed\":\"', '\"sealed\":\"0')::json WHERE position = {changed}"
        ))
        .await;
    world.cover_up(changed).await;
    // The attacker deletes the tree and the heads, and makes new ones with the same key.
    world.tamper("DELETE FROM proof.tiles; DELETE FROM proof.checkpoints; UPDATE proof.keys SET first_size = NULL").await;
    world.start();
    world.settle().await;
    world.stop().await;
    assert_eq!(world.findings(&[]).await, [], "the database alone shows no difference");
    assert_eq!(world.findings(std::slice::from_ref(&early)).await, [], "the events before the change are the same");
    let behind_the_early_one = i64::try_from(early.checkpoint.size).expect("small") + 1;
    assert_eq!(world.findings(&[early, late]).await, [("head", Some(behind_the_early_one))], "the change is after the early head");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_kept_outside_reveals_a_log_that_was_restored_to_an_older_state() {
    let mut world = World::signed().await;
    world.stop().await;
    sqlx::raw_sql(
        "CREATE SCHEMA stolen; CREATE TABLE stolen.tiles AS TABLE proof.tiles; CREATE TABLE stolen.heads AS TABLE proof.checkpoints",
    )
    .execute(world.pool())
    .await
    .expect("a copy");
    let stolen = world.last().await;
    world.start();
    for n in 0..3 {
        world.post(&format!("to be denied {n}")).await;
    }
    world.settle().await;
    world.stop().await;
    let outside = world.head().await;
    world
        .tamper(&format!(
            "DELETE FROM events WHERE position > {stolen}; DELETE FROM proof.tiles; DELETE FROM proof.checkpoints;
             INSERT INTO proof.tiles SELECT * FROM stolen.tiles; INSERT INTO proof.checkpoints SELECT * FROM stolen.heads"
        ))
        .await;
    assert_eq!(world.findings(&[]).await, [], "an older state is consistent in itself");
    assert_eq!(world.findings(std::slice::from_ref(&outside)).await, [("log_shorter", Some(stolen + 1))]);
    let (_, anew) = crate::support::another_process(&world.writing.database).await;
    for n in 0..5 {
        let asked = crate::support::asked(world.team.owner);
        crate::support::post(&anew, &asked, world.team.general, &format!("instead {n}")).await.expect("a post");
    }
    world.start();
    world.settle().await;
    world.stop().await;
    assert_eq!(world.findings(&[]).await, []);
    assert_eq!(world.findings(std::slice::from_ref(&outside)).await, [("head", Some(1))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_another_log_or_of_an_unknown_key_is_reported() {
    let (mut one, mut other) = (World::signed().await, World::signed().await);
    one.stop().await;
    other.stop().await;
    let foreign = other.head().await;
    let findings = one.findings(&[foreign]).await.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert!(findings.contains(&"signature") && findings.contains(&"head"), "{findings:?}");
    // An auditor who keeps the key outside does not trust the key in the database.
    let key = ledger::proof::keyring::published(other.pool()).await.expect("keys")[0].vkey.parse().expect("a key");
    let report = one.verify_with(Options { keys: vec![key], ..Options::default() }).await;
    assert_eq!(report.findings.iter().map(|finding| finding.code()).collect::<Vec<_>>(), ["signature"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_without_a_purge_event_that_is_marked_as_purged_is_reported() {
    let mut world = World::signed().await;
    world.stop().await;
    let places = messages(&world).await;
    let (changed, other) = (places[2], places[4]);
    world
        .tamper(&format!(
            "CREATE TABLE IF NOT EXISTS event_purges (position bigint PRIMARY KEY, purged_by bigint NOT NULL, reason text NOT NULL);
             ALTER TABLE event_purges DISABLE TRIGGER USER;
             UPDATE events SET payload = replace(payload::text, 'message', 'massage')::json WHERE position = {changed};
             INSERT INTO event_purges (position, purged_by, reason) VALUES ({changed}, {other}, 'law')"
        ))
        .await;
    assert_eq!(world.findings(&[]).await, [("purge", Some(changed))]);
}
