//! The frames: one for each event that a client gets. `event` names the event, and says which frame it is.
//!
//! Each shows the thing as it is at the moment of sending, not as it was at the position: so a text that was edited,
//! deleted, purged or erased since is not shown, and a client that keeps what the last frame of a thing showed has it right.

#![expect(unused_qualifications, reason = "the macros of serde repeat the paths of our attributes")]

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use serde::Serialize;
use shapes::{CustomStatus, Person};
use utoipa::openapi::schema::{Discriminator, OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::content::{FrameChannel, FrameChannelMember, FrameMember, FrameMessage, FrameWorkspace};

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// An event of the log.
    Event,
}

/// The place of an event, which each frame has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) position: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: UserId,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) channel_id: ChannelId,
    pub(crate) user_id: UserId,
}

macro_rules! frame {
    ($(#[$doc:meta])* $variant:ident $frame:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* } $($(#[$of_doc:meta])* $of:ident)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
        pub struct $frame {
            /// The kind of the frame.
            #[schema(inline)]
            #[serde(rename = "type")]
            pub kind: FrameKind,
            /// The event.
            #[schema(inline)]
            pub event: names::$variant,
            /// The position of the event. With the `log_id` and a colon before it, it is a cursor.
            pub position: i64,
            /// When the event was recorded.
            #[serde(serialize_with = "domain::timestamp::serialize")]
            pub at: DateTime<Utc>,
            /// The user who did it. The nil UUID if the server itself did it.
            pub actor: Uuid,
            $($(#[$of_doc])* pub $of: Uuid,)*
            $($(#[$attribute])* pub $field: $type,)*
        }

        impl $frame {
            pub(crate) fn of(place: &Place, $($field: $type,)*) -> EventFrame {
                EventFrame::$variant(Box::new(Self {
                    kind: FrameKind::Event,
                    event: names::$variant::Name,
                    position: place.position,
                    at: place.at,
                    actor: place.actor.0,
                    $($of: place.$of.0,)*
                    $($field,)*
                }))
            }
        }
    };
}

macro_rules! frames {
    ($($(#[$doc:meta])* $place:ident $variant:ident $frame:ident $event:literal $fields:tt)*) => {
        /// The names of the events, each as the only value of a type.
        pub mod names {
            $(
                #[doc = concat!("`", $event, "`.")]
                #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
                pub enum $variant {
                    #[doc = concat!("`", $event, "`.")]
                    #[serde(rename = $event)]
                    Name,
                }

                // utoipa does not see the name, which is a variable of a macro.
                impl utoipa::PartialSchema for $variant {
                    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                        let name = utoipa::openapi::ObjectBuilder::new();
                        name.schema_type(utoipa::openapi::schema::Type::String).enum_values(Some([$event])).build().into()
                    }
                }

                impl utoipa::ToSchema for $variant {}
            )*
        }

        $(frames!(@$place $(#[$doc])* $variant $frame $fields);)*

        /// An event that a client gets. `event` says which event it is.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum EventFrame {
            $($(#[$doc])* $variant(Box<$frame>),)*
        }

        impl EventFrame {
            /// The names of the events that have a frame, each with the name of the frame's schema.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($event, stringify!($frame)),)*];

            /// The position of the event.
            #[must_use]
            pub fn position(&self) -> i64 {
                match self {
                    $(Self::$variant(frame) => frame.position,)*
                }
            }

            /// The name of the event.
            #[must_use]
            pub fn event(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $event,)*
                }
            }
        }

        impl ToSchema for EventFrame {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed("EventFrame")
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    schemas.push((stringify!($frame).to_owned(), <$frame as PartialSchema>::schema()));
                    <$frame as ToSchema>::schemas(schemas);
                )*
            }
        }
    };
    (@user $(#[$doc:meta])* $variant:ident $frame:ident $fields:tt) => {
        frame!($(#[$doc])* $variant $frame $fields
            /// The user whom the event is about.
            user_id);
    };
    (@workspace $(#[$doc:meta])* $variant:ident $frame:ident $fields:tt) => {
        frame!($(#[$doc])* $variant $frame $fields
            /// The workspace.
            workspace_id);
    };
    (@channel $(#[$doc:meta])* $variant:ident $frame:ident $fields:tt) => {
        frame!($(#[$doc])* $variant $frame $fields
            /// The workspace.
            workspace_id
            /// The channel.
            channel_id);
    };
}

impl PartialSchema for EventFrame {
    fn schema() -> RefOr<Schema> {
        let reference = |(_, frame): &(&str, &str)| Ref::from_schema_name(*frame);
        let mapping = Self::ALL.iter().map(|(event, frame)| (*event, format!("#/components/schemas/{frame}")));
        let all = Self::ALL.iter().fold(OneOfBuilder::new(), |all, frame| all.item(reference(frame)));
        let all = all.description(Some("An event that a client gets. `event` tells which it is: docs/LIVE.md lists them."));
        all.discriminator(Some(Discriminator::with_mapping("event", mapping))).into()
    }
}

frames! {
    /// The profile changed.
    user UserProfileChanged UserProfileChangedFrame "user.profile_changed" {
        /// The user.
        user: Person,
    }
    /// The preferences changed: read `GET /v1/users/me`.
    user UserPreferencesChanged UserPreferencesChangedFrame "user.preferences_changed" {}
    /// The user set or cleared the custom status.
    user UserStatusChanged UserStatusChangedFrame "user.status_changed" {
        /// The custom status. Absent if it was cleared, or has ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        custom_status: Option<CustomStatus>,
    }
    /// The user was suspended on the whole server.
    user UserSuspended UserSuspendedFrame "user.suspended" {}
    /// The suspension of the user ended.
    user UserReactivated UserReactivatedFrame "user.reactivated" {}
    /// The user became an operator of the server.
    user UserMadeOperator UserMadeOperatorFrame "user.made_operator" {}
    /// The user is not an operator of the server any more.
    user UserOperatorRemoved UserOperatorRemovedFrame "user.operator_removed" {}
    /// An operator set a new password for the user.
    user UserPasswordReset UserPasswordResetFrame "user.password_reset" {}
    /// The erasure of the user was requested: read `GET /v1/users/me`.
    user UserErasureRequested UserErasureRequestedFrame "user.erasure_requested" {}
    /// The erasure of the user was cancelled.
    user UserErasureCancelled UserErasureCancelledFrame "user.erasure_cancelled" {}
    /// The user was erased: remove their names and texts.
    user UserErased UserErasedFrame "user.erased" {}
    /// The workspace's name, description or picture changed.
    workspace WorkspaceDetailsChanged WorkspaceDetailsChangedFrame "workspace.details_changed" {
        /// The workspace.
        workspace: FrameWorkspace,
    }
    /// The workspace got another domain, or none.
    workspace WorkspaceDomainChanged WorkspaceDomainChangedFrame "workspace.domain_changed" {
        /// The workspace.
        workspace: FrameWorkspace,
    }
    /// The workspace's settings changed.
    workspace WorkspaceSettingsChanged WorkspaceSettingsChangedFrame "workspace.settings_changed" {
        /// The workspace.
        workspace: FrameWorkspace,
    }
    /// The workspace's plan changed.
    workspace WorkspacePlanChanged WorkspacePlanChangedFrame "workspace.plan_changed" {
        /// The workspace.
        workspace: FrameWorkspace,
    }
    /// A person was invited: read `GET …/invitations`.
    workspace WorkspaceMemberInvited WorkspaceMemberInvitedFrame "workspace.member_invited" {
        /// The invitation.
        invitation_id: Uuid,
    }
    /// An invitation was revoked.
    workspace WorkspaceInvitationRevoked WorkspaceInvitationRevokedFrame "workspace.invitation_revoked" {
        /// The invitation.
        invitation_id: Uuid,
    }
    /// A user became a member of the workspace.
    workspace WorkspaceMemberJoined WorkspaceMemberJoinedFrame "workspace.member_joined" {
        /// The member.
        member: FrameMember,
    }
    /// A member's role changed.
    workspace WorkspaceMemberRoleChanged WorkspaceMemberRoleChangedFrame "workspace.member_role_changed" {
        /// The member.
        member: FrameMember,
    }
    /// A member's title or department changed.
    workspace WorkspaceMemberDetailsChanged WorkspaceMemberDetailsChangedFrame "workspace.member_details_changed" {
        /// The member.
        member: FrameMember,
    }
    /// A member's permissions changed: read `GET …/members/{user_id}`.
    workspace WorkspaceMemberPermissionsChanged WorkspaceMemberPermissionsChangedFrame "workspace.member_permissions_changed" {
        /// The member.
        member: FrameMember,
    }
    /// A member was deactivated.
    workspace WorkspaceMemberDeactivated WorkspaceMemberDeactivatedFrame "workspace.member_deactivated" {
        /// The member.
        member: FrameMember,
    }
    /// A deactivated member was reactivated. Of one's own: read everything again.
    workspace WorkspaceMemberReactivated WorkspaceMemberReactivatedFrame "workspace.member_reactivated" {
        /// The member.
        member: FrameMember,
    }
    /// An owner handed the workspace over to another member.
    workspace WorkspaceHandedOver WorkspaceHandedOverFrame "workspace.handed_over" {
        /// The former owner.
        from: FrameMember,
        /// The new owner.
        to: FrameMember,
    }
    /// A legal hold was placed: read `GET …/holds`.
    workspace WorkspaceHoldPlaced WorkspaceHoldPlacedFrame "workspace.hold_placed" {
        /// The hold.
        hold_id: Uuid,
    }
    /// A legal hold was released.
    workspace WorkspaceHoldReleased WorkspaceHoldReleasedFrame "workspace.hold_released" {
        /// The hold.
        hold_id: Uuid,
    }
    /// An emoji of the workspace's own was added.
    workspace WorkspaceEmojiAdded WorkspaceEmojiAddedFrame "workspace.emoji_added" {
        /// Its name.
        name: String,
    }
    /// An emoji of the workspace's own was removed. Reactions with it stay.
    workspace WorkspaceEmojiRemoved WorkspaceEmojiRemovedFrame "workspace.emoji_removed" {
        /// Its name.
        name: String,
    }
    /// A public channel was created. Users who are put into a channel or conversation get `channel.member_joined` instead.
    channel ChannelCreated ChannelCreatedFrame "channel.created" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The channel's name changed.
    channel ChannelRenamed ChannelRenamedFrame "channel.renamed" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The channel's topic was set or cleared.
    channel ChannelTopicChanged ChannelTopicChangedFrame "channel.topic_changed" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The channel's purpose was set or cleared.
    channel ChannelPurposeChanged ChannelPurposeChangedFrame "channel.purpose_changed" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The channel's description was set or cleared.
    channel ChannelDescriptionChanged ChannelDescriptionChangedFrame "channel.description_changed" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The channel's settings changed.
    channel ChannelSettingsChanged ChannelSettingsChangedFrame "channel.settings_changed" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The channel was archived.
    channel ChannelArchived ChannelArchivedFrame "channel.archived" {
        /// The channel.
        channel: FrameChannel,
    }
    /// The archived channel was reopened.
    channel ChannelUnarchived ChannelUnarchivedFrame "channel.unarchived" {
        /// The channel.
        channel: FrameChannel,
    }
    /// A user joined the channel, or was added. Of one's own: read its messages.
    channel ChannelMemberJoined ChannelMemberJoinedFrame "channel.member_joined" {
        /// The channel.
        channel: FrameChannel,
        /// The user.
        member: FrameChannelMember,
    }
    /// A member left the channel. Of one's own: it is the last of a private channel.
    channel ChannelMemberLeft ChannelMemberLeftFrame "channel.member_left" {
        /// The user.
        member: FrameChannelMember,
    }
    /// A member was removed from the channel. Of one's own: it is the last of a private channel.
    channel ChannelMemberRemoved ChannelMemberRemovedFrame "channel.member_removed" {
        /// The user.
        member: FrameChannelMember,
    }
    /// A member's role in the channel changed.
    channel ChannelMemberRoleChanged ChannelMemberRoleChangedFrame "channel.member_role_changed" {
        /// The member.
        member: FrameChannelMember,
    }
    /// The user changed what they are notified of in the channel.
    channel ChannelNotificationLevelChanged ChannelNotificationLevelChangedFrame "channel.notification_level_changed" {
        /// `all`, `mentions` or `none`. Absent if the user is not in the channel any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        notification_level: Option<String>,
    }
    /// A message was posted.
    channel MessagePosted MessagePostedFrame "message.posted" {
        /// The message.
        message: FrameMessage,
    }
    /// The text of a message was edited.
    channel MessageEdited MessageEditedFrame "message.edited" {
        /// The message.
        message: FrameMessage,
    }
    /// A message was deleted.
    channel MessageDeleted MessageDeletedFrame "message.deleted" {
        /// The message, without its text.
        message: FrameMessage,
    }
    /// A message was pinned to its channel.
    channel MessagePinned MessagePinnedFrame "message.pinned" {
        /// The message.
        message: FrameMessage,
    }
    /// A message was unpinned.
    channel MessageUnpinned MessageUnpinnedFrame "message.unpinned" {
        /// The message.
        message: FrameMessage,
    }
    /// A user reacted to a message.
    channel MessageReacted MessageReactedFrame "message.reacted" {
        /// The message, with its reactions.
        message: FrameMessage,
        /// The user.
        user_id: Uuid,
        /// The emoji.
        emoji: String,
    }
    /// A user removed their reaction.
    channel MessageReactionRemoved MessageReactionRemovedFrame "message.reaction_removed" {
        /// The message, with its reactions.
        message: FrameMessage,
        /// The user.
        user_id: Uuid,
        /// The emoji.
        emoji: String,
    }
    /// A message was purged: its text is removed everywhere.
    channel MessagePurged MessagePurgedFrame "message.purged" {
        /// The message, without its text.
        message: FrameMessage,
    }
    /// The retention policy removed messages from the channel.
    channel RetentionApplied RetentionAppliedFrame "retention.applied" {
        /// `archive` or `purge`.
        action: String,
        /// The messages. They are in no list any more.
        #[schema(max_items = 1000)]
        message_ids: Vec<Uuid>,
    }
}
