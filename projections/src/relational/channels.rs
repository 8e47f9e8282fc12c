//! `channels`: channels, direct and group conversations.

use chrono::{DateTime, Utc};
use domain::ChannelEvent;
use domain::channel::{ChannelSettings, Creation};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::retention::RetentionPolicy;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::stamp::EventStamp;
use crate::read_models::{QueryError, ReadModels, rows};

/// A channel, as of now.
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
}

/// Applies an event to a channel's own row. Its members are in `channel_members`.
pub(super) fn apply(channels: &mut Rows<ChannelRow>, id: Uuid, stamp: EventStamp, event: &ChannelEvent) -> Result<(), Missing> {
    match event {
        ChannelEvent::Created(creation) => {
            channels.insert(ChannelRow::created(id, stamp, creation));
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
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<ChannelRow>> {
    query_file_as!(ChannelRow, "src/relational/sql/channels.sql", ids).fetch_all(connection).await
}

fn as_json(policy: RetentionPolicy) -> Value {
    json!(policy)
}

row!(ChannelRow, "channels", channel_id, updated_at);

json_row! {
    ChannelRow, "channels", "channel_id",
    "workspace_id", "name", "display_name", "description", "channel_type", "is_archived", "is_general", "topic",
    "purpose", "retention_policy", "allow_threads", "allow_file_upload", "allow_external_sharing", "created_by",
    "created_at", "updated_at", "archived_at", "archived_by", "position"
}

impl ChannelRow {
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

impl ReadModels {
    /// Returns a channel. The write side decides whether the caller may see it.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel(&self, channel_id: ChannelId) -> Result<Option<ChannelRow>, QueryError> {
        let ids = [channel_id.0];
        Ok(query_file_as!(ChannelRow, "src/relational/sql/channels.sql", &ids).fetch_optional(&self.pool).await?)
    }

    /// Returns the channel with this name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_by_name(&self, workspace_id: WorkspaceId, name: &str) -> Result<Option<ChannelRow>, QueryError> {
        let file = query_file_as!(ChannelRow, "src/relational/sql/channel_by_name.sql", workspace_id.0, name);
        Ok(file.fetch_optional(&self.pool).await?)
    }

    /// Returns the channels and conversations of a user, in order of their identifiers, with archived ones. `after` is
    /// the last channel of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channels_of(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        after: Option<ChannelId>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file = query_file_as!(ChannelRow, "src/relational/sql/channels_of.sql", user_id.0, workspace_id.0, after, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns the named channels in which nobody is an active member of the workspace, in order of their identifiers, with
    /// archived ones. `after` is the last channel of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channels_without_members(
        &self,
        workspace_id: WorkspaceId,
        after: Option<ChannelId>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file = query_file_as!(ChannelRow, "src/relational/sql/channels_without_members.sql", workspace_id.0, after, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns the public channels of a workspace, by name, with archived ones. `after` is the name of the last channel of
    /// the page before, as it was then: no channel is left out when that one gets another name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn browsable_channels(
        &self,
        workspace_id: WorkspaceId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let file = query_file_as!(ChannelRow, "src/relational/sql/browsable_channels.sql", workspace_id.0, after, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }
}
