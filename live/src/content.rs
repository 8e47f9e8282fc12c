//! The contents of frames, as of the moment of sending: messages, channels, workspaces and people. The fields have the
//! names and the values of the rows that queries return. A field that has no value is absent.

use chrono::{DateTime, Utc};
use domain::channel::MemberRole;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::workspace::Member;
use domain::{Channel, User, Workspace};
use serde::Serialize;
use serde_json::Value;
use shapes::{Person, Reaction};
use utoipa::ToSchema;
use uuid::Uuid;

/// A message, with its author's names: a row of `GET …/messages`, without the counts of its thread.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FrameMessage {
    /// The message.
    pub message_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The author. For a system message, the user that it is about.
    pub user_id: Uuid,
    /// The author's user name. Absent if the author was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The author's display name. Absent if the author was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The address of the author's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the author was erased. Then nothing else is known about them.
    pub is_erased: bool,
    /// The text. Empty if the message was deleted, or its author was erased.
    pub content: String,
    /// `text`, `file`, `system` or `bot`.
    pub message_type: String,
    /// The references of the text: mentions, channels, broadcasts, links, files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted_content: Option<Value>,
    /// The message that began the thread, if this is an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<Uuid>,
    /// Whether it is pinned to its channel.
    pub is_pinned: bool,
    /// When it was pinned.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub pinned_at: Option<DateTime<Utc>>,
    /// The user that pinned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_by: Option<Uuid>,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub deleted_at: Option<DateTime<Utc>>,
    /// The reactions, in the order of the first of each emoji.
    pub reactions: Vec<Reaction>,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub edited_at: Option<DateTime<Utc>>,
    /// The user that last edited it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_by: Option<Uuid>,
    /// When it was sent: its place in the channel.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
}

/// A member of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FrameMember {
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The display name. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The address of the user's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the user was erased. Then nothing else is known about them.
    pub is_erased: bool,
    /// Whether the user is a bot.
    pub is_bot: bool,
    /// Owner, admin, member or guest.
    pub role: String,
    /// Whether the member is active, and not deactivated.
    pub is_active: bool,
    /// Job title in this workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
}

/// A channel, without what it is to the reader.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FrameChannel {
    /// The channel.
    pub channel_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The name. Direct and group conversations have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name as it is displayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// A description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `public`, `private`, `dm` or `group_dm`.
    pub channel_type: String,
    /// Whether the channel is archived, so that nobody can post in it.
    pub is_archived: bool,
    /// Whether it is the workspace's #general.
    pub is_general: bool,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// How long messages are kept. If absent, the workspace's policy applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<Value>,
    /// Whether messages may be answered in threads.
    pub allow_threads: bool,
    /// Whether files may be uploaded.
    pub allow_file_upload: bool,
    /// Whether people outside the workspace may be given access.
    pub allow_external_sharing: bool,
    /// The user that created it.
    pub created_by: Uuid,
    /// The people of a direct or group conversation. Absent for channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 9)]
    pub members: Option<Vec<Person>>,
}

/// A member of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FrameChannelMember {
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The display name. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The address of the user's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the user was erased. Then nothing else is known about them.
    pub is_erased: bool,
    /// The role in the channel. Absent if the user is not in it any more.
    #[schema(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<FrameChannelRole>,
}

/// A role in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameChannelRole {
    /// The usual role.
    Member,
    /// May rename, archive and set up the channel, and remove members.
    Admin,
}

impl From<MemberRole> for FrameChannelRole {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Member => Self::Member,
            MemberRole::Admin => Self::Admin,
        }
    }
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FrameWorkspace {
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The address of its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// How long messages are kept in channels without a policy of their own. Absent if for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<Value>,
    /// The largest file that may be uploaded, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_max_bytes: Option<u64>,
    /// The minutes within which authors may edit a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit_window_minutes: Option<u32>,
    /// `free`, `pro` or `enterprise`.
    pub plan_type: String,
}

/// A person, as the write side knows them now.
pub(crate) fn person(user_id: UserId, user: Option<&User>) -> Person {
    let is_erased = user.is_some_and(|user| user.erased);
    let shown = user.filter(|user| !user.erased).and_then(|user| user.registration.as_ref());
    Person {
        user_id: user_id.0,
        username: shown.map(|shown| shown.username.to_string()),
        display_name: shown.map(|shown| shown.profile.display_name.to_string()),
        avatar_url: shown.and_then(|shown| text(shown.profile.avatar_url.as_ref())),
        is_erased,
    }
}

impl FrameMember {
    pub(crate) fn of(user_id: UserId, user: Option<&User>, member: Option<&Member>) -> Option<Self> {
        let (member, person) = (member?, person(user_id, user));
        let is_bot = user.and_then(|user| user.registration.as_ref()).is_some_and(|registration| registration.is_bot);
        let Person { user_id, username, display_name, avatar_url, is_erased } = person;
        Some(Self {
            user_id,
            username,
            display_name,
            avatar_url,
            is_erased,
            is_bot,
            role: member.role.as_str().into(),
            is_active: member.active,
            title: text(member.title.as_ref()),
            department: text(member.department.as_ref()),
        })
    }
}

impl FrameChannelMember {
    pub(crate) fn of(user_id: UserId, user: Option<&User>, channel: Option<&Channel>) -> Self {
        let Person { user_id: id, username, display_name, avatar_url, is_erased } = person(user_id, user);
        let role = channel.and_then(|channel| channel.members.get(&user_id)).map(|member| member.role.into());
        Self { user_id: id, username, display_name, avatar_url, is_erased, role }
    }
}

impl FrameChannel {
    /// The channel. `person` returns a participant of a conversation.
    pub(crate) fn of(channel_id: ChannelId, channel: &Channel, person: impl Fn(UserId) -> Person) -> Option<Self> {
        let (creation, settings) = (channel.creation.as_ref()?, &channel.settings);
        let people = || channel.members.keys().map(|user_id| person(*user_id)).collect();
        Some(Self {
            channel_id: channel_id.0,
            workspace_id: creation.workspace_id.0,
            name: text(creation.name.as_ref()),
            display_name: text(creation.display_name.as_ref()),
            description: text(creation.description.as_ref()),
            channel_type: creation.kind.as_str().into(),
            is_archived: channel.archived,
            is_general: creation.is_general,
            topic: text(creation.topic.as_ref()),
            purpose: text(creation.purpose.as_ref()),
            retention_policy: settings.retention_policy.and_then(|policy| serde_json::to_value(policy).ok()),
            allow_threads: settings.allow_threads,
            allow_file_upload: settings.allow_file_upload,
            allow_external_sharing: settings.allow_external_sharing,
            created_by: creation.created_by.0,
            members: creation.kind.is_direct().then(people),
        })
    }
}

impl FrameWorkspace {
    pub(crate) fn of(workspace_id: WorkspaceId, workspace: &Workspace) -> Option<Self> {
        let (details, settings) = (workspace.details.as_ref()?, &workspace.settings);
        Some(Self {
            workspace_id: workspace_id.0,
            name: details.name.to_string(),
            domain: text(workspace.domain.as_ref()),
            description: text(details.description.as_ref()),
            avatar_url: text(details.avatar_url.as_ref()),
            retention_policy: settings.retention_policy.and_then(|policy| serde_json::to_value(policy).ok()),
            upload_max_bytes: settings.upload_max_bytes,
            edit_window_minutes: settings.edit_window_minutes,
            plan_type: workspace.plan.as_str().into(),
        })
    }
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}
