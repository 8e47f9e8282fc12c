//! The feed with a real NATS: it takes the events that NATS delivers, and reads missing ones from the log.

use std::sync::Arc;

use async_nats::jetstream;
use commands::relay::{self, RelayStats};
use domain::ids::MessageId;
use sqlx::Row;
use tests::{eventually, servers};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{Fixture, team_of_three};

/// A NATS stream for one test.
struct Stream {
    name: String,
    client: async_nats::Client,
}

impl Stream {
    async fn named() -> Self {
        Self { name: format!("TEST_{}", Uuid::now_v7().simple()), client: servers::nats().await }
    }

    async fn create(&self) {
        let config =
            jetstream::stream::Config { name: self.name.clone(), subjects: vec![format!("{}.>", self.name)], ..Default::default() };
        jetstream::new(self.client.clone()).create_stream(config).await.expect("a stream");
    }

    async fn delete(&self) {
        jetstream::new(self.client.clone()).delete_stream(&self.name).await.expect("the stream is deleted");
    }

    fn of_settings(&self) -> Option<(async_nats::Client, String)> {
        Some((self.client.clone(), self.name.clone()))
    }

    async fn has_consumer(&self) -> bool {
        let Ok(stream) = jetstream::new(self.client.clone()).get_stream(&self.name).await else { return false };
        stream.get_consumer::<jetstream::consumer::pull::Config>(projections::RELATIONAL).await.is_ok()
    }

    /// Publishes the events at these positions, as the relay does.
    async fn publish(&self, fixture: &Fixture, positions: &[i64]) {
        let context = jetstream::new(self.client.clone());
        for position in positions {
            let row = sqlx::query(
                "SELECT json_build_object('position', position, 'event_id', event_id, 'aggregate_type', aggregate_type, 'aggregate_id',
                 aggregate_id, 'sequence', sequence, 'workspace_id', workspace_id, 'recorded_at', recorded_at, 'event_type', event_type,
                 'event_version', event_version, 'payload', payload, 'metadata', metadata)::text FROM events WHERE position = $1",
            );
            let body: String = row.bind(position).fetch_one(&fixture.reading.pool).await.expect("an event").get(0);
            let subject = format!("{}.0.event", self.name);
            context.publish(subject, body.into()).await.expect("published").await.expect("acknowledged");
        }
    }
}

fn start_relay(fixture: &Fixture, stream: &Stream) -> DropGuard {
    let settings = relay::Settings {
        pool: fixture.writing.pool.clone(),
        nats: stream.client.clone(),
        stream: stream.name.clone(),
        link: stores::nats::Link::default(),
        partitions: 4,
        head: fixture.commands().store().head(),
        stats: Arc::new(RelayStats::default()),
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(relay::run(settings, shutdown.clone()));
    shutdown.drop_guard()
}

async fn is_there(fixture: &Fixture, message: MessageId) -> bool {
    fixture.reading.read.message(message).await.expect("a message").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nats_drops_repeats_or_delays_are_applied_once_and_in_order() {
    let mut fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let stream = Stream::named().await;
    stream.create().await;
    fixture.reading.start_projector(stream.of_settings());
    eventually("the projector consumes", async || stream.has_consumer().await).await;
    fixture.settle().await;
    let root = fixture.post(ann, team.general, "root").await;
    for n in 0..10 {
        fixture.reply(ann, team.general, root, &n.to_string()).await;
    }
    let head = fixture.commands().store().catch_up().await.expect("the head");
    // A gap, duplicates, another order, an invalid message, and no event for the last positions.
    stream.publish(&fixture, &[head - 4, head - 4, head - 6, head - 8, head - 3, head - 10]).await;
    let context = jetstream::new(stream.client.clone());
    context.publish(format!("{}.0.event", stream.name), "nonsense".into()).await.expect("published").await.expect("acknowledged");
    fixture.settle().await;
    assert_eq!(fixture.message(root).await.message.reply_count, 10);
    assert_eq!(fixture.state().await.lag, 0);
    stream.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_even_if_the_stream_is_deleted_under_load() {
    let mut fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let stream = Stream::named().await;
    let _relay = start_relay(&fixture, &stream);
    fixture.reading.start_projector(stream.of_settings());
    eventually("the projector consumes", async || stream.has_consumer().await).await;
    let mut last = None;
    for n in 0..200 {
        last = Some(fixture.post(ann, team.general, &n.to_string()).await);
        if n == 100 {
            stream.delete().await;
        }
    }
    let last = last.expect("a message");
    eventually("the last message is in the read tables", async || is_there(&fixture, last).await).await;
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM messages WHERE message_type = 'text'");
    assert_eq!(count.fetch_one(&fixture.reading.pool).await.expect("a count"), 200);
    // The relay may not have created the stream again yet.
    drop(jetstream::new(stream.client.clone()).delete_stream(&stream.name).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_is_read_in_order_and_decoded() {
    let fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let posted = fixture.post(ann, team.general, "the last event").await;
    let head = fixture.commands().store().catch_up().await.expect("the head");
    let mut read = Vec::new();
    let end =
        stores::log::read_log(&fixture.reading.pool, &fixture.reading.stores.keys, |event| read.push(event.expect("an event of today")))
            .await
            .expect("the log");
    assert_eq!(end, head);
    assert!(read.iter().map(|event| event.position).eq(1..=head), "each event is read once, in order");
    assert_eq!(read.last().map(|event| event.stream.id), Some(posted.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_read_of_the_log_leaves_nothing_behind_for_the_next_query() {
    let fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let text = "apples and pears ".repeat(200);
    let posts = (0..1_000).map(|_| fixture.post(ann, team.general, &text));
    futures::StreamExt::for_each_concurrent(futures::stream::iter(posts), 32, async |post| {
        post.await;
    })
    .await;
    let pool = fixture.writing.database.read_pool(1).await;
    let (keys, mut cut_off) = (tests::keyring(&pool).await, 0);
    for wait_us in (0..200).map(|n| n * 250) {
        let mut seen = 0;
        let read = stores::log::read_log(&pool, &keys, |_| seen += 1);
        cut_off += i32::from(tokio::time::timeout(std::time::Duration::from_micros(wait_us), read).await.is_err());
        let answer =
            sqlx::query_scalar::<_, i64>("SELECT $1::bigint").bind(i64::try_from(wait_us).expect("a number")).fetch_one(&pool).await;
        assert_eq!(answer.expect("an answer"), i64::try_from(wait_us).expect("a number"), "after {seen} events");
    }
    assert!(cut_off > 5, "{cut_off} reads were cancelled");
}
