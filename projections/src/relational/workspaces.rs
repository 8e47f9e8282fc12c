//! `workspaces`: name, description and settings of each.

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use serde::Serialize;
use serde_json::Value;
use sqlx::query_file_as;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read_models::{QueryError, ReadModels};

/// A workspace, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkspaceRow {
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its picture lies.
    pub avatar_url: Option<String>,
    /// How it is run.
    pub settings: Value,
    /// `free`, `pro` or `enterprise`.
    pub plan_type: String,
    /// How many active members it may have.
    pub max_members: i32,
    /// Its #general channel.
    pub general_channel_id: Uuid,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When something of this last changed.
    pub updated_at: DateTime<Utc>,
    /// The last event that this has seen.
    #[serde(skip)]
    pub position: i64,
}

impl ReadModels {
    /// That workspace.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn workspace(
        &self,
        workspace_id: WorkspaceId,
    ) -> Result<Option<WorkspaceRow>, QueryError> {
        let ids = [workspace_id.0];
        let found = query_file_as!(WorkspaceRow, "src/relational/sql/workspaces.sql", &ids)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found)
    }

    /// The workspaces that a user is an active member of, by name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn workspaces_of(&self, user_id: UserId) -> Result<Vec<WorkspaceRow>, QueryError> {
        let found = query_file_as!(
            WorkspaceRow,
            "src/relational/sql/workspaces_of.sql",
            user_id.0
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(found)
    }
}
