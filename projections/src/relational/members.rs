//! `workspace_members`: who is what in which workspace.

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use serde::Serialize;
use serde_json::Value;
use sqlx::query_file_as;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read_models::{QueryError, ReadModels, rows};

/// A member of a workspace, with their names.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MemberRow {
    /// The membership: the same each time they come back.
    pub member_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention.
    pub username: String,
    /// The name that is shown.
    pub display_name: String,
    /// Where their picture lies.
    pub avatar_url: Option<String>,
    /// Whether a program speaks here.
    pub is_bot: bool,
    /// Owner, admin, member or guest.
    pub role: String,
    /// Job title in this workspace.
    pub title: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// `active` or `deactivated`.
    pub status: String,
    /// Who invited them.
    pub invited_by: Option<Uuid>,
    /// What they may beyond their role, or not in spite of it.
    pub permissions: Value,
    /// When they joined.
    pub joined_at: DateTime<Utc>,
    /// When something of this last changed.
    pub updated_at: DateTime<Utc>,
}

impl ReadModels {
    /// A workspace's members, deactivated ones too, in order of their identifiers. `after` is the last user of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn members(
        &self,
        workspace_id: WorkspaceId,
        after: Option<UserId>,
        limit: u16,
    ) -> Result<Vec<MemberRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file = query_file_as!(
            MemberRow,
            "src/relational/sql/members.sql",
            workspace_id.0,
            after,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// That member, deactivated or not.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn member(
        &self,
        workspace_id: WorkspaceId,
        user_id: UserId,
    ) -> Result<Option<MemberRow>, QueryError> {
        let file = query_file_as!(
            MemberRow,
            "src/relational/sql/member.sql",
            workspace_id.0,
            user_id.0
        );
        Ok(file.fetch_optional(&self.pool).await?)
    }
}
