//! Compares the events that came over sockets with the log: every event that the user could see when it happened and ever
//! since must come, once and in order, and no event that they could not see.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::log::{Event, Log};
use super::{Violation, tell};
use crate::load::{Followed, Seen};

/// A span of positions: the first, and the first that is not in it any more.
type Span = (i64, i64);

/// The memberships of all users, at every position so far. (No user of a campaign is a guest.)
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// The spans in which a user was an active member of a workspace.
    in_workspace: HashMap<(Uuid, Uuid), Vec<Span>>,
    /// The spans in which a user was in a channel.
    in_channel: HashMap<(Uuid, Uuid), Vec<Span>>,
    /// The workspace of each channel, and whether every member of it may read the channel.
    channels: HashMap<Uuid, (Uuid, bool)>,
    channel_of: HashMap<Uuid, Uuid>,
}

fn begin(spans: &mut Vec<Span>, position: i64) {
    if spans.last().is_none_or(|(_, end)| *end < i64::MAX) {
        spans.push((position, i64::MAX));
    }
}

fn end(spans: &mut [Span], position: i64) {
    if let Some((_, end)) = spans.last_mut() {
        *end = position.min(*end);
    }
}

impl Sight {
    /// Applies an event. Every judgement is by the state after it.
    pub(crate) fn apply(&mut self, event: &Event) {
        let (id, position) = (event.stream, event.position);
        let user = event.id("user_id").unwrap_or_default();
        match event.event_type.as_str() {
            "message.posted" => drop(self.channel_of.insert(id, event.id("channel_id").unwrap_or_default())),
            "channel.created" => {
                let workspace = event.id("workspace_id").unwrap_or_default();
                self.channels.insert(id, (workspace, event.text("kind") == Some("public")));
            }
            "channel.member_joined" => begin(self.in_channel.entry((id, user)).or_default(), position),
            "channel.member_left" | "channel.member_removed" => end(self.in_channel.entry((id, user)).or_default(), position),
            "workspace.member_joined" | "workspace.member_reactivated" => {
                begin(self.in_workspace.entry((id, user)).or_default(), position);
            }
            "workspace.member_deactivated" => end(self.in_workspace.entry((id, user)).or_default(), position),
            _ => {}
        }
    }

    /// The spans in which a user could see an event of this kind.
    fn spans(&self, user: Uuid, event: &Event) -> Vec<Span> {
        let all = |spans: Option<&Vec<Span>>| spans.cloned().unwrap_or_default();
        let channel = match event.aggregate_type.as_str() {
            "channel" => event.stream,
            "message" => self.channel_of.get(&event.stream).copied().unwrap_or_default(),
            "workspace" => return all(self.in_workspace.get(&(event.stream, user))),
            // Events of users: the members who share a workspace with them, or only themselves.
            _ => return vec![(0, i64::MAX)],
        };
        let Some((workspace, is_public)) = self.channels.get(&channel).copied() else { return Vec::new() };
        let in_workspace = all(self.in_workspace.get(&(workspace, user)));
        if is_public {
            return in_workspace;
        }
        let in_channel = all(self.in_channel.get(&(channel, user)));
        let both = in_workspace.iter().flat_map(|one| in_channel.iter().map(move |two| (one.0.max(two.0), one.1.min(two.1))));
        both.filter(|(begin, end)| begin < end).collect()
    }

    /// Whether a user must get an event: they could see it when it happened, and ever since.
    fn is_due(&self, user: Uuid, event: &Event) -> bool {
        let is_of_readers = matches!(event.aggregate_type.as_str(), "channel" | "message");
        let is_for_one = event.event_type == "channel.notification_level_changed";
        let lasts = |(begin, end): &Span| *begin <= event.position && *end == i64::MAX;
        is_of_readers && !is_for_one && self.spans(user, event).iter().any(lasts)
    }

    /// Whether a user may get an event over a connection that was opened when `known` was the end of the log: they could see
    /// it when it happened, and at some moment of the connection.
    fn may(&self, user: Uuid, event: &Event, known: i64) -> bool {
        if is_own_removal(user, event) {
            return true;
        }
        let spans = self.spans(user, event);
        let at = |position: i64| spans.iter().any(|(begin, end)| *begin <= position && position < *end);
        let from = |position: i64| spans.iter().any(|(_, end)| *end > position);
        at(event.position) && from(known.max(event.position))
    }
}

fn is_own_removal(user: Uuid, event: &Event) -> bool {
    let removals = ["channel.member_left", "channel.member_removed", "workspace.member_deactivated"];
    removals.contains(&event.event_type.as_str()) && event.id("user_id") == Some(user)
}

/// Judges the events that each user got. The events behind `from` were due.
pub(crate) fn check(log: &Log, sight: &Sight, from: i64, all: &[Followed], found: &mut Vec<Violation>) {
    for followed in all {
        for trouble in &followed.troubles {
            tell(found, "trouble with a socket", || format!("{}: {trouble}", followed.user));
        }
        let mut before = followed.before;
        for seen in &followed.seen {
            if seen.position <= before {
                tell(found, "twice or out of order over a socket", || format!("{}: {seen:?} after {before}", followed.user));
            }
            before = seen.position;
            judge(log, sight, followed.user, seen, found);
        }
        let got = followed.seen.iter().map(|seen| seen.position).collect::<HashSet<_>>();
        // A user who has not begun to follow gets nothing.
        let Some(begin) = followed.begin else { continue };
        for event in log.since(from.max(begin)) {
            if !got.contains(&event.position) && sight.is_due(followed.user, event) {
                tell(found, "missing over a socket", || {
                    format!("{}: {} at {}, after {} connections", followed.user, event.event_type, event.position, followed.connections)
                });
            }
        }
    }
}

fn judge(log: &Log, sight: &Sight, user: Uuid, seen: &Seen, found: &mut Vec<Violation>) {
    match log.since(seen.position - 1).first() {
        Some(event) if event.event_type == seen.event => {
            if !sight.may(user, event, seen.known_before) {
                tell(found, "forbidden over a socket", || format!("{user}: {seen:?}"));
            }
        }
        event => tell(found, "not in the log, and over a socket", || format!("{user}: {seen:?}, the log has {event:?}")),
    }
}
