//! The invariants of a message, while its workspace and its channel change.

use std::sync::Arc;

use chrono::Timelike;
use cqrs_es::Aggregate;
use domain::channel::{Creation, Kind as ChannelKind, MemberRole};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::message::{NewMessage, RelatedAggregates};
use domain::permission::Role;
use domain::text::{ChannelName, Emoji, MessageBody, WorkspaceName};
use domain::workspace::Details;
use domain::{Channel, ChannelEvent, Context, Message, MessageCommand, Workspace, WorkspaceEvent};
use proptest::prelude::*;
use uuid::Uuid;

use crate::walk::{PEOPLE, Step, asked, beginning, user, walk};

const CHANNEL: ChannelId = ChannelId(Uuid::from_u128(1));

/// The channel is archived in one minute of ten.
fn archived_at(context: &Context) -> bool {
    context.at.minute().is_multiple_of(10)
}

/// The first person owns the workspace. The last one is a member of it, but not of the channel.
fn workspace() -> Workspace {
    let details = Details { name: WorkspaceName::parse("Acme").expect("a name"), description: None, avatar_url: None };
    let mut workspace = Workspace::default();
    workspace.apply(WorkspaceEvent::Created { details, domain: None, general_channel_id: CHANNEL, max_members: 10 });
    for number in 1..=PEOPLE {
        let role = if number == 1 { Role::Owner } else { Role::Member };
        workspace.apply(WorkspaceEvent::MemberJoined { user_id: user(number), role, invitation_id: None, invited_by: None });
    }
    workspace
}

fn channel(archived: bool) -> Channel {
    let creation = Creation {
        workspace_id: WorkspaceId(Uuid::nil()),
        kind: ChannelKind::Public,
        name: ChannelName::parse("plans").ok(),
        display_name: None,
        description: None,
        topic: None,
        purpose: None,
        is_general: false,
        created_by: user(1),
    };
    let mut channel = Channel::default();
    channel.apply(ChannelEvent::Created(Box::new(creation)));
    for number in 1..PEOPLE {
        channel.apply(ChannelEvent::MemberJoined { user_id: user(number), role: MemberRole::Member, invited_by: None });
    }
    if archived {
        channel.apply(ChannelEvent::Archived { by: user(1) });
    }
    channel
}

fn related(archived: bool) -> RelatedAggregates {
    RelatedAggregates {
        workspace: Arc::new(workspace()),
        channel: Arc::new(channel(archived)),
        channel_id: Some(CHANNEL),
        ..RelatedAggregates::default()
    }
}

fn text() -> impl Strategy<Value = MessageBody> {
    prop_oneof!["[a-z]{1,3}", (1..=PEOPLE).prop_map(|n| format!("<@{}> <!here> https://example.org", user(n)))]
        .prop_map(|text| MessageBody::parse(&text).expect("a text"))
}

fn emoji() -> impl Strategy<Value = Emoji> {
    let nth = |n: usize| Emoji::parse(emojis::iter().nth(n).expect("an emoji").as_str()).expect("an emoji");
    prop_oneof![0..3_usize, 0..60_usize].prop_map(nth)
}

fn post() -> impl Strategy<Value = MessageCommand> {
    text().prop_map(|content| {
        let message_id = MessageId(Uuid::nil());
        MessageCommand::Post(Box::new(NewMessage { message_id, content, thread_id: None, client_msg_id: None, sent_at: beginning() }))
    })
}

fn command() -> impl Strategy<Value = MessageCommand> {
    prop_oneof![
        3 => post(),
        3 => text().prop_map(|content| MessageCommand::Edit { content }),
        1 => Just(MessageCommand::Delete),
        3 => Just(MessageCommand::Pin),
        3 => Just(MessageCommand::Unpin),
        8 => emoji().prop_map(|emoji| MessageCommand::React { emoji }),
        4 => emoji().prop_map(|emoji| MessageCommand::RemoveReaction { emoji }),
    ]
}

fn outside() -> UserId {
    user(PEOPLE)
}

fn holds(step: &Step<Message, MessageCommand>) -> Result<(), TestCaseError> {
    let Step { before, after, context, .. } = step;
    if after.posting.is_none() {
        prop_assert_eq!(after, &Message::default());
    }
    prop_assert!(!(after.deleted && after.pinned), "a deleted message is pinned");
    prop_assert!(after.reactions.values().all(|users| !users.is_empty()), "an emoji without a user");
    prop_assert!(after.reactions.len() <= 50, "too many emojis");
    prop_assert!(!after.reactions.values().any(|users| users.contains(&outside())), "a reaction from outside the channel");
    if before.deleted || archived_at(context) || context.actor == outside() {
        prop_assert_eq!(before, after, "what rests was changed");
    }
    if let (Some(was), Some(is)) = (&before.posting, &after.posting) {
        prop_assert_eq!((was.author, was.sent_at, was.channel_id), (is.author, is.sent_at, is.channel_id));
        prop_assert!(was.content == is.content || context.actor == is.author, "another user changed the text");
    }
    Ok(())
}

proptest! {
    #[test]
    fn only_the_author_changes_the_text_and_a_deleted_message_does_not_change(asked in asked(command())) {
        let related = |context: &Context, _: &MessageCommand| related(archived_at(context));
        // A message has no snapshots: its JSON, which auditors see, does not have the number of its edits.
        walk(asked, None, related, Message::decide, holds)?;
    }
}
