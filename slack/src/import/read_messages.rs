//! An index of the messages read in a channel. It distinguishes a copy of a message from another message, and finds the
//! parent of a reply.
//!
//! It needs 16 bytes for each message of the channel that is being read. Nothing else grows with a channel, and nothing
//! grows with the whole export.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::model::SlackMessage;

/// The messages of a channel, in order of time.
#[derive(Debug, Default)]
pub(super) struct ReadMessages(Vec<IndexEntry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IndexEntry {
    micros: i64,
    /// The lowest bit says whether it is a reply.
    content: u64,
}

/// How a message relates to those that were read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// It is new. This many other messages have the same moment.
    New(u32),
    /// It is a copy of an earlier message.
    Copy,
}

/// The parent of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    Message,
    Reply,
    Missing,
}

impl ReadMessages {
    pub(super) fn add(&mut self, micros: i64, message: &SlackMessage, is_reply: bool) -> Occurrence {
        let entry = IndexEntry { micros, content: content(message) & !1 | u64::from(is_reply) };
        let (from, to) = self.at(micros);
        if self.0[from..to].iter().any(|other| other.content | 1 == entry.content | 1) {
            return Occurrence::Copy;
        }
        // Nearly always at the end of the list.
        self.0.insert(to, entry);
        Occurrence::New(u32::try_from(to - from).unwrap_or(u32::MAX))
    }

    pub(super) fn parent(&self, micros: i64) -> Parent {
        let (from, to) = self.at(micros);
        match self.0[from..to].first() {
            Some(entry) if entry.content & 1 == 1 => Parent::Reply,
            Some(_) => Parent::Message,
            None => Parent::Missing,
        }
    }

    fn at(&self, micros: i64) -> (usize, usize) {
        let from = self.0.partition_point(|entry| entry.micros < micros);
        let same = self.0[from..].iter().take_while(|entry| entry.micros == micros).count();
        (from, from + same)
    }
}

fn content(message: &SlackMessage) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&message.user, &message.bot_id, &message.username, &message.subtype, &message.text).hash(&mut hasher);
    hasher.finish()
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
        assert_eq!((seen.parent(5), seen.parent(6), seen.parent(7)), (Parent::Message, Parent::Reply, Parent::Missing));
    }
}
