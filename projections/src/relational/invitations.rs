//! `workspace_invitations`: who was invited to which workspace. Not here: the tokens (`secret`).

use chrono::{DateTime, Utc};
use domain::ids::WorkspaceId;
use serde::Serialize;
use sqlx::query_file_as;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read_models::{QueryError, ReadModels};

/// An invitation.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct InvitationRow {
    /// The invitation.
    pub invitation_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Whom.
    pub email: String,
    /// As what.
    pub role: String,
    /// `pending`, `accepted` or `revoked`.
    pub status: String,
    /// Who invited them.
    pub invited_by: Uuid,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// When they were invited.
    pub created_at: DateTime<Utc>,
    /// When something of this last changed.
    pub updated_at: DateTime<Utc>,
    /// The last event that this has seen.
    #[serde(skip)]
    pub position: i64,
}

impl ReadModels {
    /// A workspace's invitations that are neither accepted nor revoked, oldest first; expired ones too.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn invitations(
        &self,
        workspace_id: WorkspaceId,
    ) -> Result<Vec<InvitationRow>, QueryError> {
        let file = query_file_as!(
            InvitationRow,
            "src/relational/sql/pending_invitations.sql",
            workspace_id.0
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}
