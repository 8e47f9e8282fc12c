//! Turns a channel's messages into events. Parents come before their replies: days are in order, the messages of a day
//! are sorted, and a reply that is filed before its parent waits (`waiting`).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::ids::{MessageId, UserId};
use domain::message::{Kind, Moment, Posting};
use domain::text::ClientMsgId;
use domain::{ChannelEvent, MessageEvent, StreamId};

use super::authors::{author_id, name_of_bot, unlisted};
use super::changes::{self, Changes};
use super::channels::{ChannelIds, Directory, ImportedChannel};
use super::model::{SlackMessage, moment, second, some};
use super::outbox::{Item, LookUp, original};
use super::people::People;
use super::profile::emoji;
use super::read_messages::{Occurrence, Parent, ReadMessages, is_broadcast};
use super::reader::ReadDay;
use super::run::Run;
use super::sink::Sink;
use super::waiting::Waiting;
use super::{ImportError, content, kinds};
use commands::event_store::{PendingEvent, StreamWrite};

/// How many answers of a channel that were announced and not read yet are kept in memory.
const ANSWERS_MAX: usize = 100_000;

/// The state of a channel while its days are read.
pub(super) struct Conversation<'c> {
    channel: &'c ImportedChannel,
    seen: ReadMessages,
    /// The pins in the channel's list whose messages were not read yet, by the message's moment: who pinned it, and
    /// when.
    pins: HashMap<i64, (Option<String>, Option<DateTime<Utc>>)>,
    last_at: Option<DateTime<Utc>>,
    /// Replies whose parents were not read yet.
    waiting: Waiting<ReadMessage>,
    /// The parents of answers that were not read yet, by the moments of both. Some programs do not write `thread_ts`,
    /// and parents list their answers.
    answers: HashMap<i64, i64>,
    changes: Changes,
}

/// A message with its moment and its place in the export.
struct DatedMessage {
    message: SlackMessage,
    at: DateTime<Utc>,
    place: String,
}

/// A message that is no copy of an earlier one.
struct ReadMessage {
    dated: DatedMessage,
    /// How many messages of the same moment were read before.
    nth: u32,
    /// The moment of the message that began the thread, if this is a reply.
    thread: Option<DateTime<Utc>>,
}

impl<'c> Conversation<'c> {
    pub(super) fn new(channel: &'c ImportedChannel) -> Self {
        let pins = channel.slack.pins.iter().filter_map(|pin| {
            let at = moment(pin.id.as_deref()?)?;
            Some((at.timestamp_micros(), (pin.user.clone(), second(pin.created))))
        });
        let (seen, pins) = (ReadMessages::default(), pins.collect());
        let (waiting, answers, changes) = (Waiting::default(), HashMap::new(), Changes::default());
        Self { channel, seen, pins, last_at: None, waiting, answers, changes }
    }

    /// Imports a day of the channel.
    pub(super) async fn day<S: Sink>(
        &mut self,
        run: &mut Run<'_, S>,
        day: ReadDay,
        people: &mut People,
        channels: &ChannelIds,
    ) -> Result<(), ImportError> {
        let messages = self.sorted(run, day);
        people.make(run, messages.iter().flat_map(|dated| unlisted(&dated.message, people)).collect()).await?;
        for dated in messages {
            run.outbox.progress.messages_read = run.report.messages.in_file;
            if let Some(read) = self.read(run, dated) {
                self.place(run, read, people, channels).await?;
            }
        }
        if self.changes.is_full() { self.apply_changes(run, people, channels).await } else { Ok(()) }
    }

    /// Imports a message, and the replies that waited for it. A reply whose parent was not read yet waits.
    async fn place<S: Sink>(
        &mut self,
        run: &mut Run<'_, S>,
        read: ReadMessage,
        people: &People,
        channels: &ChannelIds,
    ) -> Result<(), ImportError> {
        let ready = match read.thread {
            Some(begun_at) if self.seen.parent(begun_at.timestamp_micros()) == Parent::Missing => {
                self.waiting.push(begun_at.timestamp_micros(), read)
            }
            Some(_) | None => {
                let micros = read.dated.at.timestamp_micros();
                std::iter::once(read).chain(self.waiting.take(micros)).collect()
            }
        };
        self.hand_over(run, ready, people, channels).await
    }

    async fn hand_over<S: Sink>(
        &mut self,
        run: &mut Run<'_, S>,
        messages: Vec<ReadMessage>,
        people: &People,
        channels: &ChannelIds,
    ) -> Result<(), ImportError> {
        for read in messages {
            let item = self.item(run, read, people, channels);
            run.outbox.push(item).await?;
        }
        Ok(())
    }

    async fn apply_changes<S: Sink>(&mut self, run: &mut Run<'_, S>, people: &People, channels: &ChannelIds) -> Result<(), ImportError> {
        let directory = Directory { people, channels };
        for item in self.changes.apply(run, self.channel, &self.seen, &directory) {
            run.outbox.push(item).await?;
        }
        Ok(())
    }

    /// Imports the replies that have waited in vain, applies the changes, archives the channel after its last message,
    /// and reports pins of messages that are not in the export.
    pub(super) async fn end<S: Sink>(mut self, run: &mut Run<'_, S>, people: &People, channels: &ChannelIds) -> Result<(), ImportError> {
        let left = self.waiting.take_all();
        self.hand_over(run, left, people, channels).await?;
        self.apply_changes(run, people, channels).await?;
        let pins = self.channel.slack.pins.iter().filter(|pin| {
            let at = pin.id.as_deref().and_then(moment);
            at.is_none_or(|at| self.pins.contains_key(&at.timestamp_micros()))
        });
        for pin in pins {
            run.report.pins.in_file += 1;
            run.report.pins.skipped += 1;
            let id = pin.id.clone().unwrap_or_default();
            run.report.skip("pin of something that is no message of the export", || format!("{id} in {}", self.channel.folder));
        }
        if !self.channel.to_archive {
            return Ok(());
        }
        let at = self.last_at.unwrap_or(run.began_at).min(run.settings.at);
        let event = original(ChannelEvent::Archived { by: run.fallback_user }, run.fallback_user, at);
        let mut version = self.channel.version;
        run.outbox.push_many(StreamId::channel(self.channel.channel_id), run.settings.workspace_id, &mut version, vec![event]).await
    }

    /// The messages that have a moment, in order. Of a reply that stands there twice, the one in its thread is first.
    fn sorted<S>(&mut self, run: &mut Run<'_, S>, day: ReadDay) -> Vec<DatedMessage> {
        let mut dated = Vec::with_capacity(day.messages.len());
        for message in day.messages {
            let message = match message {
                Ok(message) if changes::is_change(&message) => {
                    self.note_change(run, message, &day.path);
                    continue;
                }
                Ok(message) => message,
                Err(json) => {
                    run.report.messages.in_file += 1;
                    run.report.messages.skipped += 1;
                    run.report.skip("message that is no object", || format!("{}: {json}", day.path));
                    continue;
                }
            };
            run.report.messages.in_file += 1;
            count_reactions(&message, run);
            if says_nothing(&message) && (message.hidden || is_another_event(&message)) {
                let kind = message.kind.clone().unwrap_or_default();
                skip(&message, run, "hidden message, or another event, without a text", || format!("{}: {kind}", day.path));
                continue;
            }
            match message.ts.as_deref().and_then(moment) {
                Some(at) => {
                    let place = format!("{} {}", day.path, message.ts.as_deref().unwrap_or_default());
                    dated.push(DatedMessage { message, at, place });
                }
                None => {
                    let ts = message.ts.clone().unwrap_or_default();
                    skip(&message, run, "message without a moment", || format!("{}: {ts:?}", day.path));
                }
            }
        }
        dated.sort_by_key(|dated| (dated.at, thread_of(&dated.message, dated.at).is_none()));
        join_copies(&mut dated);
        dated
    }

    fn note_change<S>(&mut self, run: &mut Run<'_, S>, change: SlackMessage, path: &str) {
        if let Some(held) = changes::held(&change) {
            self.note_answers(&held);
        }
        let place = format!("{path} {}", change.ts.as_deref().unwrap_or_default());
        self.changes.note(run, change, place);
    }

    fn note_answers(&mut self, parent: &SlackMessage) {
        let Some(begun_at) = parent.ts.as_deref().and_then(moment) else { return };
        let answers = parent.replies.iter().filter_map(|reply| moment(reply.ts.as_deref()?)).filter(|at| *at != begun_at);
        for at in answers.take(ANSWERS_MAX.saturating_sub(self.answers.len())) {
            self.answers.insert(at.timestamp_micros(), begun_at.timestamp_micros());
        }
    }

    /// Recognises a copy of an earlier message. Returns `None` for it.
    fn read<S>(&mut self, run: &mut Run<'_, S>, dated: DatedMessage) -> Option<ReadMessage> {
        let DatedMessage { message, at, place } = dated;
        let announced = self.answers.remove(&at.timestamp_micros()).and_then(DateTime::from_timestamp_micros);
        let thread = thread_of(&message, at).or(announced);
        let Occurrence::New(nth) = self.seen.add(at.timestamp_micros(), &message, thread.is_some()) else {
            skip(&message, run, "copy of a message that is there already", || place);
            return None;
        };
        self.note_answers(&message);
        if nth > 0 {
            run.report.turned("message of the same moment as another into one with an identifier of its own", || place.clone());
        }
        self.last_at = self.last_at.max(Some(at));
        Some(ReadMessage { dated: DatedMessage { message, at, place }, nth, thread })
    }

    fn item<S>(&mut self, run: &mut Run<'_, S>, read: ReadMessage, people: &People, channels: &ChannelIds) -> Item {
        let ReadMessage { dated: DatedMessage { mut message, at, place }, nth, thread } = read;
        let thread_id = self.thread_id(run, &message, at, thread, &place);
        let (kind, turned) = kinds::kind(&message);
        if let Some(turned) = turned {
            let subtype = message.subtype.clone().unwrap_or_default();
            run.report.turned(turned, || format!("{place}: {subtype}"));
        }
        kinds::in_italics(&mut message);
        let author = author_id(&message, people, run.fallback_user);
        let sent_at = at.min(run.settings.at);
        if sent_at < at {
            run.report.turned("message from after the import into one of its moment", || place.clone());
        }
        let facts = Facts { author, kind, at: sent_at, thread_id, place: &place };
        let posting = self.posting(run, &message, facts, &Directory { people, channels });
        let mut events = vec![original(MessageEvent::Posted(Box::new(posting)), author, sent_at)];
        events.extend(reactions(&message, sent_at, people, run, &place));
        events.extend(self.pin(run, &message, at, author, people));
        if kinds::is_tombstone(&message) {
            events.push(original(MessageEvent::Deleted { by: author }, author, sent_at));
        }
        run.handed_over(&events);
        let stream = StreamId::message(run.ids.message(&self.channel.slack_id, at, nth));
        let write = StreamWrite { stream, workspace_id: Some(run.settings.workspace_id), expected: 0, caused_by: None, events };
        Item { write, claims: Vec::new(), look_up: LookUp::Version }
    }

    fn posting<S>(&self, run: &mut Run<'_, S>, message: &SlackMessage, facts: Facts<'_>, directory: &Directory<'_>) -> Posting {
        let Facts { author, kind, at, thread_id, place } = facts;
        let (content, mut formatted) = content::content(message, directory, &mut run.report, place);
        formatted.bot_name = name_of_bot(message, kind);
        let edited_at = message.edited.as_ref().and_then(|edit| moment(edit.ts.as_deref()?));
        run.report.read.edited_messages += u64::from(edited_at.is_some());
        Posting {
            workspace_id: run.settings.workspace_id,
            channel_id: self.channel.channel_id,
            author,
            kind,
            content,
            formatted,
            thread_id,
            client_msg_id: some(message.client_msg_id.as_ref()).and_then(|id| ClientMsgId::parse(id).ok()),
            sent_at: at,
            moment: Moment::Sent,
            edited_at,
            erased: false,
        }
    }

    fn thread_id<S>(
        &self,
        run: &mut Run<'_, S>,
        message: &SlackMessage,
        at: DateTime<Utc>,
        thread: Option<DateTime<Utc>>,
        place: &str,
    ) -> Option<MessageId> {
        let Some(begun_at) = thread else {
            run.report.read.threads += u64::from(message.thread_ts.as_deref().and_then(moment) == Some(at));
            return None;
        };
        run.report.read.replies += 1;
        match self.seen.parent(begun_at.timestamp_micros()) {
            Parent::Message(nth) => Some(run.ids.message(&self.channel.slack_id, begun_at, nth)),
            Parent::Reply(_) => {
                run.report.turned("reply to a reply into a message of the channel", || place.into());
                None
            }
            Parent::Missing => {
                run.report.turned("reply to a message that is not in the export into a message of the channel", || place.into());
                None
            }
        }
    }

    /// A message is pinned if the message says so, or if the channel's list does.
    fn pin<S>(
        &mut self,
        run: &mut Run<'_, S>,
        message: &SlackMessage,
        at: DateTime<Utc>,
        author: UserId,
        people: &People,
    ) -> Option<PendingEvent> {
        let listed = self.pins.remove(&at.timestamp_micros());
        if listed.is_none() && message.pinned_to.is_empty() && message.pinned_info.is_none() {
            return None;
        }
        run.report.pins.in_file += 1;
        let (listed_by, listed_at) = listed.unwrap_or_default();
        let info = message.pinned_info.as_ref();
        let by = listed_by.as_deref().or_else(|| info.and_then(|info| some(info.pinned_by.as_ref())));
        let by = by.and_then(|id| people.find(id)).unwrap_or(author);
        let pinned_at = listed_at.or_else(|| second(info?.pinned_ts)).unwrap_or(at).max(at).min(run.settings.at);
        Some(original(MessageEvent::Pinned { by }, by, pinned_at))
    }
}

/// The moment of the message that began the thread, if the message says that it is a reply.
fn thread_of(message: &SlackMessage, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let root = || message.root.as_ref().filter(|_| is_broadcast(message)).and_then(|root| moment(root.ts.as_deref()?));
    message.thread_ts.as_deref().and_then(moment).or_else(root).filter(|begun_at| *begun_at != at)
}

/// Gives the reactions of a reply to the copy of it that is kept. Only one of the two may have them.
fn join_copies(dated: &mut [DatedMessage]) {
    for at in 1..dated.len() {
        let (before, after) = dated.split_at_mut(at);
        let ([.., kept], [copy, ..]) = (before, after) else { continue };
        let broadcast = is_broadcast(&kept.message) || is_broadcast(&copy.message);
        let same = kept.at == copy.at && kept.message.user == copy.message.user && broadcast;
        if same && kept.message.reactions.is_empty() {
            kept.message.reactions = std::mem::take(&mut copy.message.reactions);
        }
    }
}

/// Whether it is an event that is no message, such as `reaction_added`.
fn is_another_event(message: &SlackMessage) -> bool {
    some(message.kind.as_ref()).is_some_and(|kind| kind != "message")
}

fn says_nothing(message: &SlackMessage) -> bool {
    let texts = some(message.text.as_ref()).is_some() || message.comment.is_some() || message.blocks.is_some();
    !texts && message.attachments.is_empty() && message.files.is_empty() && message.file.is_none()
}

/// Facts about a message that are known before its text is read.
struct Facts<'a> {
    author: UserId,
    kind: Kind,
    at: DateTime<Utc>,
    thread_id: Option<MessageId>,
    place: &'a str,
}

/// One event for each person and emoji. Slack gives no time for reactions, so they get the message's time.
fn reactions<S>(message: &SlackMessage, at: DateTime<Utc>, people: &People, run: &mut Run<'_, S>, place: &str) -> Vec<PendingEvent> {
    let mut there = BTreeSet::new();
    let mut events = Vec::new();
    for reaction in &message.reactions {
        let name = reaction.name.as_deref().unwrap_or_default();
        let emoji = emoji(name);
        for slack_id in &reaction.users {
            match (&emoji, people.find(slack_id)) {
                (Some(emoji), Some(user_id)) if there.insert((emoji.clone(), user_id)) => {
                    events.push(original(MessageEvent::Reacted { user_id, emoji: emoji.clone() }, user_id, at));
                }
                (Some(_), Some(_)) => skip_reactions(run, 1, "reaction that the same person made already", || format!("{place}: {name}")),
                (Some(_), None) => skip_reactions(run, 1, "reaction of nobody", || format!("{place}: {name}")),
                (None, _) => skip_reactions(run, 1, "reaction that is no emoji", || format!("{place}: {name:?}")),
            }
        }
        skip_reactions(run, unnamed(reaction), "reaction of people whom the export does not name", || format!("{place}: {name}"));
    }
    events
}

fn skip_reactions<S>(run: &mut Run<'_, S>, count: u64, kind: &'static str, example: impl FnOnce() -> String) {
    run.report.reactions.skipped += count;
    run.report.skip_many(kind, count, example);
}

/// An export names about fifty people of a reaction. The others are only counted.
fn unnamed(reaction: &super::model::SlackReaction) -> u64 {
    let count = reaction.count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    count.saturating_sub(reaction.users.len() as u64)
}

fn count_reactions<S>(message: &SlackMessage, run: &mut Run<'_, S>) {
    let of_one = |reaction: &super::model::SlackReaction| reaction.users.len() as u64 + unnamed(reaction);
    run.report.reactions.in_file += message.reactions.iter().map(of_one).sum::<u64>();
}

/// Skips a message, with its reactions.
fn skip<S>(message: &SlackMessage, run: &mut Run<'_, S>, kind: &'static str, example: impl FnOnce() -> String) {
    run.report.messages.skipped += 1;
    run.report.skip(kind, example);
    let reactions = message.reactions.iter().map(|reaction| reaction.users.len() as u64 + unnamed(reaction)).sum();
    skip_reactions(run, reactions, "reaction to a message that was skipped", String::new);
}
