//! `workspace_invitations`: the invitations to each workspace. Not here: the tokens (schema `secret`).

use chrono::{DateTime, Utc};
use domain::WorkspaceEvent;
use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::permission::Role;
use domain::text::Email;
use serde::Serialize;
use sqlx::{PgConnection, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::stamp::{EventStamp, to_micros};
use crate::read_models::{QueryError, ReadModels, rows};

/// An invitation.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct InvitationRow {
    /// The invitation.
    pub invitation_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The address of the invited person.
    pub email: String,
    /// The role that the invited person gets.
    pub role: String,
    /// `pending`, `accepted` or `revoked`.
    pub status: String,
    /// The user that sent the invitation.
    pub invited_by: Uuid,
    /// When the invitation expires.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub expires_at: DateTime<Utc>,
    /// When the invitation was sent.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub updated_at: DateTime<Utc>,
    /// The last event that was applied to the row.
    pub position: i64,
}

/// The existing invitation that an event is about.
pub(super) fn affected(event: &WorkspaceEvent) -> Option<Uuid> {
    match event {
        WorkspaceEvent::InvitationRevoked { invitation_id } => Some(invitation_id.0),
        WorkspaceEvent::MemberJoined { invitation_id, .. } => invitation_id.map(|id| id.0),
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
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
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => None,
    }
}

/// Applies an event to invitations.
pub(super) fn apply(
    invitations: &mut Rows<InvitationRow>,
    workspace_id: Uuid,
    stamp: EventStamp,
    event: &WorkspaceEvent,
) -> Result<(), Missing> {
    if let WorkspaceEvent::MemberInvited { invitation_id, email, role, invited_by, expires_at } = event {
        let sent = NewInvitation {
            invitation_id: *invitation_id,
            workspace_id: workspace_id.into(),
            email: email.clone(),
            role: *role,
            invited_by: *invited_by,
            expires_at: *expires_at,
        };
        invitations.insert(InvitationRow::just_sent(sent, (stamp.position, stamp.at)));
        return Ok(());
    }
    let Some(id) = affected(event) else { return Ok(()) };
    let outcome = if matches!(event, WorkspaceEvent::MemberJoined { .. }) { "accepted" } else { "revoked" };
    invitations.change(id, stamp, |row| row.status = outcome.into())
}

/// Reads invitations.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<InvitationRow>> {
    query_file_as!(InvitationRow, "src/relational/sql/load_workspace_invitations.sql", ids).fetch_all(connection).await
}

row!(InvitationRow, "workspace_invitations", invitation_id, updated_at);

json_row! {
    InvitationRow, "workspace_invitations", "invitation_id",
    "workspace_id", "email", "role", "status", "invited_by", "expires_at", "created_at", "updated_at", "position"
}

impl InvitationRow {
    /// The row of an invitation that was just sent, with an event that was recorded at this position and time. Queries
    /// return the same row as soon as the event is projected.
    #[must_use]
    pub fn just_sent(invitation: NewInvitation, (position, recorded_at): (i64, DateTime<Utc>)) -> Self {
        let at = to_micros(recorded_at);
        Self {
            invitation_id: invitation.invitation_id.0,
            workspace_id: invitation.workspace_id.0,
            email: invitation.email.to_string(),
            role: invitation.role.as_str().into(),
            status: "pending".into(),
            invited_by: invitation.invited_by.0,
            expires_at: to_micros(invitation.expires_at),
            created_at: at,
            updated_at: at,
            position,
        }
    }
}

/// The data of an invitation that was just sent.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// The invitation.
    pub invitation_id: InvitationId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The address of the invited person.
    pub email: Email,
    /// The role that the invited person gets.
    pub role: Role,
    /// The user that sent the invitation.
    pub invited_by: UserId,
    /// When the invitation expires.
    pub expires_at: DateTime<Utc>,
}

impl ReadModels {
    /// Returns a workspace's invitations that are neither accepted nor revoked, oldest first. Expired ones are
    /// included.
    ///
    /// `after` is the creation time and the identifier of the last invitation of the previous page.
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

    /// Returns an invitation, open or not.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn invitation(&self, workspace_id: WorkspaceId, invitation_id: InvitationId) -> Result<Option<InvitationRow>, QueryError> {
        let file = query_file_as!(InvitationRow, "src/relational/sql/invitation.sql", workspace_id.0, invitation_id.0);
        Ok(file.fetch_optional(&self.pool).await?)
    }
}
