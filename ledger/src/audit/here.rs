//! Hides addresses that do not concern a workspace. A member is in other workspaces too, and signs in from home. So a
//! workspace's auditors see an address only if it belongs to something that happened in the workspace.

use std::collections::HashSet;

use domain::ids::WorkspaceId;
use domain::{AggregateType, Event, Recorded};
use sqlx::query_scalar;
use uuid::Uuid;

use super::AuditError;
use super::AuditLog;

impl AuditLog {
    /// Removes the address and the client from events that belong to no workspace, except from sign-ins whose session
    /// has an event in this workspace.
    pub(super) async fn remove_unrelated_addresses(
        &self,
        workspace_id: WorkspaceId,
        events: &mut [Recorded<Event>],
    ) -> Result<(), AuditError> {
        let sessions = events.iter().filter_map(sign_in).collect::<Vec<_>>();
        let here = if sessions.is_empty() { HashSet::new() } else { self.sessions_in_workspace(workspace_id, &sessions).await? };
        let unrelated = |event: &&mut Recorded<Event>| event.workspace_id.is_none() && !sign_in(event).is_some_and(|id| here.contains(&id));
        for event in events.iter_mut().filter(unrelated) {
            (event.metadata.address, event.metadata.user_agent) = (None, None);
        }
        Ok(())
    }

    /// Returns the sessions that have an event in this workspace.
    async fn sessions_in_workspace(&self, workspace_id: WorkspaceId, sessions: &[Uuid]) -> Result<HashSet<Uuid>, AuditError> {
        let found = query_scalar!(
            "SELECT session_id AS \"session_id!\" FROM unnest($2::uuid[]) AS asked (session_id)
             WHERE EXISTS (SELECT FROM audit_log here WHERE here.workspace_id = $1 AND here.session_id = asked.session_id)",
            workspace_id.0,
            sessions,
        );
        Ok(found.fetch_all(&self.pool).await?.into_iter().collect())
    }
}

/// The session, if the event is its beginning or its end.
fn sign_in(event: &Recorded<Event>) -> Option<Uuid> {
    let session = event.metadata.session.map(|session| session.0);
    session.filter(|_| event.workspace_id.is_none() && event.stream.aggregate == AggregateType::Session)
}
