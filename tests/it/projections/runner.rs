//! A projection has one holder at a time, and a fenced holder writes nothing.

use projections::relational::messages::HistoryPage;
use tests::eventually;

use super::{Fixture, Reading, team_of_three};

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_fenced_during_a_batch_writes_nothing() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.settle().await;
    // Another process takes over while the holder is about to commit. Its checkpoint says that it has applied
    // everything.
    let mut other = fixture.reading.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM projection_checkpoints FOR UPDATE").execute(&mut *other).await.expect("the checkpoint");
    fixture.post(ann, team.general, "never to be seen").await;
    let head = fixture.writing.commands.store().catch_up().await.expect("the head");
    eventually("the holder waits at the checkpoint", async || waits_for_a_lock(&fixture).await).await;
    let take_over = sqlx::query("UPDATE projection_checkpoints SET epoch = epoch + 1, position = $1").bind(head);
    take_over.execute(&mut *other).await.expect("the checkpoint");
    other.commit().await.expect("a transaction");

    let message = fixture.post(ann, team.general, "hello again").await;
    eventually("the holder continues after that position", async || {
        fixture.reading.read.message(message).await.expect("a message").is_some()
    })
    .await;
    let history = fixture.reading.read.history(team.general, HistoryPage::Latest, 50).await.expect("a page");
    assert!(history.iter().all(|m| m.content != "never to be seen"));
}

async fn waits_for_a_lock(fixture: &Fixture) -> bool {
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'UPDATE projection_checkpoints%')";
    sqlx::query_scalar(waiting).fetch_one(&fixture.reading.pool).await.expect("the activity")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_takes_over_when_one_stops() {
    let mut fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.settle().await;
    let mut second = Reading::of(&fixture.writing.database).await;
    second.start_projector(None);
    fixture.post(ann, team.general, "one").await;
    fixture.settle().await;
    fixture.reading.stop_projector();
    let message = fixture.post(ann, team.general, "two").await;
    eventually("the other process continues", async || second.read.message(message).await.expect("a message").is_some()).await;
    let epoch = sqlx::query_scalar::<_, i64>("SELECT epoch FROM projection_checkpoints WHERE projection = 'relational'")
        .fetch_one(&second.pool)
        .await
        .expect("an epoch");
    assert_eq!(epoch, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_replaced_and_no_event_is_left_out() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let mut messages = Vec::new();
    for round in 0..5 {
        messages.push(fixture.post(ann, team.general, &format!("message {round}")).await);
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'backscroll projector'";
        sqlx::query(cut).execute(&fixture.reading.pool).await.expect("the database's owner may do this");
    }
    for message in messages {
        eventually("the message is in the read tables", async || fixture.reading.read.message(message).await.expect("a message").is_some())
            .await;
    }
    let message_twice = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM messages WHERE content LIKE 'message %'");
    assert_eq!(message_twice.fetch_one(&fixture.reading.pool).await.expect("a count"), 5);
}
