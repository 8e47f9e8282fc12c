//! Messages that the retention policy has removed, and messages that were purged.

use super::{by, deleted, given, new, post, posted, refuse, related, workspace};
use crate::ids::HoldId;
use crate::message::{Message, MessageCommand, MessageEvent, MessageRefusal, NewMessage, RelatedAggregates};
use crate::retention::RetentionAction;
use crate::test_data::{ANN, BOB, GENERAL};
use crate::text::{Emoji, MessageBody, Reason};
use crate::workspace::{HoldTarget, WorkspaceEvent};

const HOLD: HoldId = HoldId(uuid::Uuid::from_u128(0x500));

fn gone(action: RetentionAction) -> RelatedAggregates {
    RelatedAggregates { gone: Some(action), ..related() }
}

fn reason() -> Reason {
    Reason::parse("Decision of the court").expect("a reason")
}

fn purge() -> MessageCommand {
    MessageCommand::Purge { reason: reason() }
}

fn purged() -> MessageEvent {
    MessageEvent::Purged { by: ANN, reason: reason() }
}

#[test]
fn a_message_that_retention_removed_cannot_be_changed() {
    let emoji = || Emoji::parse("tada").expect("an emoji");
    let commands = [
        MessageCommand::Edit { content: MessageBody::parse("other").expect("a text") },
        MessageCommand::Delete,
        MessageCommand::Pin,
        MessageCommand::Unpin,
        MessageCommand::React { emoji: emoji() },
        MessageCommand::RemoveReaction { emoji: emoji() },
    ];
    for action in [RetentionAction::Archive, RetentionAction::Purge] {
        for command in commands.clone() {
            refuse(gone(action), vec![posted()], by(ANN), command, MessageRefusal::Archived);
        }
    }
}

#[test]
fn a_removed_thread_cannot_be_answered() {
    let mut root = Message::default();
    cqrs_es::Aggregate::apply(&mut root, posted());
    let under = RelatedAggregates { parent: Some(std::sync::Arc::new(root)), ..gone(RetentionAction::Archive) };
    let reply = post(NewMessage { thread_id: Some(super::ROOT), ..new("late") });
    refuse(under, vec![], by(BOB), reply, MessageRefusal::Archived);
}

#[test]
fn a_message_is_purged_once_even_if_it_was_deleted_or_archived() {
    given(related(), vec![posted()]).when((by(ANN), purge())).then_expect_events(vec![purged()]);
    given(related(), vec![posted(), deleted()]).when((by(ANN), purge())).then_expect_events(vec![purged()]);
    given(gone(RetentionAction::Archive), vec![posted()]).when((by(ANN), purge())).then_expect_events(vec![purged()]);
    given(related(), vec![posted(), purged()]).when((by(ANN), purge())).then_expect_events(vec![]);
    given(gone(RetentionAction::Purge), vec![posted()]).when((by(ANN), purge())).then_expect_events(vec![]);
    refuse(related(), vec![], by(ANN), purge(), MessageRefusal::NotFound);
}

#[test]
fn a_held_message_is_not_purged_and_the_refusal_names_the_hold() {
    for on in [HoldTarget::Workspace {}, HoldTarget::Channel { channel_id: GENERAL }] {
        let held = workspace(vec![WorkspaceEvent::HoldPlaced { hold_id: HOLD, on, reason: reason(), placed_by: ANN }]);
        let related = RelatedAggregates { workspace: held, ..related() };
        refuse(related, vec![posted()], by(ANN), purge(), MessageRefusal::Held(HOLD));
    }
}

#[test]
fn a_purged_message_keeps_nothing_except_that_it_existed() {
    let mut message = Message::default();
    [posted(), purged()].into_iter().for_each(|event| cqrs_es::Aggregate::apply(&mut message, event));
    assert!(message.purged && message.deleted && !message.exists());
    assert_eq!(message.posting.map(|posting| posting.content.to_string()), Some(String::new()));
}
