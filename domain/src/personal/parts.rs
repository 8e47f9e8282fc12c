//! The list of all events, with their personal fields.

use uuid::Uuid;

use crate::channel::ChannelEvent;
use crate::event::{AggregateType, Event, StreamId};
use crate::message::MessageEvent;
use crate::session::SessionEvent;
use crate::user::UserEvent;
use crate::workspace::WorkspaceEvent;

/// The owner of the personal fields of an event. The owner's key seals them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOwner {
    /// The event has no personal fields.
    None,
    /// The user of the stream.
    User,
    /// The invitation itself, because the invited person need not be a user yet. Its key is destroyed with the key of
    /// the user who accepted it.
    Invitation,
    /// The member whom the event is about.
    Member,
    /// The author.
    Author,
    /// The user who signed in.
    SignedInUser,
}

/// The personal fields of one kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The event's name on the wire.
    pub event_type: &'static str,
    /// The owner of the fields.
    pub owner: PartOwner,
    /// The names of the fields in the payload.
    pub fields: &'static [&'static str],
}

const fn nothing(event_type: &'static str) -> Part {
    Part { event_type, owner: PartOwner::None, fields: &[] }
}

const fn part(event_type: &'static str, owner: PartOwner, fields: &'static [&'static str]) -> Part {
    Part { event_type, owner, fields }
}

/// Every event. A field is personal if it identifies a person or holds a person's words. Identifiers are not personal:
/// they stay, so that threads, counts and permissions stay correct. Names, topics and purposes of channels and
/// workspaces belong to the workspace, and so do the reasons of legal holds. A reaction's emoji reveals nothing once its
/// user identifier leads to no person.
pub const PARTS: &[Part] = &[
    part("user.registered", PartOwner::User, &["email", "username", "profile", "preferences"]),
    part("user.profile_changed", PartOwner::User, &["display_name", "avatar_url", "title", "phone", "bio", "pronouns"]),
    part("user.preferences_changed", PartOwner::User, &["timezone", "language", "notification_settings", "theme_preferences"]),
    part("user.status_changed", PartOwner::User, &["text", "emoji"]),
    part("user.suspended", PartOwner::User, &["reason"]),
    nothing("user.reactivated"),
    nothing("user.made_operator"),
    nothing("user.operator_removed"),
    nothing("user.password_reset"),
    nothing("user.erasure_proposed"),
    nothing("user.erasure_requested"),
    nothing("user.erasure_cancelled"),
    nothing("user.erased"),
    nothing("workspace.created"),
    nothing("workspace.details_changed"),
    nothing("workspace.domain_changed"),
    nothing("workspace.settings_changed"),
    part("workspace.member_invited", PartOwner::Invitation, &["email"]),
    nothing("workspace.invitation_revoked"),
    nothing("workspace.member_joined"),
    nothing("workspace.member_role_changed"),
    part("workspace.member_details_changed", PartOwner::Member, &["title", "department"]),
    nothing("workspace.member_permissions_changed"),
    nothing("workspace.member_deactivated"),
    nothing("workspace.member_reactivated"),
    nothing("workspace.handed_over"),
    nothing("workspace.plan_changed"),
    nothing("workspace.hold_placed"),
    nothing("workspace.hold_released"),
    nothing("workspace.emoji_added"),
    nothing("workspace.emoji_removed"),
    nothing("channel.created"),
    nothing("channel.renamed"),
    nothing("channel.topic_changed"),
    nothing("channel.purpose_changed"),
    nothing("channel.description_changed"),
    nothing("channel.settings_changed"),
    nothing("channel.member_joined"),
    nothing("channel.member_left"),
    nothing("channel.member_removed"),
    nothing("channel.member_role_changed"),
    nothing("channel.notification_level_changed"),
    nothing("channel.archived"),
    nothing("channel.unarchived"),
    part("message.posted", PartOwner::Author, &["content", "formatted"]),
    part("message.edited", PartOwner::Author, &["content", "formatted"]),
    nothing("message.deleted"),
    nothing("message.pinned"),
    nothing("message.unpinned"),
    nothing("message.reacted"),
    nothing("message.reaction_removed"),
    nothing("message.purged"),
    nothing("retention.applied"),
    part("session.started", PartOwner::SignedInUser, &["device_type"]),
    nothing("session.refused"),
    nothing("session.ended"),
    nothing("audit.read"),
    nothing("audit.exported"),
    nothing("installation.replay_started"),
    nothing("installation.replay_ended"),
    nothing("installation.replay_switched_with_differences"),
    nothing("installation.event_skipped"),
    nothing("installation.event_retried"),
    nothing("installation.proof_key_rotated"),
    nothing("installation.client_ids_removed"),
];

/// The owner of the key that seals the personal fields of an event of this stream. `None` if the event has no personal
/// fields.
#[must_use]
pub fn owner(stream: StreamId, event: &Event) -> Option<Uuid> {
    match event {
        Event::User(event) => match event {
            UserEvent::Registered(_)
            | UserEvent::ProfileChanged(_)
            | UserEvent::PreferencesChanged(_)
            | UserEvent::StatusChanged { .. }
            | UserEvent::Suspended { .. } => Some(stream.id),
            UserEvent::Reactivated {}
            | UserEvent::MadeOperator {}
            | UserEvent::OperatorRemoved {}
            | UserEvent::PasswordReset {}
            | UserEvent::ErasureProposed { .. }
            | UserEvent::ErasureRequested { .. }
            | UserEvent::ErasureCancelled { .. }
            | UserEvent::Erased { .. } => None,
        },
        Event::Workspace(event) => match event {
            WorkspaceEvent::MemberInvited { invitation_id, .. } => Some(invitation_id.0),
            WorkspaceEvent::MemberDetailsChanged { user_id, .. } => Some(user_id.0),
            WorkspaceEvent::Created { .. }
            | WorkspaceEvent::DetailsChanged(_)
            | WorkspaceEvent::DomainChanged { .. }
            | WorkspaceEvent::SettingsChanged(_)
            | WorkspaceEvent::InvitationRevoked { .. }
            | WorkspaceEvent::MemberJoined { .. }
            | WorkspaceEvent::MemberRoleChanged { .. }
            | WorkspaceEvent::MemberPermissionsChanged { .. }
            | WorkspaceEvent::MemberDeactivated { .. }
            | WorkspaceEvent::MemberReactivated { .. }
            | WorkspaceEvent::HandedOver { .. }
            | WorkspaceEvent::PlanChanged { .. }
            | WorkspaceEvent::HoldPlaced { .. }
            | WorkspaceEvent::HoldReleased { .. }
            | WorkspaceEvent::EmojiAdded { .. }
            | WorkspaceEvent::EmojiRemoved { .. } => None,
        },
        Event::Channel(event) => match event {
            ChannelEvent::Created { .. }
            | ChannelEvent::Renamed { .. }
            | ChannelEvent::TopicChanged { .. }
            | ChannelEvent::PurposeChanged { .. }
            | ChannelEvent::DescriptionChanged { .. }
            | ChannelEvent::SettingsChanged(_)
            | ChannelEvent::MemberJoined { .. }
            | ChannelEvent::MemberLeft { .. }
            | ChannelEvent::MemberRemoved { .. }
            | ChannelEvent::MemberRoleChanged { .. }
            | ChannelEvent::NotificationLevelChanged { .. }
            | ChannelEvent::Archived { .. }
            | ChannelEvent::Unarchived { .. } => None,
        },
        Event::Message(event) => match event {
            MessageEvent::Posted(posting) => Some(posting.author.0),
            // Only the author can edit a message.
            MessageEvent::Edited { by, .. } => Some(by.0),
            MessageEvent::Deleted { .. }
            | MessageEvent::Pinned { .. }
            | MessageEvent::Unpinned { .. }
            | MessageEvent::Reacted { .. }
            | MessageEvent::ReactionRemoved { .. }
            | MessageEvent::Purged { .. } => None,
        },
        Event::Session(event) => match event {
            SessionEvent::Started(start) => Some(start.user_id.0),
            SessionEvent::Refused(_) | SessionEvent::Ended { .. } => None,
        },
        // They are about the server or about readers of the audit. They hold identifiers only, and no words of a
        // person.
        Event::Retention(_) | Event::Installation(_) | Event::Audit(_) => None,
    }
}

/// The personal fields of this kind of event.
pub(super) fn fields(event_type: &str) -> &'static [&'static str] {
    PARTS.iter().find(|part| part.event_type == event_type).map_or(&[], |part| part.fields)
}

/// The kinds of events with personal fields, of this type of aggregate.
pub fn types_of(aggregate: AggregateType) -> impl Iterator<Item = &'static str> {
    let personal = PARTS.iter().filter(|part| !part.fields.is_empty()).map(|part| part.event_type);
    personal.filter(move |name| name.split_once('.').is_some_and(|(kind, _)| kind == aggregate.as_str()))
}

/// The name of an erased user, where a name is required.
#[must_use]
pub fn short_name(user_id: Uuid) -> String {
    // The last digits are random in every UUID version in use.
    format!("erased-{}", &user_id.simple().to_string()[20..])
}

/// The fields that replace erased fields, as JSON without the braces around them.
pub(super) fn tombstone(event_type: &str, stream_id: Uuid) -> String {
    match event_type {
        "user.registered" => {
            let name = short_name(stream_id);
            format!(r#""email":"{name}@erased.invalid","username":"{name}","profile":{{"display_name":"{name}"}},"preferences":{{}}"#)
        }
        "user.profile_changed" => format!(r#""display_name":"{}""#, short_name(stream_id)),
        "user.status_changed" => r#""text":null,"emoji":null"#.into(),
        "user.suspended" => r#""reason":null"#.into(),
        "workspace.member_invited" => r#""email":"erased@erased.invalid""#.into(),
        "workspace.member_details_changed" => r#""title":null,"department":null"#.into(),
        "message.posted" | "message.edited" => r#""content":"","erased":true"#.into(),
        // All other fields have a default.
        _ => String::new(),
    }
}
