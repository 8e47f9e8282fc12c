//! The relay with a real NATS: the published events, their order, the leader, and the behaviour when the stream or the
//! leader fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream;
use commands::relay::{self, RelayStats};
use domain::ids::WorkspaceId;
use domain::wire_event::WireEvent;
use futures::StreamExt;
use futures::future::join_all;
use tests::{TestDatabase, eventually, servers};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{Team, Writing, another_process, asked, post};

const PARTITIONS: u16 = 4;

/// A NATS stream for one test.
struct TestStream {
    name: String,
    nats: async_nats::Client,
}

impl TestStream {
    async fn new() -> Self {
        let nats = servers::nats().await;
        Self { name: format!("TEST_{}", Uuid::now_v7().simple()), nats }
    }

    async fn delete(&self) {
        jetstream::new(self.nats.clone()).delete_stream(&self.name).await.expect("the stream is deleted");
    }

    /// Every message of the stream: its position, the previous position of its partition, its subject, and its event.
    async fn messages(&self) -> Vec<(i64, i64, String, WireEvent)> {
        let context = jetstream::new(self.nats.clone());
        let Ok(stream) = context.get_stream(&self.name).await else { return Vec::new() };
        let state = stream.get_info().await.expect("the stream").state;
        let consumer = stream.create_consumer(jetstream::consumer::pull::OrderedConfig::default()).await.expect("a consumer");
        let messages = consumer.messages().await.expect("messages").take(usize::try_from(state.messages).expect("a count"));
        let read = messages.map(|message| {
            let message = message.expect("a message");
            let header = |name: &str| message.headers.as_ref().and_then(|h| h.get(name)).map(|v| v.as_str().to_owned()).expect("a header");
            let event = serde_json::from_slice::<WireEvent>(&message.payload).expect("an event");
            let number = |name: &str| header(name).parse::<i64>().expect("a number");
            assert_eq!(header("ce-specversion"), "1.0");
            (number("ce-position"), number("ce-previousposition"), message.subject.to_string(), event)
        });
        read.collect().await
    }

    async fn last_position(&self) -> i64 {
        self.messages().await.last().map_or(0, |m| m.0)
    }
}

async fn start_relay(database: &TestDatabase, stream: &TestStream) -> (Arc<RelayStats>, DropGuard) {
    let (pool, commands) = another_process(database).await;
    let stats = Arc::new(RelayStats::default());
    let settings = relay::Settings {
        pool,
        nats: stream.nats.clone(),
        stream: stream.name.clone(),
        link: stores::nats::Link::default(),
        partitions: PARTITIONS,
        head: commands.store().head(),
        stats: Arc::clone(&stats),
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(relay::run(settings, shutdown.clone()));
    (stats, shutdown.drop_guard())
}

async fn post_many(writing: &Writing, team: Team, count: usize) {
    let posts = (0..count).map(|n| {
        let commands = writing.commands.clone();
        tokio::spawn(async move { post(&commands, &asked(team.owner), team.general, &format!("message {n}")).await.expect("a post") })
    });
    join_all(posts).await;
}

async fn head(writing: &Writing) -> i64 {
    writing.commands.store().catch_up().await.expect("the head")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_relays_publishes_everything_in_order_with_the_partitions_previous_position() {
    let (writing, stream) = (Writing::start().await, TestStream::new().await);
    let (first, _first) = start_relay(&writing.database, &stream).await;
    let (second, _second) = start_relay(&writing.database, &stream).await;
    let teams = [writing.workspace().await, another_team(&writing).await];
    for team in teams {
        post_many(&writing, team, 300).await;
    }
    let head = head(&writing).await;
    eventually("everything is published", async || stream.last_position().await == head).await;
    let messages = stream.messages().await;
    assert_eq!(
        messages.iter().map(|m| m.0).collect::<Vec<_>>(),
        (1..=head).collect::<Vec<_>>(),
        "each event is published once, and in order"
    );
    assert_ne!(first.leading.load(Ordering::Relaxed), second.leading.load(Ordering::Relaxed), "exactly one relay leads");
    let mut last = [0; PARTITIONS as usize];
    for (position, previous, subject, event) in &messages {
        let tokens = subject.split('.').collect::<Vec<_>>();
        let partition: usize = tokens[2].parse().expect("a partition");
        assert_eq!(*previous, last[partition], "position {position}");
        last[partition] = *position;
        assert_eq!(tokens[3], event.workspace_id.map_or_else(|| "_".to_owned(), |id| id.to_string()));
        assert_eq!(tokens[4..].join("."), event.event_type);
    }
    stream.delete().await;
}

async fn another_team(writing: &Writing) -> Team {
    let owner = crate::support::sign_up(&writing.commands, "other-owner").await;
    let team = Team { owner, workspace_id: WorkspaceId(Uuid::now_v7()), general: domain::ids::ChannelId(Uuid::now_v7()) };
    let new = commands::NewWorkspace {
        workspace_id: team.workspace_id,
        general_channel_id: team.general,
        details: domain::workspace::Details {
            name: domain::text::WorkspaceName::parse("Press fixture").expect("a name"),
            description: None,
            avatar_url: None,
        },
        domain: None,
        max_members: 10,
        each_max: None,
    };
    writing.commands.create_workspace(&asked(owner), new).await.expect("a workspace");
    team
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_dies_the_other_relay_continues_where_it_was() {
    let (writing, stream) = (Writing::start().await, TestStream::new().await);
    let (first, first_guard) = start_relay(&writing.database, &stream).await;
    eventually("the first relay leads", async || first.leading.load(Ordering::Relaxed)).await;
    let (second, _second) = start_relay(&writing.database, &stream).await;
    let team = writing.workspace().await;
    post_many(&writing, team, 100).await;
    drop(first_guard);
    post_many(&writing, team, 100).await;
    let head = head(&writing).await;
    eventually("the second relay has published the rest", async || stream.last_position().await == head).await;
    assert!(second.leading.load(Ordering::Relaxed));
    let positions = stream.messages().await.into_iter().map(|m| m.0).collect::<Vec<_>>();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>());
    stream.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_deleted_under_load_is_created_again_and_publishing_continues_in_order() {
    let (writing, stream) = (Writing::start().await, TestStream::new().await);
    let (stats, _relay) = start_relay(&writing.database, &stream).await;
    let team = writing.workspace().await;
    for _ in 0..3 {
        let load = post_many(&writing, team, 200);
        let deletion = async {
            eventually("the relay publishes", async || stats.leading.load(Ordering::Relaxed)).await;
            stream.delete().await;
        };
        tokio::join!(load, deletion);
        tokio::time::timeout(Duration::from_secs(20), async {
            post_many(&writing, team, 1).await;
            let head = head(&writing).await;
            eventually("the relay has published everything", async || stream.last_position().await == head).await;
        })
        .await
        .expect("the relay recovers");
    }
    let positions = stream.messages().await.into_iter().map(|m| m.0).collect::<Vec<_>>();
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "{positions:?}");
    stream.delete().await;
}
