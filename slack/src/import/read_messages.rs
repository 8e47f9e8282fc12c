//! An index of the messages read in a channel. It distinguishes a copy of a message from another message, and finds the
//! parent of a reply.
//!
//! It needs 16 bytes for each message of the channel that is being read. Nothing else grows with a channel, and nothing
//! grows with the whole export.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::model::{SlackMessage, some};

/// The messages of a channel, in order of time.
#[derive(Debug, Default)]
pub(super) struct ReadMessages(Vec<IndexEntry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IndexEntry {
    micros: i64,
    marks: Marks,
}

/// What a message is recognised by among those of the same moment, in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Marks {
    author: u16,
    /// The text and the subtype.
    content: u16,
    /// The sender's own identifier. 0 if there is none.
    client_id: u16,
    is_reply: bool,
    /// Whether it is a reply that is shown in the channel too: an export may hold the reply a second time.
    is_broadcast: bool,
}

/// How a message relates to those that were read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// It is new. This many other messages have the same moment.
    New(u32),
    /// It is a copy of an earlier message.
    Copy,
}

/// The message at a moment that a reply or a change names, with its number among those of the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    Message(u32),
    Reply(u32),
    Missing,
}

impl ReadMessages {
    pub(super) fn add(&mut self, micros: i64, message: &SlackMessage, is_reply: bool) -> Occurrence {
        let entry = IndexEntry { micros, marks: Marks::of(message, is_reply) };
        let (from, to) = self.at(micros);
        if self.0[from..to].iter().any(|other| other.marks.is_copy(entry.marks)) {
            return Occurrence::Copy;
        }
        // Nearly always at the end of the list.
        self.0.insert(to, entry);
        Occurrence::New(u32::try_from(to - from).unwrap_or(u32::MAX))
    }

    pub(super) fn parent(&self, micros: i64) -> Parent {
        let (from, to) = self.at(micros);
        let nth = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        match self.0[from..to].iter().position(|entry| !entry.marks.is_reply) {
            Some(at) => Parent::Message(nth(at)),
            None if from < to => Parent::Reply(0),
            None => Parent::Missing,
        }
    }

    fn at(&self, micros: i64) -> (usize, usize) {
        let from = self.0.partition_point(|entry| entry.micros < micros);
        let same = self.0[from..].iter().take_while(|entry| entry.micros == micros).count();
        (from, from + same)
    }
}

impl Marks {
    fn of(message: &SlackMessage, is_reply: bool) -> Self {
        let is_broadcast = is_broadcast(message);
        let subtype = message.subtype.as_deref().filter(|_| !is_broadcast).unwrap_or_default();
        let client_id = some(message.client_msg_id.as_ref());
        Self {
            author: short_hash(&(&message.user, &message.bot_id, &message.username)),
            content: short_hash(&(subtype, &message.text)),
            client_id: client_id.map_or(0, |id| short_hash(&id).max(1)),
            is_reply,
            is_broadcast,
        }
    }

    /// Whether two messages of one moment are the same. A moment of Slack belongs to one message of a channel, but
    /// programs that write other archives in this form give several messages one moment.
    fn is_copy(self, other: Self) -> bool {
        let same_client_id = self.client_id != 0 && self.client_id == other.client_id;
        let broadcast = self.is_broadcast || other.is_broadcast;
        self.author == other.author && (self.content == other.content || same_client_id || broadcast)
    }
}

/// Whether the message is a reply that is shown in the channel too.
pub(super) fn is_broadcast(message: &SlackMessage) -> bool {
    matches!(message.subtype.as_deref(), Some("thread_broadcast" | "reply_broadcast"))
}

/// A hash of 16 bits: enough for the few messages of one microsecond.
fn short_hash(value: &impl Hash) -> u16 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let [low, high, ..] = hasher.finish().to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> SlackMessage {
        SlackMessage { text: Some(text.into()), ..SlackMessage::default() }
    }

    #[test]
    fn a_copy_is_distinguished_from_another_message_of_the_same_moment() {
        let mut seen = ReadMessages::default();
        assert_eq!(seen.add(5, &message("a"), false), Occurrence::New(0));
        assert_eq!(seen.add(5, &message("b"), true), Occurrence::New(1));
        assert_eq!(seen.add(5, &message("a"), false), Occurrence::Copy);
        assert_eq!(seen.add(3, &message("a"), false), Occurrence::New(0));
        assert_eq!(seen.add(5, &message("c"), false), Occurrence::New(2));
    }

    #[test]
    fn a_parent_is_a_message_or_a_reply_or_missing() {
        let mut seen = ReadMessages::default();
        seen.add(5, &message("a"), false);
        seen.add(6, &message("b"), true);
        assert_eq!((seen.parent(5), seen.parent(6), seen.parent(7)), (Parent::Message(0), Parent::Reply(0), Parent::Missing));
        seen.add(6, &message("c"), false);
        assert_eq!(seen.parent(6), Parent::Message(1));
    }

    #[test]
    fn a_reply_that_is_shown_in_the_channel_too_is_one_message() {
        let of = |user: &str, subtype: Option<&str>, text: &str| SlackMessage {
            user: Some(user.into()),
            subtype: subtype.map(Into::into),
            ..message(text)
        };
        let mut seen = ReadMessages::default();
        assert_eq!(seen.add(5, &of("U1", Some("thread_broadcast"), "a"), true), Occurrence::New(0));
        assert_eq!(seen.add(5, &of("U1", None, "a"), false), Occurrence::Copy);
        assert_eq!(seen.add(5, &of("U1", None, ""), true), Occurrence::Copy);
        assert_eq!(seen.add(5, &of("U2", None, "a"), true), Occurrence::New(1));
        assert_eq!(seen.add(6, &of("U1", None, "a"), true), Occurrence::New(0));
        assert_eq!(seen.add(6, &of("U1", Some("reply_broadcast"), "<https://x.example>"), true), Occurrence::Copy);
    }

    #[test]
    fn a_message_with_the_same_identifier_of_its_sender_is_a_copy_though_its_text_was_edited() {
        let of = |text: &str| SlackMessage { client_msg_id: Some("abc".into()), ..message(text) };
        let mut seen = ReadMessages::default();
        assert_eq!(seen.add(5, &of("tpyo"), false), Occurrence::New(0));
        assert_eq!(seen.add(5, &of("typo"), false), Occurrence::Copy);
        assert_eq!(seen.add(5, &message("other"), false), Occurrence::New(1));
    }
}
