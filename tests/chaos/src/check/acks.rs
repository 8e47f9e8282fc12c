//! Acknowledged commands are in the log exactly once and with the requested content. Refused commands are not in the
//! log.

use std::collections::HashMap;

use serde_json::Value;

use super::log::{Event, Log};
use super::{Violation, tell};
use crate::record::{Attempt, Command, Effect, Outcome, ROW_FOLLOWS};

/// How often each text was posted, or replaced another text. No two texts of the clients are equal.
pub(crate) type Texts = HashMap<(String, String), usize>;

/// Counts the texts of the new events.
pub(crate) fn count_texts(texts: &mut Texts, fresh: &[Event]) {
    for event in fresh.iter().filter(|event| matches!(event.event_type.as_str(), "message.posted" | "message.edited")) {
        let text = event.text("content").unwrap_or_default().to_owned();
        *texts.entry((event.event_type.clone(), text)).or_default() += 1;
    }
}

/// Judges finished commands.
pub(crate) fn check(log: &Log, texts: &Texts, commands: &[Command], found: &mut Vec<Violation>) {
    for command in commands {
        judge(log, command, found);
        judge_text(texts, command, found);
    }
}

fn judge(log: &Log, command: &Command, found: &mut Vec<Violation>) {
    let acks = command.attempts.iter().map(|attempt| &attempt.outcome).filter(|outcome| outcome.is_ack()).collect::<Vec<_>>();
    let key = log.key(&command.key);
    let Some(first) = acks.first() else { return judge_refusal(log, command, found) };
    // An answer for an existing object may come again later with another position.
    if acks.iter().any(|ack| !agree(first, ack, key.is_some())) {
        tell(found, "two answers to one key", || format!("{command:?}"));
    }
    let refused = |attempt: &Attempt| matches!(attempt.outcome.status(), Some(400..500));
    if key.is_some() && command.attempts.iter().skip_while(|attempt| !attempt.outcome.is_ack()).any(refused) {
        tell(found, "refused after it was done", || format!("{command:?}"));
    }
    let Some(key) = key.filter(|key| key.actor == command.actor) else {
        // If a command changed nothing, neither an event nor its key is in the log.
        let position = first.position().filter(|position| *position <= log.head());
        let is_there = |position| command.effect.as_ref().is_none_or(|effect| stands(log, effect, position));
        if !position.is_some_and(is_there) {
            tell(found, "lost acknowledgement", || format!("{command:?}"));
        }
        return;
    };
    if first.position() != Some(key.position) {
        tell(found, "acknowledged elsewhere", || format!("{command:?} stands at {}", key.position));
        return;
    }
    if let Some(effect) = &command.effect
        && !log.request_ending_at(key.position).into_iter().any(|event| shows(event, effect))
    {
        tell(found, "acknowledged, and not done", || format!("{command:?} at {}", key.position));
    }
}

/// Events that switch a thing on, those that switch it off, and the fields that say which thing of the stream it is. A
/// command that asks for what is there already is acknowledged, and writes no event.
const SWITCHES: [(&[&str], &[&str], &[&str]); 6] = [
    (&["message.reacted"], &["message.reaction_removed"], &["user_id", "emoji"]),
    (&["message.pinned"], &["message.unpinned"], &[]),
    (&["message.deleted"], &[], &[]),
    (&["channel.member_joined"], &["channel.member_left", "channel.member_removed"], &["user_id"]),
    (&["channel.archived"], &["channel.unarchived"], &[]),
    (&["workspace.member_deactivated"], &["workspace.member_reactivated"], &["user_id"]),
];

/// Whether the effect was there at this position without an event of the command, or an event soon afterwards made it
/// so: the server may have decided on a later state than the position that it answered.
fn stands(log: &Log, effect: &Effect, position: i64) -> bool {
    let is_one_of = |types: &[&str]| types.contains(&effect.event_type);
    let Some((on, off, names)) = SWITCHES.iter().find(|(on, off, _)| is_one_of(on) || is_one_of(off)) else { return false };
    let is_about = |event: &&Event| {
        let event_type = event.event_type.as_str();
        let is_same = names.iter().all(|name| event.payload.get(name) == effect.fields.get(name));
        effect.stream == Some(event.stream) && (on.contains(&event_type) || off.contains(&event_type)) && is_same
    };
    let agrees = |event: &Event| on.contains(&event.event_type.as_str()) == is_one_of(on);
    let until = usize::try_from(position).unwrap_or(0);
    let before = log.since(0).iter().take(until).rev().find(is_about);
    before.map_or(is_one_of(off), agrees) || log.since(position).iter().filter(is_about).any(agrees)
}

/// Whether two answers to the same key agree.
fn agree(first: &Outcome, second: &Outcome, at_one_position: bool) -> bool {
    match (first, second) {
        (Outcome::Answered { position: a, body: x, status: s, .. }, Outcome::Answered { position: b, body: y, status: t, .. }) => {
            let is_same = if *s == ROW_FOLLOWS || *t == ROW_FOLLOWS { names_the_same(x, y) } else { s == t && is_same_row(x, y) };
            is_same && (a == b || !at_one_position)
        }
        _ => false,
    }
}

/// The fields that never change in a row. A repeated request is answered with the row as it is by then.
const NEVER_CHANGES: [&str; 5] = ["message_id", "channel_id", "workspace_id", "user_id", "created_at"];

/// Whether two rows are of the same thing.
fn is_same_row(one: &Value, other: &Value) -> bool {
    NEVER_CHANGES.iter().all(|name| one.get(name) == other.get(name))
}

/// Whether both answers name the same thing. An answer without a row names the new thing at most.
fn names_the_same(one: &Value, other: &Value) -> bool {
    NEVER_CHANGES.iter().all(|name| one.get(name).zip(other.get(name)).is_none_or(|(one, other)| one == other))
}

/// Whether an event has the effect that the client asked for.
fn shows(event: &Event, effect: &Effect) -> bool {
    let fields = effect.fields.as_object();
    event.event_type == effect.event_type
        && effect.stream.is_none_or(|stream| event.stream == stream)
        && fields.is_none_or(|fields| fields.iter().all(|(name, value)| holds(event.payload.get(name), value)))
}

/// Whether a value contains at least the expected value.
fn holds(value: Option<&Value>, expected: &Value) -> bool {
    match (value, expected) {
        (Some(Value::Object(value)), Value::Object(expected)) => expected.iter().all(|(name, wanted)| holds(value.get(name), wanted)),
        (value, expected) => value == Some(expected),
    }
}

/// Judges a refusal: the command must not be in the log. An earlier attempt that may still have run is excused, unless
/// a client knew of its position before the last attempt.
fn judge_refusal(log: &Log, command: &Command, found: &mut Vec<Violation>) {
    let Some(last) = command.attempts.last().filter(|attempt| attempt.outcome.status().is_some_and(|status| status != 503)) else { return };
    let unheard = command.attempts.iter().filter(|attempt| !matches!(attempt.outcome, Outcome::Broken { unsent: true, .. })).count();
    if let Some(key) = log.key(&command.key)
        && (unheard == 1 || key.position <= last.known_before)
    {
        tell(found, "refused, and done", || format!("{command:?} stands at {}", key.position));
    }
}

fn judge_text(texts: &Texts, command: &Command, found: &mut Vec<Violation>) {
    let Some(effect) = command.effect.as_ref().filter(|effect| matches!(effect.event_type, "message.posted" | "message.edited")) else {
        return;
    };
    let text = effect.fields.get("content").and_then(Value::as_str).unwrap_or_default();
    let times = texts.get(&(effect.event_type.to_owned(), text.to_owned())).copied().unwrap_or(0);
    let acknowledged = command.attempts.iter().any(|attempt| attempt.outcome.is_ack());
    if times > 1 || (acknowledged && times == 0) {
        tell(found, "not exactly once", || format!("{times} times in the log: {command:?}"));
    }
}
