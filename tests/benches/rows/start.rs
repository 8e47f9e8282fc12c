//! A client's start: the list of workspaces and one more request, against the 76 requests of a client without it.

use std::time::{Duration, Instant};

use chrono::{SubsecRound, Utc};
use commands::EventStore;
use domain::channel::{Creation, Kind, MemberRole};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::{ChannelEvent, Event, StreamId};
use identity::sessions::Device;
use tests::Place;
use uuid::Uuid;

use crate::client::Client;
use crate::furnish::{Furnished, append, messages_path};
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

/// The people of the workspace.
const PEOPLE: usize = 60;
/// The named channels that everybody is in.
const CHANNELS: usize = 31;
/// The direct conversations of the client's user.
const CONVERSATIONS: usize = 19;
/// The messages of each channel.
const MESSAGES: u64 = 60;
/// The messages that one append posts.
const MESSAGES_AT_ONCE: usize = 1_000;

pub async fn measure(report: &mut Report) {
    let starts = sized(200, 20);
    report.over(format!(
        "somebody in {CHANNELS} channels and {CONVERSATIONS} direct conversations of a workspace of {PEOPLE} people, {MESSAGES} messages each, \
         all unread; the list of workspaces and `GET …/start` as it is by default, without compression; {starts} starts a run, one client"
    ));
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), PEOPLE).await;
    let user = furnished.users[1];
    let (channels, head) = furnish(app.commands.store(), &furnished, user).await;
    let (token, _) = app.sessions.start(user, Device::default()).await.expect("a session");
    drop(app);
    let served = Served::at(&place, &[]);
    served.has_projected(head, token.expose(), &messages_path(furnished.channel_id)).await;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&place.database.pool(1).await).await.expect("the vacuum");
    let mut client = Client::connect(served.address, Some(token.expose())).await;
    let start = [format!("/v1/workspaces/{}/start", furnished.workspace_id)];
    let (new, old) = ([&["/v1/workspaces".to_owned()][..], &start].concat(), before(furnished.workspace_id, user, &channels));
    let (mut one, mut whole, mut all) = (Runs::default(), Runs::default(), Runs::default());
    let (mut bytes, mut bytes_before) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        one.push(timed(&mut client, &start, starts).await.0.percentile(0.95));
        let (latencies, size) = timed(&mut client, &new, starts).await;
        let (latencies_before, size_before) = timed(&mut client, &old, starts / 20).await;
        whole.push(latencies.percentile(0.5));
        all.push(latencies_before.percentile(0.5));
        bytes.push(size);
        bytes_before.push(size_before);
    }
    report.state("start, 50 channels: p95 of the request", "ms", &one, Goal::AtMost(30.0));
    report.compare("start, 50 channels: p50", "ms", &whole, ("76 requests", &all), Goal::Stated);
    report.compare("start, 50 channels: size", "kB", &bytes, ("76 requests", &bytes_before), Goal::Stated);
    report.state("start, 50 channels: size", "kB", &bytes, Goal::AtMost(50.0));
    report.compare("start, 50 channels", "requests", &counted(&new), ("without it", &counted(&old)), Goal::Stated);
}

fn counted(requests: &[String]) -> Runs {
    Runs(vec![requests.len() as f64])
}

/// Makes the channels with their messages. Returns them and the log's last position. #general is one of them.
async fn furnish(store: &EventStore, furnished: &Furnished, user: UserId) -> (Vec<Furnished>, i64) {
    let named = (1..CHANNELS).map(|n| {
        let channel = Furnished { channel_id: ChannelId(Uuid::now_v7()), ..furnished.clone() };
        let events = channel.channel_events_named(&format!("channel-{n}"));
        (channel, events)
    });
    let others = furnished.users.iter().filter(|other| **other != user).take(CONVERSATIONS);
    let direct = others.map(|other| {
        let channel = Furnished { channel_id: ChannelId(Uuid::now_v7()), users: vec![user, *other], ..furnished.clone() };
        let events = conversation(&channel);
        (channel, events)
    });
    let (mut channels, mut head) = (vec![furnished.clone()], 0);
    for (channel, events) in named.chain(direct) {
        head = append(store, vec![(StreamId::channel(channel.channel_id), Some(channel.workspace_id), events)]).await;
        channels.push(channel);
    }
    let messages = (0..MESSAGES).flat_map(|n| channels.iter().map(move |channel| message(channel, n))).collect::<Vec<_>>();
    for some in messages.chunks(MESSAGES_AT_ONCE) {
        head = append(store, some.to_vec()).await;
    }
    (channels, head)
}

fn message(channel: &Furnished, n: u64) -> (StreamId, Option<WorkspaceId>, Vec<Event>) {
    let sent_at = Utc::now().trunc_subsecs(6);
    let id = MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes"));
    (StreamId::message(id), Some(channel.workspace_id), vec![channel.posted(n, sent_at)])
}

fn conversation(channel: &Furnished) -> Vec<Event> {
    let created = ChannelEvent::Created(Box::new(Creation {
        workspace_id: channel.workspace_id,
        kind: Kind::Direct,
        name: None,
        display_name: None,
        description: None,
        topic: None,
        purpose: None,
        is_general: false,
        created_by: channel.users[0],
    }));
    let joined =
        channel.users.iter().map(|user_id| ChannelEvent::MemberJoined { user_id: *user_id, role: MemberRole::Member, invited_by: None });
    std::iter::once(created).chain(joined).map(Event::Channel).collect()
}

/// The requests of a client that knows no start: the details of the workspace, a page of each channel, and the people of
/// each conversation.
fn before(workspace_id: WorkspaceId, user: UserId, channels: &[Furnished]) -> Vec<String> {
    let workspace = format!("/v1/workspaces/{workspace_id}");
    let mut requests = vec!["/v1/workspaces".to_owned(), "/v1/users/me".to_owned()];
    requests.extend(["/channels", "/unread", "/members", "/emojis"].map(|list| format!("{workspace}{list}")));
    requests.push(format!("{workspace}/presence?users={user}"));
    requests.extend(channels.iter().map(|channel| messages_path(channel.channel_id)));
    let conversations = channels.iter().filter(|channel| channel.users.len() == 2);
    requests.extend(conversations.map(|channel| format!("/v1/channels/{}/members", channel.channel_id)));
    requests
}

/// Sends these requests one after the other, `times` times. Returns how long they took, and their size in kB.
async fn timed(client: &mut Client, requests: &[String], times: usize) -> (Latencies, f64) {
    let (mut latencies, mut size) = (Vec::<Duration>::with_capacity(times), 0);
    for _ in 0..times.max(2) {
        let began = Instant::now();
        size = 0;
        for request in requests {
            let answer = client.get(request).await;
            assert_eq!(answer.status, 200, "{request}: {}", String::from_utf8_lossy(&answer.body));
            size += answer.body.len();
        }
        latencies.push(began.elapsed());
    }
    (Latencies::of(latencies), size as f64 / 1_000.0)
}
