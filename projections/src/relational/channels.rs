//! `channels`: channels, direct and group conversations.

use chrono::{DateTime, Utc};
use domain::ChannelEvent;
use domain::channel::{ChannelSettings, Creation};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::retention::RetentionPolicy;
use serde::Serialize;
use serde_json::{Value, json};
use shapes::Person;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, query_file_as, query_file_scalar, query_scalar};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::stamp::EventStamp;
use crate::read_models::{QueryError, ReadModels, rows};

/// The most people that are shown of a conversation: as many as it can have.
const CONVERSATION_MEMBERS_MAX: i64 = 9;

/// A channel, as of now, with the caller's own settings. A part without a value is absent.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelRow {
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
    /// How long messages are kept. If empty, the workspace's policy applies.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::document::serialize_option")]
    pub retention_policy: Option<Value>,
    /// Whether messages may be answered in threads.
    pub allow_threads: bool,
    /// Whether files may be uploaded.
    pub allow_file_upload: bool,
    /// Whether people outside the workspace may be given access.
    pub allow_external_sharing: bool,
    /// The user that created it.
    pub created_by: Uuid,
    /// When it was created.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub updated_at: DateTime<Utc>,
    /// When it was archived.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub archived_at: Option<DateTime<Utc>>,
    /// The user that archived it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_by: Option<Uuid>,
    /// The last event that was applied to the row.
    pub position: i64,
    /// Whether the caller is in it.
    pub is_member: bool,
    /// The caller's role in it: `admin` or `member`. Absent if the caller is not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The caller's notification level in it: `all`, `mentions` or `none`. Absent if the caller is not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_level: Option<String>,
    /// The people of a direct or group conversation, the caller too. Absent for channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Person>>, max_items = 9)]
    pub members: Option<Json<Vec<Person>>>,
    /// When the latest message was sent, answers in threads aside. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub last_message_at: Option<DateTime<Utc>>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ChannelRecord {
    channel_id: Uuid,
    workspace_id: Uuid,
    name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    channel_type: String,
    is_archived: bool,
    is_general: bool,
    topic: Option<String>,
    purpose: Option<String>,
    retention_policy: Option<Value>,
    allow_threads: bool,
    allow_file_upload: bool,
    allow_external_sharing: bool,
    created_by: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    archived_by: Option<Uuid>,
    position: i64,
}

/// Applies an event to a channel's own row. Its members are in `channel_members`.
pub(super) fn apply(channels: &mut Rows<ChannelRecord>, id: Uuid, stamp: EventStamp, event: &ChannelEvent) -> Result<(), Missing> {
    match event {
        ChannelEvent::Created(creation) => {
            channels.insert(ChannelRecord::created(id, stamp, creation));
            Ok(())
        }
        ChannelEvent::Renamed { name, display_name } => channels.change(id, stamp, |row| {
            row.name = Some(name.to_string());
            row.display_name = display_name.as_ref().map(ToString::to_string);
        }),
        ChannelEvent::TopicChanged { topic } => channels.change(id, stamp, |row| row.topic = topic.as_ref().map(ToString::to_string)),
        ChannelEvent::PurposeChanged { purpose } => {
            channels.change(id, stamp, |row| row.purpose = purpose.as_ref().map(ToString::to_string))
        }
        ChannelEvent::DescriptionChanged { description } => {
            channels.change(id, stamp, |row| row.description = description.as_ref().map(ToString::to_string))
        }
        ChannelEvent::SettingsChanged(settings) => channels.change(id, stamp, |row| row.set_settings(settings)),
        ChannelEvent::Archived { by } => channels.change(id, stamp, |row| {
            row.is_archived = true;
            row.archived_at = Some(stamp.at);
            row.archived_by = Some(by.0);
        }),
        ChannelEvent::Unarchived { by: _ } => channels.change(id, stamp, |row| {
            row.is_archived = false;
            row.archived_at = None;
            row.archived_by = None;
        }),
        ChannelEvent::MemberJoined { .. }
        | ChannelEvent::MemberLeft { .. }
        | ChannelEvent::MemberRemoved { .. }
        | ChannelEvent::MemberRoleChanged { .. }
        | ChannelEvent::NotificationLevelChanged { .. } => Ok(()),
    }
}

/// Reads channels.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<ChannelRecord>> {
    query_file_as!(ChannelRecord, "src/relational/sql/load_channels.sql", ids).fetch_all(connection).await
}

fn as_json(policy: RetentionPolicy) -> Value {
    json!(policy)
}

row!(ChannelRecord, "channels", channel_id, updated_at);

json_row! {
    ChannelRecord, "channels", "channel_id",
    "workspace_id", "name", "display_name", "description", "channel_type", "is_archived", "is_general", "topic",
    "purpose", "retention_policy", "allow_threads", "allow_file_upload", "allow_external_sharing", "created_by",
    "created_at", "updated_at", "archived_at", "archived_by", "position"
}

impl ChannelRecord {
    fn created(channel_id: Uuid, stamp: EventStamp, creation: &Creation) -> Self {
        let mut row = Self {
            channel_id,
            workspace_id: creation.workspace_id.0,
            name: creation.name.as_ref().map(ToString::to_string),
            display_name: creation.display_name.as_ref().map(ToString::to_string),
            description: creation.description.as_ref().map(ToString::to_string),
            channel_type: creation.kind.as_str().into(),
            is_archived: false,
            is_general: creation.is_general,
            topic: creation.topic.as_ref().map(ToString::to_string),
            purpose: creation.purpose.as_ref().map(ToString::to_string),
            retention_policy: None,
            allow_threads: false,
            allow_file_upload: false,
            allow_external_sharing: false,
            created_by: creation.created_by.0,
            created_at: stamp.at,
            updated_at: stamp.at,
            archived_at: None,
            archived_by: None,
            position: stamp.position,
        };
        row.set_settings(&ChannelSettings::default());
        row
    }

    fn set_settings(&mut self, settings: &ChannelSettings) {
        self.allow_threads = settings.allow_threads;
        self.allow_file_upload = settings.allow_file_upload;
        self.allow_external_sharing = settings.allow_external_sharing;
        self.retention_policy = settings.retention_policy.map(as_json);
    }
}

/// The channels that a list has.
#[derive(Clone, Copy, Debug)]
pub struct ChannelFilter {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Only archived ones, or only those that are not. `None` for both.
    pub archived: Option<bool>,
}

/// Reads the rows of channels in the order of `ids`, as `caller` sees them.
pub(crate) async fn rows_of(connection: &mut PgConnection, ids: &[Uuid], caller: UserId) -> sqlx::Result<Vec<ChannelRow>> {
    query_file_as!(ChannelRow, "src/relational/sql/channels.sql", ids, caller.0, CONVERSATION_MEMBERS_MAX).fetch_all(connection).await
}

/// Reads which channels and conversations a user is in, in order of their identifiers.
pub(crate) async fn ids_of(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    of: ChannelFilter,
    after: Option<ChannelId>,
    limit: i64,
) -> sqlx::Result<Vec<Uuid>> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let file = query_file_scalar!("src/relational/sql/channels_of.sql", user_id.0, of.workspace_id.0, after, limit, of.archived);
    file.fetch_all(executor).await
}

impl ReadModels {
    /// Returns a channel, as `caller` sees it. The write side decides whether the caller may see it.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel(&self, channel_id: ChannelId, caller: UserId) -> Result<Option<ChannelRow>, QueryError> {
        Ok(self.channel_rows(&[channel_id.0], caller).await?.pop())
    }

    /// Returns the channel with this name, as `caller` sees it.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_by_name(&self, workspace_id: WorkspaceId, name: &str, caller: UserId) -> Result<Option<ChannelRow>, QueryError> {
        let named = query_scalar!("SELECT channel_id FROM channels WHERE workspace_id = $1 AND name = $2", workspace_id.0, name);
        let ids = named.fetch_all(&self.pool).await?;
        Ok(self.channel_rows(&ids, caller).await?.pop())
    }

    /// Returns the channels and conversations of a user, in order of their identifiers. `after` is the last channel of the
    /// page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channels_of(
        &self,
        user_id: UserId,
        of: ChannelFilter,
        after: Option<ChannelId>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let ids = ids_of(&self.pool, user_id, of, after, rows(limit)).await?;
        self.channel_rows(&ids, user_id).await
    }

    /// Returns the named channels in which nobody is an active member of the workspace, in order of their identifiers.
    /// `after` is the last channel of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channels_without_members(
        &self,
        caller: UserId,
        of: ChannelFilter,
        after: Option<ChannelId>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file =
            query_file_scalar!("src/relational/sql/channels_without_members.sql", of.workspace_id.0, after, rows(limit), of.archived);
        let ids = file.fetch_all(&self.pool).await?;
        self.channel_rows(&ids, caller).await
    }

    /// Returns the public channels of a workspace, by name. `after` is the name of the last channel of the page before, as
    /// it was then: no channel is left out when that one gets another name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn browsable_channels(
        &self,
        caller: UserId,
        of: ChannelFilter,
        after: Option<&str>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let file = query_file_scalar!("src/relational/sql/browsable_channels.sql", of.workspace_id.0, after, rows(limit), of.archived);
        let ids = file.fetch_all(&self.pool).await?;
        self.channel_rows(&ids, caller).await
    }

    async fn channel_rows(&self, ids: &[Uuid], caller: UserId) -> Result<Vec<ChannelRow>, QueryError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(rows_of(&mut *self.pool.acquire().await?, ids, caller).await?)
    }
}
