//! The rules of reactions.

use cqrs_es::Aggregate;

use super::{around, given, posted, refuse, system};
use crate::ids::UserId;
use crate::message::decide::EMOJIS_MAX;
use crate::message::{Message, MessageCommand, MessageEvent, MessageRefusal};
use crate::test_data::{ANN, BOB, by};
use crate::text::Emoji;

pub(super) fn emoji(text: &str) -> Emoji {
    Emoji::parse(text).expect("an emoji")
}

fn react(text: &str) -> MessageCommand {
    MessageCommand::React { emoji: emoji(text) }
}

fn reacted(user_id: UserId, text: &str) -> MessageEvent {
    MessageEvent::Reacted { user_id, emoji: emoji(text) }
}

fn full() -> Vec<MessageEvent> {
    std::iter::once(posted()).chain((0..EMOJIS_MAX).map(|n| reacted(ANN, &format!("emoji-{n}")))).collect()
}

#[test]
fn a_member_reacts_to_a_message_and_to_a_system_message() {
    for event in [posted(), system()] {
        given(around(), vec![event]).when((by(BOB), react("👍"))).then_expect_events(vec![reacted(BOB, "👍")]);
    }
}

#[test]
fn another_user_or_another_emoji_is_another_reaction() {
    let before = || vec![posted(), reacted(BOB, "👍")];
    given(around(), before()).when((by(ANN), react("👍"))).then_expect_events(vec![reacted(ANN, "👍")]);
    given(around(), before()).when((by(BOB), react("tada"))).then_expect_events(vec![reacted(BOB, "tada")]);
}

#[test]
fn the_same_reaction_again_changes_nothing() {
    given(around(), vec![posted(), reacted(BOB, "👍")]).when((by(BOB), react("👍"))).then_expect_events(vec![]);
}

#[test]
fn a_message_carries_50_different_emojis_at_most() {
    refuse(around(), full(), by(BOB), react("one-more"), MessageRefusal::TooManyReactions);
}

#[test]
fn a_full_message_still_takes_an_emoji_that_it_carries() {
    given(around(), full()).when((by(BOB), react("emoji-0"))).then_expect_events(vec![reacted(BOB, "emoji-0")]);
}

#[test]
fn a_reaction_is_removed() {
    let taken_back = MessageEvent::ReactionRemoved { user_id: BOB, emoji: emoji("👍") };
    given(around(), vec![posted(), reacted(BOB, "👍")])
        .when((by(BOB), MessageCommand::TakeReactionBack { emoji: emoji("👍") }))
        .then_expect_events(vec![taken_back.clone()]);
    let mut message = Message::default();
    [posted(), reacted(BOB, "👍"), taken_back].into_iter().for_each(|event| message.apply(event));
    assert!(message.reactions.is_empty());
}

#[test]
fn removing_a_reaction_that_only_another_user_has_changes_nothing() {
    let command = MessageCommand::TakeReactionBack { emoji: emoji("👍") };
    given(around(), vec![posted(), reacted(ANN, "👍")]).when((by(BOB), command)).then_expect_events(vec![]);
}
