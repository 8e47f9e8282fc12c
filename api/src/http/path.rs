//! The identifiers in the paths of addresses.

use domain::ids::{ChannelId, HoldId, InvitationId, MessageId, SessionId, UserId, WorkspaceId};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// A user.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// The user.
    #[param(value_type = Uuid)]
    pub user_id: UserId,
}

/// An export of a user's data.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ExportPath {
    /// The export.
    pub export_id: Uuid,
}

/// A session.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// The session, as `GET /v1/sessions` names it.
    #[param(value_type = Uuid)]
    pub session_id: SessionId,
}

/// A workspace.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WorkspacePath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
}

/// A member of a workspace.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct MemberPath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The member.
    #[param(value_type = Uuid)]
    pub user_id: UserId,
}

/// An invitation to a workspace.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InvitationPath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The invitation.
    #[param(value_type = Uuid)]
    pub invitation_id: InvitationId,
}

/// A legal hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct HoldPath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The hold.
    #[param(value_type = Uuid)]
    pub hold_id: HoldId,
}

/// An emoji of a workspace's own.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EmojiPath {
    /// The workspace.
    #[param(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// The emoji's name: lower case letters, digits, `_`, `-` and `+`. Names of Unicode's emojis cannot be taken.
    #[param(min_length = 1, max_length = 100, example = "party_parrot")]
    pub emoji_name: String,
}

/// An invitation, by its token.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InvitationTokenPath {
    /// The token of the invitation, which the inviter received.
    #[param(example = "bsi_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    pub token: String,
}

/// A channel.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ChannelPath {
    /// The channel.
    #[param(value_type = Uuid)]
    pub channel_id: ChannelId,
}

/// A member of a channel.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ChannelMemberPath {
    /// The channel.
    #[param(value_type = Uuid)]
    pub channel_id: ChannelId,
    /// The member.
    #[param(value_type = Uuid)]
    pub user_id: UserId,
}

/// A message.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct MessagePath {
    /// The message.
    #[param(value_type = Uuid)]
    pub message_id: MessageId,
}

/// A reaction to a message.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ReactionPath {
    /// The message.
    #[param(value_type = Uuid)]
    pub message_id: MessageId,
    /// The emoji itself (percent-encoded), its short name, or the name of an emoji of the workspace. A skin tone may
    /// follow a short name: `+1::skin-tone-3`.
    #[param(min_length = 1, max_length = 100, example = "thumbsup")]
    pub emoji: String,
}

/// A tile of the proof.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TileAddress {
    /// The tile's level: leaves are at 0.
    #[param(example = "0", pattern = "^(0|[1-9][0-9]?)$")]
    pub level: String,
    /// The tile's index in groups of three digits and, if the tile is not full, its number of hashes:
    /// `x001/x234/067.p/112`.
    #[param(example = "000.p/1", pattern = "^(x[0-9]{3}/)*[0-9]{3}([.]p/[1-9][0-9]{0,2})?$")]
    pub index: String,
}

/// A bundle of entries of the proof.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EntriesPath {
    /// The index of the tile at level 0 whose entries to get: `x001/x234/067.p/112`.
    #[param(example = "000.p/1", pattern = "^(x[0-9]{3}/)*[0-9]{3}([.]p/[1-9][0-9]{0,2})?$")]
    pub index: String,
}

/// A projection.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ProjectionPath {
    /// The projection's name.
    #[param(example = "relational")]
    pub name: String,
}

/// The parked events under one key of a projection.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ParkedPath {
    /// The projection's name.
    #[param(example = "relational")]
    pub name: String,
    /// The key, as `GET …/parked` lists it.
    #[param(example = "workspace:0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b")]
    pub park_key: String,
}

/// A view: a read model as of an earlier moment.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ViewPath {
    /// The view's name.
    #[param(example = "at_4711")]
    pub view: String,
}
