//! Makes the frame of an event from the event and from the present state.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use commands::Past;
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::{Channel, ChannelEvent, Event, MessageEvent, Recorded, RetentionEvent, User, UserEvent, Workspace, WorkspaceEvent};
use shapes::{CustomStatus, Person};

use crate::content::{FrameChannel, FrameChannelMember, FrameMember, FrameMessage, FrameWorkspace, person};
use crate::frame::{
    ChannelArchivedFrame, ChannelCreatedFrame, ChannelDescriptionChangedFrame, ChannelMemberJoinedFrame, ChannelMemberLeftFrame,
    ChannelMemberRemovedFrame, ChannelMemberRoleChangedFrame, ChannelNotificationLevelChangedFrame, ChannelPurposeChangedFrame,
    ChannelRenamedFrame, ChannelSettingsChangedFrame, ChannelTopicChangedFrame, ChannelUnarchivedFrame, EventFrame, MessageDeletedFrame,
    MessageEditedFrame, MessagePinnedFrame, MessagePostedFrame, MessagePurgedFrame, MessageReactedFrame, MessageReactionRemovedFrame,
    MessageUnpinnedFrame, Place, RetentionAppliedFrame, UserErasedFrame, UserErasureCancelledFrame, UserErasureRequestedFrame,
    UserMadeOperatorFrame, UserOperatorRemovedFrame, UserPasswordResetFrame, UserPreferencesChangedFrame, UserProfileChangedFrame,
    UserReactivatedFrame, UserStatusChangedFrame, UserSuspendedFrame, WorkspaceDetailsChangedFrame, WorkspaceDomainChangedFrame,
    WorkspaceEmojiAddedFrame, WorkspaceEmojiRemovedFrame, WorkspaceHandedOverFrame, WorkspaceHoldPlacedFrame, WorkspaceHoldReleasedFrame,
    WorkspaceInvitationRevokedFrame, WorkspaceMemberDeactivatedFrame, WorkspaceMemberDetailsChangedFrame, WorkspaceMemberInvitedFrame,
    WorkspaceMemberJoinedFrame, WorkspaceMemberPermissionsChangedFrame, WorkspaceMemberReactivatedFrame, WorkspaceMemberRoleChangedFrame,
    WorkspacePlanChangedFrame, WorkspaceSettingsChangedFrame,
};
use crate::message::FoldedMessage;

/// A workspace as it is now, for a reader of an event of it.
pub(crate) trait Present: Sync {
    /// The workspace.
    fn workspace(&self) -> &Workspace;
    /// The channel that the event is about.
    fn channel(&self, channel_id: ChannelId) -> Option<&Channel>;
    /// Whether they may read the channel.
    fn reads(&self, channel_id: ChannelId) -> bool;
}

impl Present for Past {
    fn workspace(&self) -> &Workspace {
        Self::workspace(self)
    }

    fn channel(&self, channel_id: ChannelId) -> Option<&Channel> {
        Self::channel(self, channel_id)
    }

    fn reads(&self, channel_id: ChannelId) -> bool {
        Self::reads(self, channel_id)
    }
}

/// The state at the moment of sending.
pub(crate) struct Known<'a> {
    pub(crate) workspace_id: WorkspaceId,
    /// The workspace and its channels.
    pub(crate) present: &'a dyn Present,
    pub(crate) users: &'a HashMap<UserId, Arc<User>>,
    pub(crate) messages: &'a HashMap<MessageId, FoldedMessage>,
    /// The custom statuses of users.
    pub(crate) statuses: &'a HashMap<UserId, CustomStatus>,
}

/// The people whom the frame of an event shows.
pub(crate) fn people(recorded: &Recorded<Event>, messages: &HashMap<MessageId, FoldedMessage>, present: &dyn Present) -> BTreeSet<UserId> {
    let id = recorded.stream.id;
    let participants = |channel_id: ChannelId| {
        present.channel(channel_id).map(|channel| {
            let is_direct = channel.creation.as_ref().is_some_and(|creation| creation.kind.is_direct());
            channel.members.keys().copied().filter(|_| is_direct).collect::<BTreeSet<_>>()
        })
    };
    let author = || messages.get(&MessageId(id)).and_then(FoldedMessage::posting).map(|posting| posting.author);
    match &recorded.event {
        Event::User(_) => BTreeSet::from([id.into()]),
        Event::Workspace(event) => members(event).into_iter().collect(),
        Event::Channel(event) => {
            let mut people = participants(id.into()).unwrap_or_default();
            people.extend(channel_member(event));
            people
        }
        Event::Message(_) => author().into_iter().collect(),
        Event::Retention(_) | Event::Installation(_) | Event::Session(_) | Event::Audit(_) => BTreeSet::new(),
    }
}

/// The members whom an event of a workspace is about.
fn members(event: &WorkspaceEvent) -> Vec<UserId> {
    match event {
        WorkspaceEvent::MemberJoined { user_id, .. }
        | WorkspaceEvent::MemberRoleChanged { user_id, .. }
        | WorkspaceEvent::MemberDetailsChanged { user_id, .. }
        | WorkspaceEvent::MemberPermissionsChanged { user_id, .. }
        | WorkspaceEvent::MemberDeactivated { user_id }
        | WorkspaceEvent::MemberReactivated { user_id } => vec![*user_id],
        WorkspaceEvent::HandedOver { from, to } => vec![*from, *to],
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::MemberInvited { .. }
        | WorkspaceEvent::InvitationRevoked { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => Vec::new(),
    }
}

/// The member whom an event of a channel is about.
fn channel_member(event: &ChannelEvent) -> Option<UserId> {
    match event {
        ChannelEvent::MemberJoined { user_id, .. }
        | ChannelEvent::MemberLeft { user_id }
        | ChannelEvent::MemberRemoved { user_id, .. }
        | ChannelEvent::MemberRoleChanged { user_id, .. }
        | ChannelEvent::NotificationLevelChanged { user_id, .. } => Some(*user_id),
        ChannelEvent::Created(_)
        | ChannelEvent::Renamed { .. }
        | ChannelEvent::TopicChanged { .. }
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => None,
    }
}

impl Known<'_> {
    /// The frame of an event. `None` if it has none, or if what it would show does not exist.
    pub(crate) fn frame(&self, recorded: &Recorded<Event>) -> Option<EventFrame> {
        let id = recorded.stream.id;
        let place = Place {
            position: recorded.position,
            at: recorded.recorded_at,
            actor: recorded.metadata.actor,
            workspace_id: self.workspace_id,
            channel_id: id.into(),
            user_id: id.into(),
        };
        match &recorded.event {
            Event::User(event) => self.of_user(&place, event),
            Event::Workspace(event) => self.of_workspace(&place, event),
            Event::Channel(event) => self.of_channel(&place, event),
            Event::Message(event) => self.of_message(place, id.into(), event),
            Event::Retention(RetentionEvent::Applied(applied)) => {
                let place = Place { channel_id: applied.channel_id, ..place };
                let message_ids = applied.messages.iter().map(|message_id| message_id.0).collect();
                Some(RetentionAppliedFrame::of(&place, applied.action.as_str().into(), message_ids))
            }
            Event::Installation(_) | Event::Session(_) | Event::Audit(_) => None,
        }
    }

    fn of_user(&self, place: &Place, event: &UserEvent) -> Option<EventFrame> {
        let user_id = place.user_id;
        Some(match event {
            UserEvent::ProfileChanged(_) => UserProfileChangedFrame::of(place, self.person(user_id)),
            UserEvent::PreferencesChanged(_) => UserPreferencesChangedFrame::of(place),
            UserEvent::StatusChanged { .. } => UserStatusChangedFrame::of(place, self.statuses.get(&user_id).cloned()),
            UserEvent::Suspended { .. } => UserSuspendedFrame::of(place),
            UserEvent::Reactivated {} => UserReactivatedFrame::of(place),
            UserEvent::MadeOperator {} => UserMadeOperatorFrame::of(place),
            UserEvent::OperatorRemoved {} => UserOperatorRemovedFrame::of(place),
            UserEvent::PasswordReset {} => UserPasswordResetFrame::of(place),
            UserEvent::ErasureRequested { .. } => UserErasureRequestedFrame::of(place),
            UserEvent::ErasureCancelled { .. } => UserErasureCancelledFrame::of(place),
            UserEvent::Erased { .. } => UserErasedFrame::of(place),
            UserEvent::Registered(_) | UserEvent::ErasureProposed { .. } => return None,
        })
    }

    fn of_workspace(&self, place: &Place, event: &WorkspaceEvent) -> Option<EventFrame> {
        Some(match event {
            WorkspaceEvent::Created { .. } => return None,
            WorkspaceEvent::DetailsChanged(_) => WorkspaceDetailsChangedFrame::of(place, self.workspace()?),
            WorkspaceEvent::DomainChanged { .. } => WorkspaceDomainChangedFrame::of(place, self.workspace()?),
            WorkspaceEvent::SettingsChanged(_) => WorkspaceSettingsChangedFrame::of(place, self.workspace()?),
            WorkspaceEvent::PlanChanged { .. } => WorkspacePlanChangedFrame::of(place, self.workspace()?),
            WorkspaceEvent::MemberInvited { invitation_id, .. } => WorkspaceMemberInvitedFrame::of(place, invitation_id.0),
            WorkspaceEvent::InvitationRevoked { invitation_id } => WorkspaceInvitationRevokedFrame::of(place, invitation_id.0),
            WorkspaceEvent::MemberJoined { user_id, .. } => WorkspaceMemberJoinedFrame::of(place, self.member(*user_id)?),
            WorkspaceEvent::MemberRoleChanged { user_id, .. } => WorkspaceMemberRoleChangedFrame::of(place, self.member(*user_id)?),
            WorkspaceEvent::MemberDetailsChanged { user_id, .. } => WorkspaceMemberDetailsChangedFrame::of(place, self.member(*user_id)?),
            WorkspaceEvent::MemberPermissionsChanged { user_id, .. } => {
                WorkspaceMemberPermissionsChangedFrame::of(place, self.member(*user_id)?)
            }
            WorkspaceEvent::MemberDeactivated { user_id } => WorkspaceMemberDeactivatedFrame::of(place, self.member(*user_id)?),
            WorkspaceEvent::MemberReactivated { user_id } => WorkspaceMemberReactivatedFrame::of(place, self.member(*user_id)?),
            WorkspaceEvent::HandedOver { from, to } => WorkspaceHandedOverFrame::of(place, self.member(*from)?, self.member(*to)?),
            WorkspaceEvent::HoldPlaced { hold_id, .. } => WorkspaceHoldPlacedFrame::of(place, hold_id.0),
            WorkspaceEvent::HoldReleased { hold_id, .. } => WorkspaceHoldReleasedFrame::of(place, hold_id.0),
            WorkspaceEvent::EmojiAdded { name, .. } => WorkspaceEmojiAddedFrame::of(place, name.to_string()),
            WorkspaceEvent::EmojiRemoved { name, .. } => WorkspaceEmojiRemovedFrame::of(place, name.to_string()),
        })
    }

    fn of_channel(&self, place: &Place, event: &ChannelEvent) -> Option<EventFrame> {
        let channel = || self.channel(place.channel_id);
        let member = |user_id: &UserId| self.channel_member(place.channel_id, *user_id);
        Some(match event {
            ChannelEvent::Created(_) => ChannelCreatedFrame::of(place, channel()?),
            ChannelEvent::Renamed { .. } => ChannelRenamedFrame::of(place, channel()?),
            ChannelEvent::TopicChanged { .. } => ChannelTopicChangedFrame::of(place, channel()?),
            ChannelEvent::PurposeChanged { .. } => ChannelPurposeChangedFrame::of(place, channel()?),
            ChannelEvent::DescriptionChanged { .. } => ChannelDescriptionChangedFrame::of(place, channel()?),
            ChannelEvent::SettingsChanged(_) => ChannelSettingsChangedFrame::of(place, channel()?),
            ChannelEvent::Archived { .. } => ChannelArchivedFrame::of(place, channel()?),
            ChannelEvent::Unarchived { .. } => ChannelUnarchivedFrame::of(place, channel()?),
            ChannelEvent::MemberJoined { user_id, .. } => ChannelMemberJoinedFrame::of(place, channel()?, member(user_id)),
            // Not the channel: the reader may be the removed user, and may not see its present name.
            ChannelEvent::MemberLeft { user_id } => ChannelMemberLeftFrame::of(place, member(user_id)),
            ChannelEvent::MemberRemoved { user_id, .. } => ChannelMemberRemovedFrame::of(place, member(user_id)),
            ChannelEvent::MemberRoleChanged { user_id, .. } => ChannelMemberRoleChangedFrame::of(place, member(user_id)),
            ChannelEvent::NotificationLevelChanged { user_id, .. } => {
                let now = self.present.channel(place.channel_id).and_then(|channel| channel.members.get(user_id));
                ChannelNotificationLevelChangedFrame::of(place, now.map(|member| member.level.as_str().to_owned()))
            }
        })
    }

    fn of_message(&self, place: Place, message_id: MessageId, event: &MessageEvent) -> Option<EventFrame> {
        let message = self.message(message_id)?;
        let place = &Place { channel_id: message.channel_id.into(), ..place };
        Some(match event {
            MessageEvent::Posted(_) => MessagePostedFrame::of(place, message),
            MessageEvent::Edited { .. } => MessageEditedFrame::of(place, message),
            MessageEvent::Deleted { .. } => MessageDeletedFrame::of(place, message),
            MessageEvent::Pinned { .. } => MessagePinnedFrame::of(place, message),
            MessageEvent::Unpinned { .. } => MessageUnpinnedFrame::of(place, message),
            MessageEvent::Reacted { user_id, emoji } => MessageReactedFrame::of(place, message, user_id.0, emoji.to_string()),
            MessageEvent::ReactionRemoved { user_id, emoji } => {
                MessageReactionRemovedFrame::of(place, message, user_id.0, emoji.to_string())
            }
            MessageEvent::Purged { .. } => MessagePurgedFrame::of(place, message),
        })
    }

    fn user(&self, user_id: UserId) -> Option<&User> {
        self.users.get(&user_id).map(AsRef::as_ref)
    }

    fn person(&self, user_id: UserId) -> Person {
        person(user_id, self.user(user_id))
    }

    fn workspace(&self) -> Option<FrameWorkspace> {
        FrameWorkspace::of(self.workspace_id, self.present.workspace())
    }

    fn member(&self, user_id: UserId) -> Option<FrameMember> {
        FrameMember::of(user_id, self.user(user_id), self.present.workspace().members.get(&user_id))
    }

    fn channel(&self, channel_id: ChannelId) -> Option<FrameChannel> {
        FrameChannel::of(channel_id, self.present.channel(channel_id)?, |user_id| self.person(user_id))
    }

    /// A member of a channel. The role is known only if the reader may see the channel now.
    fn channel_member(&self, channel_id: ChannelId, user_id: UserId) -> FrameChannelMember {
        let channel = self.present.channel(channel_id).filter(|_| self.present.reads(channel_id));
        FrameChannelMember::of(user_id, self.user(user_id), channel)
    }

    fn message(&self, message_id: MessageId) -> Option<FrameMessage> {
        let message = self.messages.get(&message_id)?;
        message.shown(message_id, self.user(message.posting()?.author))
    }
}
