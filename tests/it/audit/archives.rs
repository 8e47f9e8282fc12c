//! Time travel over imported archives: the state of the busiest channel as of a day equals a plain fold of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId};
use domain::{ChannelEvent, Event, MessageEvent, Recorded, StreamId};
use ledger::audit::{Filter, Moment, Order, TextAccess};
use slack::import::{self, Limits, Settings};
use tests::{TestApp, servers};
use uuid::Uuid;

/// The longest time that the projection may take to apply the archive.
const CATCH_UP_MAX: Duration = Duration::from_secs(120);

fn archives() -> Vec<PathBuf> {
    let beside = servers::checkout().join("../shared/data/gitter-slack-export-small.zip");
    [servers::checkout().join("tests/fixtures/sample-export.zip"), beside].into_iter().filter(|path| path.exists()).collect()
}

/// A channel at a moment, as a plain reader of the log sees it.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    topic: Option<String>,
    members: BTreeSet<UserId>,
    /// The text of each message, or `None` if it was deleted.
    messages: BTreeMap<Uuid, Option<String>>,
}

/// Reads the events from first to last, without tables, indices or aggregates.
fn plain_fold(log: &[Recorded<Event>], channel: ChannelId, until: DateTime<Utc>) -> Plain {
    let mut plain = Plain::default();
    for event in log.iter().filter(|event| event.happened_at() <= until) {
        let id = event.stream.id;
        match &event.event {
            Event::Channel(happened) if id == channel.0 => match happened {
                ChannelEvent::Created(creation) => plain.topic = creation.topic.as_ref().map(ToString::to_string),
                ChannelEvent::TopicChanged { topic } => plain.topic = topic.as_ref().map(ToString::to_string),
                ChannelEvent::MemberJoined { user_id, .. } => drop(plain.members.insert(*user_id)),
                ChannelEvent::MemberLeft { user_id } | ChannelEvent::MemberRemoved { user_id, .. } => drop(plain.members.remove(user_id)),
                _ => {}
            },
            Event::Message(MessageEvent::Posted(posting)) if posting.channel_id == channel => {
                plain.messages.insert(id, Some(posting.content.to_string()));
            }
            Event::Message(MessageEvent::Edited { content, .. }) => {
                plain.messages.entry(id).and_modify(|text| *text = Some(content.to_string()));
            }
            Event::Message(MessageEvent::Deleted { .. }) => drop(plain.messages.entry(id).and_modify(|text| *text = None)),
            _ => {}
        }
    }
    plain
}

/// The channel with the most messages, and the times of these messages.
fn busiest(log: &[Recorded<Event>]) -> (ChannelId, Vec<DateTime<Utc>>) {
    let mut sent = BTreeMap::<ChannelId, Vec<DateTime<Utc>>>::new();
    for event in log {
        if let Event::Message(MessageEvent::Posted(posting)) = &event.event {
            sent.entry(posting.channel_id).or_default().push(event.happened_at());
        }
    }
    let (channel, mut times) = sent.into_iter().max_by_key(|(_, times)| times.len()).expect("a channel");
    times.sort_unstable();
    (channel, times)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_busiest_channel_as_of_a_day_equals_a_plain_fold_of_the_log() {
    for archive in archives() {
        let app = TestApp::start().await;
        let team = crate::laws::workspace(&app.app().commands).await;
        let (workspace_id, importer) = (team.workspace_id, team.owner);
        let settings = Settings { workspace_id, importer, at: Utc::now(), correlation_id: Uuid::now_v7(), limits: Limits::default() };
        import::slack(app.app().commands.store(), &archive, &settings, &()).await.expect("an import");
        let head = app.app().commands.store().catch_up().await.expect("the head");
        app.app().progress.wait_for(projections::RELATIONAL, head, CATCH_UP_MAX).await.expect("everything is projected");
        let mut log = Vec::new();
        stores::log::read_log(&app.app().pool, &app.app().keys, |event| log.push(event.expect("an event"))).await.expect("the log");

        let (channel, times) = busiest(&log);
        for part in [0, 1, 2, 3] {
            let until = times[(times.len() - 1) * part / 3];
            let expected = plain_fold(&log, channel, until);
            assert_eq!(as_of(&app, channel, Moment::Time(until), Some(workspace_id)).await, expected, "{archive:?} as of {until}");
        }
        changes_are_those_of_the_whole(&app, &log).await;
    }
}

async fn as_of(app: &TestApp, channel: ChannelId, moment: Moment, workspace_id: Option<domain::ids::WorkspaceId>) -> Plain {
    let (read, sight) = (&app.app().audit_log, TextAccess::everything());
    let found = read.as_of(workspace_id, StreamId::channel(channel), moment).await.expect("the audit").expect("a channel");
    let state = found.shown(&sight).state;
    let members = state["members"].as_object().expect("members").keys().map(|id| id.parse().expect("a user")).collect();
    let topic = state["creation"]["topic"].as_str().map(str::to_owned);
    let (mut messages, mut behind) = (BTreeMap::new(), None);
    loop {
        let page = read.messages_as_of(channel, moment, behind, 100, &sight).await.expect("the audit");
        messages.extend(page.items.into_iter().map(|message| (message.message_id, message.content)));
        behind = page.next;
        if behind.is_none() {
            return Plain { topic, members, messages };
        }
    }
}

/// The changes of the entries, applied one after another, give the present state. So no change is missing where the
/// server compares only a part of a large aggregate.
async fn changes_are_those_of_the_whole(app: &TestApp, log: &[Recorded<Event>]) {
    let streams = log.iter().filter(|event| event.event.wire_name() == "channel.created").map(|event| event.stream).take(5);
    for stream in streams {
        let (mut built, mut after) = (None::<serde_json::Value>, 0);
        loop {
            let filter = Filter {
                aggregate_type: Some(stream.aggregate),
                aggregate_id: Some(stream.id),
                after: Some(after),
                order: Order::OldestFirst,
                limit: 200,
                ..Filter::default()
            };
            let entries = app.app().audit_log.find(&filter).await.expect("the audit").entries(&TextAccess::everything());
            let Some(last) = entries.last() else { break };
            after = last.position;
            for entry in &entries {
                let patch =
                    serde_json::from_value::<json_patch::Patch>(serde_json::to_value(&entry.changes).expect("JSON")).expect("a patch");
                let empty = serde_json::to_value(domain::Channel::default()).expect("JSON");
                json_patch::patch(built.get_or_insert(empty), &patch).unwrap_or_else(|error| panic!("{}: {error}", entry.position));
            }
        }
        let now = app.app().audit_log.as_of(None, stream, Moment::Now).await.expect("the audit").expect("a channel");
        assert_eq!(built.expect("events"), now.shown(&TextAccess::everything()).state, "{stream}");
    }
}
