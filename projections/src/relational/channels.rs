//! `channels`: channels, direct and group conversations.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::text::ChannelName;
use serde::Serialize;
use serde_json::Value;
use sqlx::query_file_as;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read_models::{QueryError, ReadModels, rows};

/// A channel, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelRow {
    /// The channel.
    pub channel_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The name; direct and group conversations have none.
    pub name: Option<String>,
    /// The name as it is shown.
    pub display_name: Option<String>,
    /// A description.
    pub description: Option<String>,
    /// `public`, `private`, `dm` or `group_dm`.
    pub channel_type: String,
    /// Whether nobody can post in it any more.
    pub is_archived: bool,
    /// Whether it is the workspace's #general.
    pub is_general: bool,
    /// What is being talked about.
    pub topic: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// How long messages are kept; as the workspace says, where this says nothing.
    pub retention_policy: Option<Value>,
    /// Whether messages may be answered in threads.
    pub allow_threads: bool,
    /// Whether files may be uploaded.
    pub allow_file_upload: bool,
    /// Whether people outside the workspace may be given access.
    pub allow_external_sharing: bool,
    /// Who created it.
    pub created_by: Uuid,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When something of this last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was archived.
    pub archived_at: Option<DateTime<Utc>>,
    /// Who archived it.
    pub archived_by: Option<Uuid>,
    /// The last event that this has seen.
    #[serde(skip)]
    pub position: i64,
}

impl ReadModels {
    /// That channel. Whether the asker may see it is the write side's to say.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel(&self, channel_id: ChannelId) -> Result<Option<ChannelRow>, QueryError> {
        let ids = [channel_id.0];
        Ok(
            query_file_as!(ChannelRow, "src/relational/sql/channels.sql", &ids)
                .fetch_optional(&self.pool)
                .await?,
        )
    }

    /// The channel of that name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_by_name(
        &self,
        workspace_id: WorkspaceId,
        name: &ChannelName,
    ) -> Result<Option<ChannelRow>, QueryError> {
        let file = query_file_as!(
            ChannelRow,
            "src/relational/sql/channel_by_name.sql",
            workspace_id.0,
            name.as_str()
        );
        Ok(file.fetch_optional(&self.pool).await?)
    }

    /// The channels and conversations that a user is in, in order of their identifiers, archived ones too. `after` is the last channel
    /// of the page before.
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
        let file = query_file_as!(
            ChannelRow,
            "src/relational/sql/channels_of.sql",
            user_id.0,
            workspace_id.0,
            after,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// The public channels of a workspace, by name, archived ones too. `after` is the last channel of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn browsable_channels(
        &self,
        workspace_id: WorkspaceId,
        after: Option<ChannelId>,
        limit: u16,
    ) -> Result<Vec<ChannelRow>, QueryError> {
        let after = after.map(|id| id.0);
        let file = query_file_as!(
            ChannelRow,
            "src/relational/sql/browsable_channels.sql",
            workspace_id.0,
            after,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}
