//! Changes of messages that an export tells as messages of their own: an edit, a deletion, and that a message was
//! answered: <https://docs.slack.dev/reference/events/message/message_changed>.
//!
//! A change is applied to the message that it names, after the last message of the channel: the message may be filed
//! after its change. Of several edits the last is applied, because most exports hold the last text only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{MessageEvent, StreamId};

use super::authors::{author_id, name_of_bot};
use super::channels::{Directory, ImportedChannel};
use super::export::parse;
use super::model::{SlackMessage, SlackPlace, moment, some};
use super::outbox::{Item, LookUp, original};
use super::read_messages::{Parent, ReadMessages};
use super::run::Run;
use super::{content, kinds};
use commands::event_store::{PendingEvent, StreamWrite};

/// How many changed messages of a channel are kept in memory, and how many bytes of their texts. If there are more, the
/// changes so far are applied.
const CHANGED_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The changes of a channel that are not applied yet, by the moments of the messages that they name.
#[derive(Default)]
pub(super) struct Changes {
    changed: BTreeMap<i64, Changed>,
    bytes: usize,
}

/// What happened to a message.
#[derive(Default)]
struct Changed {
    /// The message after its last edit, the moment of the edit, and the place of the change in the export.
    edited: Option<(SlackMessage, DateTime<Utc>, String)>,
    /// The user who deleted it, and when.
    deleted: Option<(Option<String>, DateTime<Utc>)>,
    /// How many changes these are.
    count: u64,
}

/// Whether the message tells of a change of another message.
pub(super) fn is_change(message: &SlackMessage) -> bool {
    matches!(message.subtype.as_deref(), Some("message_changed" | "message_deleted" | "message_replied"))
}

/// The message that a change holds.
pub(super) fn held(change: &SlackMessage) -> Option<SlackMessage> {
    change.message.as_deref().and_then(parse::<SlackMessage>)
}

impl Changes {
    /// Notes a change.
    pub(super) fn note<S>(&mut self, run: &mut Run<'_, S>, change: SlackMessage, place: String) {
        run.report.read.changes += 1;
        let held = held(&change);
        let at = |ts: Option<&String>| ts.and_then(|ts| moment(ts));
        let before = change.previous_message.as_ref().and_then(|place| at(place.ts.as_ref()));
        let after = held.as_ref().and_then(|message| at(message.ts.as_ref()));
        let Some(named) = at(change.deleted_ts.as_ref()).or(after).or(before) else {
            return run.report.skip("change that names no message", || place);
        };
        let happened = at(change.ts.as_ref()).unwrap_or(named);
        let changed = self.changed.entry(named.timestamp_micros()).or_default();
        let edits = change.subtype.as_deref() == Some("message_changed");
        // The first message of a thread leaves its place when it is deleted.
        let leaves_its_place = edits && held.as_ref().is_some_and(kinds::is_tombstone);
        let deletes = change.subtype.as_deref() == Some("message_deleted") || leaves_its_place;
        match held {
            _ if deletes => changed.delete(change, happened.max(named)),
            Some(message) if edits => {
                let edited = message.edited.as_ref().and_then(|edit| at(edit.ts.as_ref())).unwrap_or(happened).max(named);
                if changed.edited.as_ref().is_none_or(|(_, last, _)| *last <= edited) {
                    self.bytes += message.text.as_ref().map_or(0, String::len);
                    changed.edited = Some((message, edited, place));
                }
                changed.count += 1;
            }
            // Answers are messages of their own, and name their thread.
            Some(_) | None => run.report.skip("change that changes no text", || place),
        }
    }

    /// Whether the changes must be applied before more are read.
    pub(super) fn is_full(&self) -> bool {
        self.changed.len() > CHANGED_MAX || self.bytes > BYTES_MAX
    }

    /// The events of all changes so far, for the messages that were read.
    pub(super) fn apply<S>(
        &mut self,
        run: &mut Run<'_, S>,
        channel: &ImportedChannel,
        read: &ReadMessages,
        directory: &Directory<'_>,
    ) -> Vec<Item> {
        self.bytes = 0;
        let mut items = Vec::new();
        for (micros, changed) in std::mem::take(&mut self.changed) {
            let Some(at) = DateTime::from_timestamp_micros(micros) else { continue };
            let (Parent::Message(nth) | Parent::Reply(nth)) = read.parent(micros) else {
                run.report.skip_many("change of a message that is not in the export", changed.count, || format!("{} {at}", channel.folder));
                continue;
            };
            let stream = StreamId::message(run.ids.message(&channel.slack_id, at, nth));
            let count = changed.count;
            let events = changed.events(run, directory);
            run.report.turned_many("change of a message into an edit or a deletion of it", count, || format!("{} {at}", channel.folder));
            let write = StreamWrite { stream, workspace_id: Some(run.settings.workspace_id), expected: 0, caused_by: None, events };
            items.push(Item { write, claims: Vec::new(), look_up: LookUp::State });
        }
        items
    }
}

impl Changed {
    fn delete(&mut self, change: SlackMessage, at: DateTime<Utc>) {
        let user = change.user.or_else(|| change.previous_message.and_then(|place: SlackPlace| place.user));
        self.deleted = Some((user, at));
        self.count += 1;
    }

    fn events<S>(self, run: &mut Run<'_, S>, directory: &Directory<'_>) -> Vec<PendingEvent> {
        let edit = self.edited.map(|(mut message, at, place)| {
            kinds::in_italics(&mut message);
            let (content, mut formatted) = content::content(&message, directory, &mut run.report, &place);
            formatted.bot_name = name_of_bot(&message, kinds::kind(&message).0);
            let editor = message.edited.as_ref().and_then(|edit| directory.people.find(some(edit.user.as_ref())?));
            let by = editor.unwrap_or_else(|| author_id(&message, directory.people, run.fallback_user));
            original(MessageEvent::Edited { content, formatted, by, erased: false }, by, at.min(run.settings.at))
        });
        let deletion = self.deleted.map(|(user, at)| {
            let by = user.and_then(|user| directory.people.find(&user)).unwrap_or(run.fallback_user);
            original(MessageEvent::Deleted { by }, by, at.min(run.settings.at))
        });
        edit.into_iter().chain(deletion).collect()
    }
}
