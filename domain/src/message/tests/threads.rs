//! The rules of threads.

use std::sync::Arc;

use cqrs_es::Aggregate;

use super::{MESSAGE, ROOT, channel, deleted, given, new, post, posted, posting, refuse, related, system};
use crate::channel::{ChannelEvent, ChannelSettings};
use crate::ids::ChannelId;
use crate::message::{Message, MessageCommand, MessageEvent, MessageRefusal, NewMessage, Posting, RelatedAggregates};
use crate::test_data::{BOB, by};

fn under(parent: Vec<MessageEvent>) -> RelatedAggregates {
    let mut message = Message::default();
    parent.into_iter().for_each(|event| message.apply(event));
    RelatedAggregates { parent: Some(Arc::new(message)), ..related() }
}

fn reply() -> MessageCommand {
    post(NewMessage { thread_id: Some(ROOT), ..new("hello") })
}

#[test]
fn a_message_is_answered_in_a_thread() {
    given(under(vec![posted()]), vec![])
        .when((by(BOB), reply()))
        .then_expect_events(vec![MessageEvent::Posted(Box::new(Posting { thread_id: Some(ROOT), ..posting("hello") }))]);
}

#[test]
fn a_message_that_is_unknown_deleted_or_in_another_channel_cannot_be_answered() {
    let elsewhere = Posting { channel_id: ChannelId(uuid::Uuid::from_u128(0x201)), ..posting("hello") };
    let parents = [vec![], vec![posted(), deleted()], vec![MessageEvent::Posted(Box::new(elsewhere))]];
    for parent in parents {
        refuse(under(parent), vec![], by(BOB), reply(), MessageRefusal::ThreadNotFound);
    }
    refuse(related(), vec![], by(BOB), reply(), MessageRefusal::ThreadNotFound);
}

#[test]
fn the_thread_of_a_deleted_message_goes_on_if_an_answer_stands() {
    let answer = |to| MessageEvent::Posted(Box::new(Posting { thread_id: Some(to), ..posting("first") }));
    let beside = |earlier: Vec<MessageEvent>| {
        let mut message = Message::default();
        earlier.into_iter().for_each(|event| message.apply(event));
        RelatedAggregates { earlier_answer: Some(Arc::new(message)), ..under(vec![posted(), deleted()]) }
    };
    given(beside(vec![answer(ROOT)]), vec![])
        .when((by(BOB), reply()))
        .then_expect_events(vec![MessageEvent::Posted(Box::new(Posting { thread_id: Some(ROOT), ..posting("hello") }))]);
    for earlier in [vec![], vec![posted()], vec![answer(MESSAGE)], vec![answer(ROOT), deleted()]] {
        refuse(beside(earlier), vec![], by(BOB), reply(), MessageRefusal::ThreadNotFound);
    }
}

#[test]
fn a_thread_that_was_not_asked_for_is_refused() {
    refuse(under(vec![posted()]), vec![], by(BOB), post(new("hello")), MessageRefusal::ThreadNotFound);
}

#[test]
fn an_answer_cannot_be_answered_in_a_thread_of_its_own() {
    let answer = Posting { thread_id: Some(MESSAGE), ..posting("hello") };
    refuse(under(vec![MessageEvent::Posted(Box::new(answer))]), vec![], by(BOB), reply(), MessageRefusal::ThreadNested);
}

#[test]
fn a_system_message_cannot_be_answered_in_a_thread() {
    refuse(under(vec![system()]), vec![], by(BOB), reply(), MessageRefusal::ThreadOnSystemMessage);
}

#[test]
fn no_message_is_answered_in_a_thread_where_threads_are_switched_off() {
    let settings = ChannelSettings { allow_threads: false, ..ChannelSettings::default() };
    let switched_off = channel(vec![ChannelEvent::SettingsChanged(settings)]);
    let related = RelatedAggregates { channel: switched_off, ..under(vec![posted()]) };
    refuse(related, vec![], by(BOB), reply(), MessageRefusal::ThreadsDisabled);
}
