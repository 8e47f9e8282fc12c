//! The readers of an event: one match over all events, without `_`, so that a new event does not compile without an
//! answer.

use commands::{Audience, People};
use domain::ids::{ChannelId, MessageId, UserId};
use domain::permission::Permission;
use domain::{ChannelEvent, Event, MessageEvent, Recorded, RetentionEvent, UserEvent, WorkspaceEvent};

/// Why nobody gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untold(pub &'static str);

const NO_MEMBER_YET: Untold = Untold("nobody is a member yet: `workspace.member_joined` of the owner follows");
const NOT_YET_HERE: Untold = Untold("the user is in no workspace yet");
const OPERATORS: Untold = Untold("operators read it from the server's log and the projections");
const AUDIT: Untold = Untold("the audit shows it");
const SESSIONS: Untold = Untold("`GET /v1/sessions` lists sessions; the end of a session ends its connections");
const NO_MESSAGE: Untold = Untold("its message is not known");

/// The people who get an event of a workspace, or of a user. `channel_of` returns the channel of a message.
///
/// # Errors
/// Nobody gets it.
pub fn audience(recorded: &Recorded<Event>, channel_of: impl Fn(MessageId) -> Option<ChannelId>) -> Result<Audience, Untold> {
    let id = recorded.stream.id;
    match &recorded.event {
        Event::User(event) => of_user(id.into(), event),
        Event::Workspace(event) => of_workspace(event),
        Event::Channel(event) => Ok(of_channel(id.into(), event)),
        Event::Message(event) => of_message(id.into(), event, channel_of),
        Event::Retention(RetentionEvent::Applied(applied)) => Ok(People::ReadersOf(applied.channel_id).into()),
        Event::Installation(_) => Err(OPERATORS),
        Event::Session(_) => Err(SESSIONS),
        Event::Audit(_) => Err(AUDIT),
    }
}

fn of_user(user_id: UserId, event: &UserEvent) -> Result<Audience, Untold> {
    match event {
        UserEvent::Registered(_) => Err(NOT_YET_HERE),
        UserEvent::ProfileChanged(_) | UserEvent::StatusChanged { .. } | UserEvent::Suspended { .. } | UserEvent::Reactivated {} => {
            Ok(People::SeersOf(user_id).into())
        }
        UserEvent::PreferencesChanged(_)
        | UserEvent::MadeOperator {}
        | UserEvent::OperatorRemoved {}
        | UserEvent::PasswordReset {}
        | UserEvent::ErasureRequested { .. }
        | UserEvent::ErasureCancelled { .. } => Ok(People::Only(user_id).into()),
        UserEvent::ErasureProposed { .. } => Err(Untold("operators decide on a proposal, and nothing changes by it")),
        // The erasure ends the memberships first.
        UserEvent::Erased { .. } => Ok(People::SeersOfFormer(user_id).into()),
    }
}

fn of_workspace(event: &WorkspaceEvent) -> Result<Audience, Untold> {
    match event {
        WorkspaceEvent::Created { .. } => Err(NO_MEMBER_YET),
        WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => Ok(People::Members.into()),
        WorkspaceEvent::MemberInvited { .. } | WorkspaceEvent::InvitationRevoked { .. } => {
            Ok(People::With(Permission::MemberInvite).into())
        }
        WorkspaceEvent::MemberJoined { user_id, .. }
        | WorkspaceEvent::MemberRoleChanged { user_id, .. }
        | WorkspaceEvent::MemberDetailsChanged { user_id, .. }
        | WorkspaceEvent::MemberPermissionsChanged { user_id, .. }
        | WorkspaceEvent::MemberReactivated { user_id } => Ok(People::ListersOf(vec![*user_id]).into()),
        WorkspaceEvent::MemberDeactivated { user_id } => {
            Ok(Audience { people: People::ListersOf(vec![*user_id]), removed: Some(*user_id) })
        }
        WorkspaceEvent::HandedOver { from, to } => Ok(People::ListersOf(vec![*from, *to]).into()),
        WorkspaceEvent::HoldPlaced { .. } | WorkspaceEvent::HoldReleased { .. } => Ok(People::With(Permission::HoldsManage).into()),
    }
}

fn of_channel(channel_id: ChannelId, event: &ChannelEvent) -> Audience {
    let readers = People::ReadersOf(channel_id);
    match event {
        ChannelEvent::Created(_)
        | ChannelEvent::Renamed { .. }
        | ChannelEvent::TopicChanged { .. }
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::MemberJoined { .. }
        | ChannelEvent::MemberRoleChanged { .. }
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => readers.into(),
        ChannelEvent::MemberLeft { user_id } | ChannelEvent::MemberRemoved { user_id, .. } => {
            Audience { people: readers, removed: Some(*user_id) }
        }
        // The other members do not get the notification level of somebody else.
        ChannelEvent::NotificationLevelChanged { user_id, .. } => People::OnlyIn(*user_id, channel_id).into(),
    }
}

fn of_message(
    message_id: MessageId,
    event: &MessageEvent,
    channel_of: impl Fn(MessageId) -> Option<ChannelId>,
) -> Result<Audience, Untold> {
    let channel_id = match event {
        MessageEvent::Posted(posting) => Some(posting.channel_id),
        MessageEvent::Edited { .. }
        | MessageEvent::Deleted { .. }
        | MessageEvent::Pinned { .. }
        | MessageEvent::Unpinned { .. }
        | MessageEvent::Reacted { .. }
        | MessageEvent::ReactionRemoved { .. }
        | MessageEvent::Purged { .. } => channel_of(message_id),
    };
    channel_id.map(|channel_id| People::ReadersOf(channel_id).into()).ok_or(NO_MESSAGE)
}

/// The people, in words, for the documentation.
#[must_use]
pub fn in_words(audience: &Audience) -> &'static str {
    match audience.people {
        People::Only(_) | People::OnlyIn(..) => "the user alone",
        People::Members => "members",
        People::With(Permission::MemberInvite) => "members with `member.invite`",
        People::With(Permission::HoldsManage) => "members with `holds.manage`",
        People::With(_) => "members with a permission",
        People::ListersOf(_) if audience.removed.is_some() => "members who may list them; the member",
        People::ListersOf(_) => "members who may list them",
        People::SeersOf(_) => "members who see the person, an active member",
        People::SeersOfFormer(_) => "members who see the person, a member or former member",
        People::ReadersOf(_) if audience.removed.is_some() => "readers of the channel; the user who is out of it now",
        People::ReadersOf(_) => "readers of the channel",
    }
}
