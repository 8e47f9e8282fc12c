//! Each test gives past events and a command, and compares the events or the refusal that follow.

mod reactions;
mod retention;
mod system;
mod threads;

use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::decide::EDITS_MAX;
use super::{Kind, Message, MessageCommand, MessageEvent, MessageRefusal, Moment, NewMessage, Posting, RelatedAggregates};
use crate::channel::{Channel, ChannelEvent, Creation, Kind as ChannelKind, MemberRole};
use crate::context::Context;
use crate::formatting::{FileLink, FormattedContent, Link};
use crate::ids::{MessageId, UserId};
use crate::permission::Role;
use crate::test_data::{ACME, ANN, BOB, CAT, DAN, GENERAL, by, by_at, minutes_later, now};
use crate::text::{ChannelName, ClientMsgId, MessageBody, WorkspaceName};
use crate::workspace::{Details, Workspace, WorkspaceEvent, WorkspaceSettings};

const MESSAGE: MessageId = MessageId(Uuid::from_u128(0x400));
const ROOT: MessageId = MessageId(Uuid::from_u128(0x401));

/// Ann owns the workspace. Bob and Cat are members. Dan is deactivated.
fn workspace(more: Vec<WorkspaceEvent>) -> Arc<Workspace> {
    let details = Details { name: WorkspaceName::parse("Acme").expect("a name"), description: None, avatar_url: None };
    let joined = |user_id, role| WorkspaceEvent::MemberJoined { user_id, role, invitation_id: None, invited_by: None };
    let events = vec![
        WorkspaceEvent::Created { details, domain: None, general_channel_id: GENERAL, max_members: 10 },
        joined(ANN, Role::Owner),
        joined(BOB, Role::Member),
        joined(CAT, Role::Member),
        joined(DAN, Role::Member),
        WorkspaceEvent::MemberDeactivated { user_id: DAN },
    ];
    let mut workspace = Workspace::default();
    events.into_iter().chain(more).for_each(|event| workspace.apply(event));
    Arc::new(workspace)
}

/// Ann, Bob and Dan are members of the channel. Cat is not.
fn channel(more: Vec<ChannelEvent>) -> Arc<Channel> {
    let creation = Creation {
        workspace_id: ACME,
        kind: ChannelKind::Public,
        name: ChannelName::parse("plans").ok(),
        display_name: None,
        description: None,
        topic: None,
        purpose: None,
        is_general: false,
        created_by: ANN,
    };
    let joined = |user_id| ChannelEvent::MemberJoined { user_id, role: MemberRole::Member, invited_by: None };
    let events = vec![ChannelEvent::Created(Box::new(creation)), joined(ANN), joined(BOB), joined(DAN)];
    let mut channel = Channel::default();
    events.into_iter().chain(more).for_each(|event| channel.apply(event));
    Arc::new(channel)
}

fn related() -> RelatedAggregates {
    RelatedAggregates { workspace: workspace(vec![]), channel: channel(vec![]), channel_id: Some(GENERAL), ..RelatedAggregates::default() }
}

fn archived() -> RelatedAggregates {
    RelatedAggregates { channel: channel(vec![ChannelEvent::Archived { by: ANN }]), ..related() }
}

fn with_settings(settings: WorkspaceSettings) -> RelatedAggregates {
    RelatedAggregates { workspace: workspace(vec![WorkspaceEvent::SettingsChanged(settings)]), ..related() }
}

fn given(related: RelatedAggregates, events: Vec<MessageEvent>) -> cqrs_es::test::AggregateTestExecutor<Message> {
    TestFramework::<Message>::with(related).given(events)
}

fn body(text: &str) -> MessageBody {
    MessageBody::parse(text).expect("a text")
}

fn new(text: &str) -> NewMessage {
    let client_msg_id = ClientMsgId::parse("1").ok();
    NewMessage { message_id: MESSAGE, content: body(text), thread_id: None, client_msg_id, sent_at: now() }
}

fn post(new: NewMessage) -> MessageCommand {
    MessageCommand::Post(Box::new(new))
}

fn posting(text: &str) -> Posting {
    Posting {
        workspace_id: ACME,
        channel_id: GENERAL,
        author: BOB,
        kind: Kind::Text,
        content: body(text),
        formatted: FormattedContent::of(text),
        thread_id: None,
        client_msg_id: ClientMsgId::parse("1").ok(),
        sent_at: now(),
        moment: Moment::Recorded,
        edited_at: None,
        erased: false,
    }
}

fn posted() -> MessageEvent {
    MessageEvent::Posted(Box::new(posting("hello")))
}

fn system() -> MessageEvent {
    MessageEvent::Posted(Box::new(Posting { kind: Kind::System, ..posting("hello") }))
}

fn deleted() -> MessageEvent {
    MessageEvent::Deleted { by: BOB }
}

fn edit(text: &str) -> MessageCommand {
    MessageCommand::Edit { content: body(text) }
}

fn edited(text: &str) -> MessageEvent {
    MessageEvent::Edited { content: body(text), formatted: FormattedContent::of(text), by: BOB, erased: false }
}

fn refuse(related: RelatedAggregates, events: Vec<MessageEvent>, context: Context, command: MessageCommand, refusal: MessageRefusal) {
    given(related, events).when((context, command)).then_expect_error(refusal);
}

#[test]
fn a_member_posts() {
    given(related(), vec![]).when((by(BOB), post(new("hello")))).then_expect_events(vec![posted()]);
}

#[test]
fn references_in_a_text_are_kept_but_only_active_members_are_mentioned() {
    let stranger = UserId(Uuid::from_u128(0xe));
    let text = format!("<@{ANN}> <@{DAN}> <@{stranger}> <@{CAT}> https://example.org");
    let link = Link { url: "https://example.org".into(), label: None };
    let formatted = FormattedContent { mentions: vec![ANN, CAT], links: vec![link], ..FormattedContent::default() };
    given(related(), vec![])
        .when((by(BOB), post(new(&text))))
        .then_expect_events(vec![MessageEvent::Posted(Box::new(Posting { formatted, ..posting(&text) }))]);
}

#[test]
fn a_message_is_posted_once() {
    refuse(related(), vec![posted()], by(BOB), post(new("hello")), MessageRefusal::PostedAlready);
}

#[test]
fn a_post_to_an_unknown_channel_is_refused() {
    let without_id = RelatedAggregates { channel_id: None, ..related() };
    let without_channel = RelatedAggregates { channel: Arc::default(), ..related() };
    for nowhere in [without_id, without_channel] {
        refuse(nowhere, vec![], by(BOB), post(new("hello")), MessageRefusal::ChannelNotFound);
    }
}

#[test]
fn the_author_edits() {
    given(related(), vec![posted()]).when((by(BOB), edit("hi <!here>"))).then_expect_events(vec![edited("hi <!here>")]);
}

#[test]
fn a_message_is_edited_only_so_often() {
    let often = |edits: usize| std::iter::once(posted()).chain((0..edits).map(|n| edited(&format!("text {n}")))).collect::<Vec<_>>();
    given(related(), often(EDITS_MAX - 1)).when((by(BOB), edit("the last"))).then_expect_events(vec![edited("the last")]);
    given(related(), often(EDITS_MAX)).when((by(BOB), edit("one more"))).then_expect_error(MessageRefusal::TooManyEdits(EDITS_MAX));
}

#[test]
fn an_edit_keeps_the_files_and_the_name_of_the_bot() {
    let files = vec![FileLink { name: "plan.pdf".into(), url: None, mime_type: None, size: None }];
    let formatted = FormattedContent { files, bot_name: Some("Robot".into()), ..FormattedContent::default() };
    let posted = MessageEvent::Posted(Box::new(Posting { kind: Kind::File, formatted: formatted.clone(), ..posting("see") }));
    given(related(), vec![posted]).when((by(BOB), edit("look"))).then_expect_events(vec![MessageEvent::Edited {
        content: body("look"),
        formatted,
        by: BOB,
        erased: false,
    }]);
}

#[test]
fn an_unchanged_text_makes_no_event() {
    given(related(), vec![posted(), edited("hi")]).when((by(BOB), edit("hi"))).then_expect_events(vec![]);
}

#[test]
fn only_the_author_edits_a_message_and_the_owner_does_not() {
    refuse(related(), vec![posted()], by(ANN), edit("hi"), MessageRefusal::NotTheAuthor);
}

#[test]
fn a_system_message_cannot_be_edited_by_the_user_it_is_about() {
    refuse(related(), vec![system()], by(BOB), edit("hi"), MessageRefusal::SystemMessageStays);
}

#[test]
fn a_message_is_edited_until_the_edit_window_closes() {
    let window = || with_settings(WorkspaceSettings { edit_window_minutes: Some(5), ..WorkspaceSettings::default() });
    given(window(), vec![posted()]).when((by_at(BOB, minutes_later(5)), edit("hi"))).then_expect_events(vec![edited("hi")]);
    let late = by_at(BOB, minutes_later(5) + chrono::TimeDelta::microseconds(1));
    refuse(window(), vec![posted()], late, edit("hi"), MessageRefusal::EditWindowClosed);
}

#[test]
fn the_author_deletes() {
    given(related(), vec![posted()]).when((by(BOB), MessageCommand::Delete)).then_expect_events(vec![deleted()]);
}

#[test]
fn a_member_with_the_permission_deletes_messages_of_others_and_of_the_system() {
    for event in [posted(), system()] {
        given(related(), vec![event]).when((by(ANN), MessageCommand::Delete)).then_expect_events(vec![MessageEvent::Deleted { by: ANN }]);
    }
}

#[test]
fn nobody_else_deletes_a_message() {
    refuse(related(), vec![posted()], by(CAT), MessageCommand::Delete, MessageRefusal::NotTheAuthor);
    refuse(related(), vec![system()], by(BOB), MessageCommand::Delete, MessageRefusal::NotTheAuthor);
}

#[test]
fn a_message_is_pinned_and_unpinned() {
    let pinned = MessageEvent::Pinned { by: ANN };
    given(related(), vec![posted()]).when((by(ANN), MessageCommand::Pin)).then_expect_events(vec![pinned.clone()]);
    given(related(), vec![posted(), pinned])
        .when((by(BOB), MessageCommand::Unpin))
        .then_expect_events(vec![MessageEvent::Unpinned { by: BOB }]);
}

#[test]
fn pinning_a_pinned_message_and_unpinning_another_change_nothing() {
    given(related(), vec![posted(), MessageEvent::Pinned { by: ANN }]).when((by(BOB), MessageCommand::Pin)).then_expect_events(vec![]);
    given(related(), vec![posted()]).when((by(BOB), MessageCommand::Unpin)).then_expect_events(vec![]);
}

#[test]
fn deleting_a_deleted_message_changes_nothing() {
    for actor in [BOB, ANN] {
        given(related(), vec![posted(), deleted()]).when((by(actor), MessageCommand::Delete)).then_expect_events(vec![]);
    }
    refuse(related(), vec![posted(), deleted()], by(CAT), MessageCommand::Delete, MessageRefusal::NotTheAuthor);
}

#[test]
fn a_deleted_message_is_not_pinned_any_more() {
    let mut message = Message::default();
    [posted(), MessageEvent::Pinned { by: ANN }, deleted()].into_iter().for_each(|event| message.apply(event));
    assert!(!message.pinned && !message.exists());
}

/// Every command to an existing message.
fn touches() -> Vec<MessageCommand> {
    let emoji = reactions::emoji("👍");
    vec![
        edit("hi"),
        MessageCommand::Delete,
        MessageCommand::Pin,
        MessageCommand::Unpin,
        MessageCommand::React { emoji: emoji.clone() },
        MessageCommand::RemoveReaction { emoji },
    ]
}

#[test]
fn every_command_to_an_unknown_message_is_refused() {
    for command in touches() {
        refuse(related(), vec![], by(BOB), command, MessageRefusal::NotFound);
    }
}

#[test]
fn every_command_to_a_deleted_message_except_another_deletion_is_refused() {
    for command in touches().into_iter().filter(|c| *c != MessageCommand::Delete) {
        refuse(related(), vec![posted(), deleted()], by(BOB), command, MessageRefusal::Deleted);
    }
}

#[test]
fn every_command_in_an_archived_channel_is_refused() {
    refuse(archived(), vec![], by(BOB), post(new("hello")), MessageRefusal::ChannelArchived);
    for command in touches() {
        refuse(archived(), vec![posted()], by(BOB), command, MessageRefusal::ChannelArchived);
    }
}

#[test]
fn a_user_outside_the_channel_neither_posts_nor_edits_nor_pins_nor_reacts() {
    refuse(related(), vec![], by(CAT), post(new("hello")), MessageRefusal::NotAChannelMember);
    let by_cat = || MessageEvent::Posted(Box::new(Posting { author: CAT, ..posting("hello") }));
    for command in touches().into_iter().filter(|c| *c != MessageCommand::Delete) {
        refuse(related(), vec![by_cat()], by(CAT), command, MessageRefusal::NotAChannelMember);
    }
}

#[test]
fn a_deactivated_member_neither_posts_nor_edits_nor_pins_nor_reacts() {
    refuse(related(), vec![], by(DAN), post(new("hello")), MessageRefusal::NotAWorkspaceMember);
    let by_dan = || MessageEvent::Posted(Box::new(Posting { author: DAN, ..posting("hello") }));
    for command in touches().into_iter().filter(|c| *c != MessageCommand::Delete) {
        refuse(related(), vec![by_dan()], by(DAN), command, MessageRefusal::NotAWorkspaceMember);
    }
}
