//! `workspace_invitations`: who was invited to which workspace. Not here: the tokens (`secret`).

use chrono::{DateTime, Utc};
use domain::WorkspaceEvent;
use domain::ids::WorkspaceId;
use serde::Serialize;
use sqlx::{PgConnection, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::seen::{Seen, to_micros};
use crate::read_models::{QueryError, ReadModels, rows};

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
    pub position: i64,
}

/// The invitation that an event is about, where it was there before.
pub(super) fn touched(event: &WorkspaceEvent) -> Option<Uuid> {
    match event {
        WorkspaceEvent::InvitationRevoked { invitation_id } => Some(invitation_id.0),
        WorkspaceEvent::MemberJoined { invitation_id, .. } => invitation_id.map(|id| id.0),
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::MemberInvited { .. }
        | WorkspaceEvent::MemberRoleChanged { .. }
        | WorkspaceEvent::MemberDetailsChanged { .. }
        | WorkspaceEvent::MemberPermissionsChanged { .. }
        | WorkspaceEvent::MemberDeactivated { .. }
        | WorkspaceEvent::MemberReactivated { .. }
        | WorkspaceEvent::HandedOver { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. } => None,
    }
}

/// What an event does to invitations.
pub(super) fn apply(invitations: &mut Rows<InvitationRow>, workspace_id: Uuid, seen: Seen, event: &WorkspaceEvent) -> Result<(), Missing> {
    if let WorkspaceEvent::MemberInvited { invitation_id, email, role, invited_by, expires_at } = event {
        invitations.insert(InvitationRow {
            invitation_id: invitation_id.0,
            workspace_id,
            email: email.to_string(),
            role: role.as_str().into(),
            status: "pending".into(),
            invited_by: invited_by.0,
            expires_at: to_micros(*expires_at),
            created_at: seen.at,
            updated_at: seen.at,
            position: seen.position,
        });
        return Ok(());
    }
    let Some(id) = touched(event) else { return Ok(()) };
    let outcome = if matches!(event, WorkspaceEvent::MemberJoined { .. }) { "accepted" } else { "revoked" };
    invitations.change(id, seen, |row| row.status = outcome.into())
}

/// The invitations as they are stored.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<InvitationRow>> {
    query_file_as!(InvitationRow, "src/relational/sql/load_workspace_invitations.sql", ids).fetch_all(connection).await
}

row!(InvitationRow, "workspace_invitations", invitation_id, updated_at);

json_row! {
    InvitationRow, "workspace_invitations", "invitation_id",
    "workspace_id", "email", "role", "status", "invited_by", "expires_at", "created_at", "updated_at", "position"
}

impl ReadModels {
    /// A workspace's invitations that are neither accepted nor revoked, oldest first; expired ones too. `after` is when the last one of the
    /// page before was given out, and which that is.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn invitations(
        &self,
        workspace_id: WorkspaceId,
        after: Option<(DateTime<Utc>, Uuid)>,
        limit: u16,
    ) -> Result<Vec<InvitationRow>, QueryError> {
        let (created_at, invitation_id) = after.unzip();
        let file = query_file_as!(
            InvitationRow,
            "src/relational/sql/pending_invitations.sql",
            workspace_id.0,
            created_at,
            invitation_id,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}
