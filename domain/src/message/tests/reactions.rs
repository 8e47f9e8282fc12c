//! The rules of reactions.

use cqrs_es::Aggregate;

use super::{RelatedAggregates, given, posted, refuse, related, system, workspace};
use crate::ids::UserId;
use crate::message::decide::EMOJIS_MAX;
use crate::message::{Message, MessageCommand, MessageEvent, MessageRefusal};
use crate::test_data::{ANN, BOB, by};
use crate::text::{Emoji, EmojiName};
use crate::workspace::WorkspaceEvent;

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
    std::iter::once(posted()).chain(emojis::iter().take(EMOJIS_MAX).map(|emoji| reacted(ANN, emoji.as_str()))).collect()
}

#[test]
fn a_member_reacts_to_a_message_and_to_a_system_message() {
    for event in [posted(), system()] {
        given(related(), vec![event]).when((by(BOB), react("👍"))).then_expect_events(vec![reacted(BOB, "👍")]);
    }
}

#[test]
fn another_user_or_another_emoji_is_another_reaction() {
    let before = || vec![posted(), reacted(BOB, "👍")];
    given(related(), before()).when((by(ANN), react("👍"))).then_expect_events(vec![reacted(ANN, "👍")]);
    given(related(), before()).when((by(BOB), react("tada"))).then_expect_events(vec![reacted(BOB, "tada")]);
}

#[test]
fn the_same_reaction_again_changes_nothing() {
    given(related(), vec![posted(), reacted(BOB, "👍")]).when((by(BOB), react("👍"))).then_expect_events(vec![]);
}

#[test]
fn two_forms_of_an_emoji_are_one_reaction() {
    let before = || vec![posted(), reacted(BOB, "❤")];
    let mut message = Message::default();
    before().into_iter().for_each(|event| message.apply(event));
    for form in ["❤", "❤️", ":heart:"] {
        assert!(message.decide(&related(), &by(BOB), react(form)).unwrap_or_default().is_empty(), "{form} is another reaction");
    }
    let taken_back = MessageEvent::ReactionRemoved { user_id: BOB, emoji: emoji("❤️") };
    given(related(), before()).when((by(BOB), MessageCommand::RemoveReaction { emoji: emoji("❤️") })).then_expect_events(vec![taken_back]);
}

#[test]
fn a_name_that_is_no_emoji_is_no_reaction() {
    for name in ["hans-muster", "no_such_emoji", "नाम"] {
        refuse(related(), vec![posted()], by(BOB), react(name), MessageRefusal::NotAnEmoji);
    }
}

#[test]
fn a_workspace_reacts_with_its_own_emojis_until_they_are_removed() {
    let name = || EmojiName::parse("party_parrot").expect("a name");
    let added = WorkspaceEvent::EmojiAdded { name: name(), added_by: ANN };
    let removed = WorkspaceEvent::EmojiRemoved { name: name(), removed_by: ANN };
    let with = |events| RelatedAggregates { workspace: workspace(events), ..related() };
    given(with(vec![added.clone()]), vec![posted()])
        .when((by(BOB), react(":party_parrot:")))
        .then_expect_events(vec![reacted(BOB, "party_parrot")]);
    refuse(with(vec![added.clone()]), vec![posted()], by(BOB), react("another"), MessageRefusal::NotAnEmoji);
    refuse(with(vec![added, removed]), vec![posted()], by(BOB), react("party_parrot"), MessageRefusal::NotAnEmoji);
}

#[test]
fn a_name_that_an_import_brought_along_can_be_joined_and_removed() {
    let before = || vec![posted(), reacted(ANN, "party_parrot")];
    given(related(), before()).when((by(BOB), react("party_parrot"))).then_expect_events(vec![reacted(BOB, "party_parrot")]);
    given(related(), before())
        .when((by(ANN), MessageCommand::RemoveReaction { emoji: emoji("party_parrot") }))
        .then_expect_events(vec![MessageEvent::ReactionRemoved { user_id: ANN, emoji: emoji("party_parrot") }]);
}

#[test]
fn an_old_reaction_that_is_no_emoji_can_be_removed_but_not_joined() {
    let stored = r#"{"message.reacted": {"user_id": "00000000-0000-0000-0000-00000000000b", "emoji": "Hans.Muster"}}"#;
    let before = || vec![posted(), serde_json::from_str::<MessageEvent>(stored).expect("an event")];
    assert!(Emoji::parse(Emoji::UNKNOWN).is_err());
    for text in ["Hans.Muster", Emoji::UNKNOWN] {
        let emoji = Emoji::to_remove(text);
        given(related(), before())
            .when((by(BOB), MessageCommand::RemoveReaction { emoji: emoji.clone() }))
            .then_expect_events(vec![MessageEvent::ReactionRemoved { user_id: BOB, emoji }]);
    }
}

#[test]
fn a_message_carries_50_different_emojis_at_most() {
    refuse(related(), full(), by(BOB), react("🐳"), MessageRefusal::TooManyReactions);
}

#[test]
fn a_full_message_still_takes_an_emoji_that_it_carries() {
    given(related(), full()).when((by(BOB), react("😀"))).then_expect_events(vec![reacted(BOB, "😀")]);
}

#[test]
fn a_reaction_is_removed() {
    let taken_back = MessageEvent::ReactionRemoved { user_id: BOB, emoji: emoji("👍") };
    given(related(), vec![posted(), reacted(BOB, "👍")])
        .when((by(BOB), MessageCommand::RemoveReaction { emoji: emoji("👍") }))
        .then_expect_events(vec![taken_back.clone()]);
    let mut message = Message::default();
    [posted(), reacted(BOB, "👍"), taken_back].into_iter().for_each(|event| message.apply(event));
    assert!(message.reactions.is_empty());
}

#[test]
fn removing_a_reaction_that_only_another_user_has_changes_nothing() {
    let command = MessageCommand::RemoveReaction { emoji: emoji("👍") };
    given(related(), vec![posted(), reacted(ANN, "👍")]).when((by(BOB), command)).then_expect_events(vec![]);
}
