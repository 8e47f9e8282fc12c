//! Costs that grow with the number of people and channels: one more reaction to a message that 10,000 people have reacted
//! to, and a search by somebody who is in 12,000 channels.

use std::time::{Duration, Instant};

use chrono::{SubsecRound, Utc};
use commands::EventStore;
use domain::ids::{ChannelId, MessageId, UserId};
use domain::text::Emoji;
use domain::{Event, MessageEvent, StreamId};
use identity::sessions::Device;
use tests::Place;
use uuid::Uuid;

use crate::client::Client;
use crate::furnish::{Furnished, append, messages_path};
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

/// The number of reactions that a person adds and removes in a run.
const REACTIONS: usize = 50;
/// The number of searches in a run.
const SEARCHES: usize = 50;
/// The number of channels that one append creates.
const CHANNELS_AT_ONCE: usize = 500;

pub async fn measure(report: &mut Report) {
    let (people, channels) = (sized(10_000, 1_000), sized(12_000, 1_200));
    report.over(format!(
        "one more reaction, added and removed in turn, to a message with {people} reactions, against a message without any; a search that \
         finds a message, by somebody in {channels} channels against somebody in one; one client"
    ));
    reactions(report, people).await;
    searches(report, channels).await;
}

async fn reactions(report: &mut Report, people: usize) {
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), people).await;
    let crowded = message(app.commands.store(), &furnished, 1, people).await;
    let quiet = message(app.commands.store(), &furnished, 2, 0).await;
    let (token, _) = app.sessions.start(furnished.users[0], Device::default()).await.expect("a session");
    let head = app.commands.store().catch_up().await.expect("the head");
    drop(app);
    let served = Served::at(&place, &[]);
    served.has_projected(head, token.expose(), &messages_path(furnished.channel_id)).await;
    let mut client = Client::connect(served.address, Some(token.expose())).await;
    let (mut to_crowded, mut to_quiet) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        to_crowded.push(reaction(&mut client, crowded).await.percentile(0.5));
        to_quiet.push(reaction(&mut client, quiet).await.percentile(0.5));
    }
    let row = "crowded, one more reaction after 10,000: p50";
    report.compare(row, "ms", &to_crowded, ("the first reaction", &to_quiet), Goal::Stated);
}

/// Appends a message with a reaction by each of the first `count` users.
async fn message(store: &EventStore, furnished: &Furnished, n: u64, count: usize) -> MessageId {
    let sent_at = Utc::now().trunc_subsecs(6);
    let id = MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes"));
    let emoji = Emoji::parse("👍").expect("an emoji");
    let reacted = furnished.users.iter().take(count).map(|user_id| MessageEvent::Reacted { emoji: emoji.clone(), user_id: *user_id });
    let events = std::iter::once(furnished.posted(n, sent_at)).chain(reacted.map(Event::Message)).collect();
    append(store, vec![(StreamId::message(id), Some(furnished.workspace_id), events)]).await;
    id
}

async fn reaction(client: &mut Client, message: MessageId) -> Latencies {
    let path = format!("/v1/messages/{}/reactions/%F0%9F%8E%89", message.0);
    let mut latencies = Vec::with_capacity(2 * REACTIONS);
    for _ in 0..REACTIONS {
        for (method, done) in [("PUT", 200), ("DELETE", 204)] {
            let began = Instant::now();
            assert_eq!(client.send(method, &path, 0, String::new()).await.status, done, "{method}");
            latencies.push(began.elapsed());
        }
    }
    Latencies::of(latencies)
}

async fn searches(report: &mut Report, channels: usize) {
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), 2).await;
    let [owner, member] = [furnished.users[0], furnished.users[1]];
    message(app.commands.store(), &furnished, 1, 0).await;
    let head = joined(app.commands.store(), &furnished, owner, channels).await;
    let (owner, _) = app.sessions.start(owner, Device::default()).await.expect("a session");
    let (member, _) = app.sessions.start(member, Device::default()).await.expect("a session");
    drop(app);
    let (served, path) = (Served::at(&place, &[]), messages_path(furnished.channel_id));
    served.has_projected(head, owner.expose(), &path).await;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&place.database.pool(1).await).await.expect("the vacuum");
    let path = format!("/v1/workspaces/{}/search/messages?q=report", furnished.workspace_id);
    let mut in_many = Client::connect(served.address, Some(owner.expose())).await;
    let mut in_one = Client::connect(served.address, Some(member.expose())).await;
    let (mut many, mut one) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        many.push(search(&mut in_many, &path).await.percentile(0.5));
        one.push(search(&mut in_one, &path).await.percentile(0.5));
    }
    report.compare("crowded, search in 12,000 channels: p50", "ms", &many, ("in one channel", &one), Goal::Stated);
}

/// Creates channels with this member only. Returns the log's last position.
async fn joined(store: &EventStore, furnished: &Furnished, member: UserId, channels: usize) -> i64 {
    let (mut head, place) = (0, Some(furnished.workspace_id));
    for begin in (0..channels).step_by(CHANNELS_AT_ONCE) {
        let streams = (begin..channels.min(begin + CHANNELS_AT_ONCE)).map(|n| {
            let channel = Furnished { channel_id: ChannelId(Uuid::now_v7()), users: vec![member], ..furnished.clone() };
            (StreamId::channel(channel.channel_id), place, channel.channel_events_named(&format!("channel-{n}")))
        });
        head = append(store, streams.collect()).await;
    }
    head
}

async fn search(client: &mut Client, path: &str) -> Latencies {
    let mut latencies = Vec::<Duration>::with_capacity(SEARCHES);
    for _ in 0..SEARCHES {
        let began = Instant::now();
        assert_eq!(client.get(path).await.status, 200, "a search");
        latencies.push(began.elapsed());
    }
    Latencies::of(latencies)
}
