//! The fields of the frames without a position.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use live::watches::PresenceWord;
use live::{EphemeralFrame, EphemeralKind};
use projections::cache::ChannelUnread;
use serde::Serialize;
use stores::error::chain;
use utoipa::ToSchema;
use uuid::Uuid;

/// Somebody is typing in a channel. It holds for ten seconds, or until their message comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TypingFields {
    /// The workspace.
    #[schema(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The channel.
    #[schema(value_type = Uuid)]
    pub channel_id: ChannelId,
    /// The user who is typing.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
}

/// The presence of people whom the client watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PresenceFields {
    /// The workspace.
    #[schema(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The people whose presence has changed, or is sent for the first time.
    pub people: Vec<PresenceOfPerson>,
}

/// The presence of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PresenceOfPerson {
    /// The user.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// The presence, as in `GET …/presence`.
    pub presence: PresenceWord,
}

/// The user has moved a read marker, on some device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadMarkerFields {
    /// The workspace.
    #[schema(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The channel. Absent if everything in the workspace was marked as read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub channel_id: Option<ChannelId>,
    /// The last message that the user has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Uuid>,
    /// When that message was sent.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub created_at: Option<DateTime<Utc>>,
}

/// The user's unread counts in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadFields {
    /// The workspace.
    #[schema(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The counts are as of this position, or later.
    pub position: i64,
    /// As in `GET …/unread`.
    #[schema(minimum = 0)]
    pub unread: i64,
    /// As in `GET …/unread`.
    #[schema(minimum = 0)]
    pub mentions: i64,
    /// Rows as in `GET …/unread`: those of the channels whose markers have moved; if the client asked, or if everything was
    /// marked as read, those of all channels, 500 at most.
    pub channels: Vec<ChannelUnread>,
    /// Whether there are more channels than that. `GET …/unread` lists all.
    pub more: bool,
}

/// Makes a frame. `None` is a defect of the server.
pub(super) fn frame(kind: EphemeralKind, fields: &impl Serialize) -> Option<EphemeralFrame> {
    EphemeralFrame::of(kind, fields).inspect_err(|error| tracing::error!(error = %chain(error), "a frame cannot be written")).ok()
}
