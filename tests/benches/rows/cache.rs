//! The uses of the cache: the newest page of a channel, and the unread counts of a user in many channels. And the cost
//! of the cache for posts.

use chrono::{SubsecRound, TimeDelta, Utc};
use commands::EventStore;
use domain::StreamId;
use domain::ids::{ChannelId, MessageId, UserId};
use identity::sessions::Device;
use projections::cache::Caches;
use projections::{CACHE, Connections, RELATIONAL};
use redis::AsyncCommands;
use serde_json::Value;
use tests::Place;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::Client;
use crate::furnish::{Furnished, append, messages_path};
use crate::load::{Caller, rate_of};
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

const CLIENTS: usize = 32;
const WRITERS: usize = 100;
/// The messages are spread over this number of days.
const DAYS: i64 = 90;
/// The number of channels of a user.
const CHANNELS: usize = 500;
/// The number of unread messages in each channel.
const UNREAD: u64 = 30;
/// The number of queries in a run.
const ASKED: usize = 200;
/// The number of members of the channel that gets posts.
const MEMBERS: usize = 10_000;

pub async fn measure(report: &mut Report) {
    let messages = sized(100_000, 10_000);
    report.over(format!(
        "the newest page of a channel of {messages} messages, from Redis and, with a cursor behind it, from Postgres through the same \
         server; a person in {CHANNELS} channels with {UNREAD} unread messages each, without HTTP, against the same counts by SQL; posts into \
         a channel of {MEMBERS} members whose page and counts are cached, against posts where nothing is cached"
    ));
    pages(report, messages).await;
    unread(report).await;
    posts(report).await;
}

async fn pages(report: &mut Report, messages: u64) {
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), WRITERS).await;
    let head = furnished.fill(app.commands.store(), messages, DAYS).await;
    let (token, _) = app.sessions.start(furnished.users[0], Device::default()).await.expect("a session");
    drop(app);
    let (served, path) = (Served::at(&place, &[]), messages_path(furnished.channel_id));
    served.has_projected(head, token.expose(), &path).await;
    let pool = place.database.read_pool(1).await;
    sqlx::raw_sql("VACUUM ANALYZE read.messages").execute(&pool).await.expect("the vacuum");
    let mut client = Client::connect(served.address, Some(token.expose())).await;
    let first = serde_json::from_slice::<Value>(&client.get(&path).await.body).expect("JSON");
    // A cursor after all messages gives the same page, but only from Postgres.
    let behind = format!("{path}?before={}", api::extract::Cursor(end()));
    let same = serde_json::from_slice::<Value>(&client.get(&behind).await.body).expect("JSON");
    assert_eq!(first["items"], same["items"], "the same page");
    let (mut cached, mut stored) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        cached.push(rate_of(readers(&served, token.expose(), &path).await).await);
        stored.push(rate_of(readers(&served, token.expose(), &behind).await).await);
    }
    report.compare("cache, first page, 32 clients", "pages/s", &cached, ("the same page from Postgres", &stored), Goal::AtLeast(1.0));
}

fn end() -> projections::relational::messages::Cursor {
    projections::relational::messages::Cursor { created_at: (Utc::now() + TimeDelta::hours(1)).trunc_subsecs(6), message_id: Uuid::max() }
}

async fn readers(served: &Served, token: &str, path: &str) -> Vec<Reader> {
    let mut readers = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        readers.push(Reader { client: Client::connect(served.address, Some(token)).await, path: path.into() });
    }
    readers
}

struct Reader {
    client: Client,
    path: String,
}

impl Caller for Reader {
    type Answer = ();

    async fn call(&mut self, _: u64) {
        assert_eq!(self.client.get(&self.path).await.status, 200, "a page");
    }
}

async fn unread(report: &mut Report) {
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let (furnished, head) = many_channels(app.commands.store()).await;
    let stores = app.stores.clone();
    let shutdown = CancellationToken::new();
    let projectors = tokio::spawn(projections::run(settings(&app, stores.clone()), shutdown.clone()));
    for projection in [RELATIONAL, CACHE] {
        stores.progress.wait_for(projection, head, std::time::Duration::from_secs(300)).await.expect("the projections");
    }
    sqlx::raw_sql("VACUUM ANALYZE read.messages").execute(&app.pool).await.expect("the vacuum");
    let (caches, who) = (Caches::new(stores), furnished.users[1]);
    let expected = app.read_models.unread(who, furnished.workspace_id).await.expect("counts");
    assert_eq!(expected.iter().map(|row| row.unread).sum::<i64>(), UNREAD as i64 * CHANNELS as i64, "the unread messages");
    while caches.cached_unread(who, furnished.workspace_id, 0).await.expect("counts").is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let [mut p50, mut p95, mut anew, mut stored] = [const { Runs(Vec::new()) }; 4];
    for _ in 0..runs() {
        let (mut cached, mut counted_anew, mut by_sql) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ASKED {
            let began = std::time::Instant::now();
            let counted = caches.cached_unread(who, furnished.workspace_id, 0).await.expect("counts").expect("from Redis");
            cached.push(began.elapsed());
            assert_eq!(counted.channels.len(), expected.len());
        }
        for _ in 0..ASKED / 10 {
            forget_versions(&place).await;
            let began = std::time::Instant::now();
            caches.cached_unread(who, furnished.workspace_id, 0).await.expect("counts").expect("from Redis");
            counted_anew.push(began.elapsed());
            let began = std::time::Instant::now();
            app.read_models.unread(who, furnished.workspace_id).await.expect("counts");
            by_sql.push(began.elapsed());
        }
        let cached = Latencies::of(cached);
        p50.push(cached.percentile(0.5));
        p95.push(cached.percentile(0.95));
        anew.push(Latencies::of(counted_anew).percentile(0.95));
        stored.push(Latencies::of(by_sql).percentile(0.5));
    }
    report.compare("cache, unread in 500 channels: p50", "ms", &p50, ("the same counts by SQL", &stored), Goal::Stated);
    report.state("cache, unread in 500 channels: p95", "ms", &p95, Goal::AtMost(5.0));
    report.state("cache, unread, all 500 have changed: p95", "ms", &anew, Goal::Stated);
    shutdown.cancel();
    projectors.await.expect("the projectors end");
}

/// Deletes the versions of all channels, so that every channel is counted again, as after a new message in each.
async fn forget_versions(place: &Place) {
    let mut redis = place.redis().await.expect("Redis");
    let keys: Vec<String> = redis.keys(format!("{}unread_versions:*", place.redis_prefix)).await.expect("the keys");
    redis.del::<_, ()>(keys).await.expect("the keys are deleted");
}

fn settings(app: &api::app::App, stores: Connections) -> projections::Settings {
    let (nats, stream) = (None, String::new());
    projections::Settings { stores, nats, stream, wake: Some(app.commands.store().head()), holder: "a benchmark".into() }
}

/// Two users in many channels. The first one has written in each.
async fn many_channels(store: &EventStore) -> (Furnished, i64) {
    let furnished = Furnished::with(store, 2).await;
    let (mut head, place) = (0, Some(furnished.workspace_id));
    for n in 0..CHANNELS {
        let channel = Furnished { channel_id: ChannelId(Uuid::now_v7()), ..furnished.clone() };
        let mut streams = vec![(StreamId::channel(channel.channel_id), place, channel.channel_events_named(&format!("channel-{n}")))];
        for message in 0..UNREAD {
            // The times are a moment after the users joined.
            let sent_at = (Utc::now() + TimeDelta::seconds(60)).trunc_subsecs(6);
            let event = channel.posted_by(UserId(furnished.users[0].0), message, sent_at);
            streams.push((StreamId::message(MessageId::at(sent_at, rand_ten())), place, vec![event]));
        }
        head = append(store, streams).await;
    }
    (furnished, head)
}

fn rand_ten() -> [u8; 10] {
    *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes")
}

async fn posts(report: &mut Report) {
    let (watched, quiet) = (Posters::start(MEMBERS, CLIENTS).await, Posters::start(MEMBERS, CLIENTS).await);
    let (mut with, mut without) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        let unread = format!("/v1/workspaces/{}/unread", watched.workspace_id);
        for path in [&watched.path, &unread, &watched.path, &unread] {
            let mut client = Client::connect(watched.served.address, Some(&watched.tokens[0])).await;
            assert_eq!(client.get(path).await.status, 200);
        }
        with.push(rate_of(watched.connect(CLIENTS).await).await);
        watched.are_projected().await;
        without.push(rate_of(quiet.connect(CLIENTS).await).await);
        quiet.are_projected().await;
    }
    report.compare("cache, posts to 10,000 members", "posts/s", &with, ("where nothing is cached", &without), Goal::AtLeast(0.8));
}
