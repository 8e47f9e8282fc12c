//! What was read of a channel: enough to tell a message from a copy of it, and a reply that has a parent from one that has none.
//!
//! 16 bytes for each message of the one channel that is being read: this is what grows with a channel, and nothing grows with the export.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::model::SlackMessage;

/// The messages of a channel, in order of time.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<Mark>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    micros: i64,
    /// The lowest bit tells whether it is a reply.
    content: u64,
}

/// What a message is beside those that were read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    /// So many others have its moment.
    New(u32),
    /// It is there already.
    Copy,
}

/// What a reply's parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    Message,
    Reply,
    Missing,
}

impl Seen {
    pub(super) fn see(&mut self, micros: i64, message: &SlackMessage, is_reply: bool) -> Sighting {
        let mark = Mark { micros, content: content(message) & !1 | u64::from(is_reply) };
        let (from, to) = self.at(micros);
        if self.0[from..to].iter().any(|other| other.content | 1 == mark.content | 1) {
            return Sighting::Copy;
        }
        // Nearly always at the end.
        self.0.insert(to, mark);
        Sighting::New(u32::try_from(to - from).unwrap_or(u32::MAX))
    }

    pub(super) fn parent(&self, micros: i64) -> Parent {
        let (from, to) = self.at(micros);
        match self.0[from..to].first() {
            Some(mark) if mark.content & 1 == 1 => Parent::Reply,
            Some(_) => Parent::Message,
            None => Parent::Missing,
        }
    }

    fn at(&self, micros: i64) -> (usize, usize) {
        let from = self.0.partition_point(|mark| mark.micros < micros);
        let same = self.0[from..].iter().take_while(|mark| mark.micros == micros).count();
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
    fn a_copy_is_told_from_another_message_of_the_same_moment() {
        let mut seen = Seen::default();
        assert_eq!(seen.see(5, &message("a"), false), Sighting::New(0));
        assert_eq!(seen.see(5, &message("b"), true), Sighting::New(1));
        assert_eq!(seen.see(5, &message("a"), false), Sighting::Copy);
        assert_eq!(seen.see(3, &message("a"), false), Sighting::New(0));
        assert_eq!(seen.see(5, &message("c"), false), Sighting::New(2));
    }

    #[test]
    fn a_parent_is_there_or_is_a_reply_itself_or_is_missing() {
        let mut seen = Seen::default();
        seen.see(5, &message("a"), false);
        seen.see(6, &message("b"), true);
        assert_eq!((seen.parent(5), seen.parent(6), seen.parent(7)), (Parent::Message, Parent::Reply, Parent::Missing));
    }
}
