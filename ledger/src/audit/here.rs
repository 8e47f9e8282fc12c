//! From where somebody came is for a workspace's auditors only as far as it concerns what happened in that workspace: a member is in other
//! workspaces too, and signs in at home.

use std::collections::HashSet;

use domain::ids::WorkspaceId;
use domain::{AggregateType, Event, Recorded};
use sqlx::query_scalar;
use uuid::Uuid;

use super::AuditError;
use super::AuditLog;

impl AuditLog {
    /// Takes out of events of no workspace from where, and with which client, they were asked for; but for sign-ins whose session did something
    /// in that workspace.
    pub(super) async fn remove_addresses_of_elsewhere(
        &self,
        workspace_id: WorkspaceId,
        events: &mut [Recorded<Event>],
    ) -> Result<(), AuditError> {
        let sessions = events.iter().filter_map(sign_in).collect::<Vec<_>>();
        let here = if sessions.is_empty() { HashSet::new() } else { self.sessions_here(workspace_id, &sessions).await? };
        let elsewhere = |event: &&mut Recorded<Event>| event.workspace_id.is_none() && !sign_in(event).is_some_and(|id| here.contains(&id));
        for event in events.iter_mut().filter(elsewhere) {
            (event.metadata.address, event.metadata.user_agent) = (None, None);
        }
        Ok(())
    }

    /// Those of the sessions in which something was done in that workspace.
    async fn sessions_here(&self, workspace_id: WorkspaceId, sessions: &[Uuid]) -> Result<HashSet<Uuid>, AuditError> {
        let found = query_scalar!(
            "SELECT session_id AS \"session_id!\" FROM unnest($2::uuid[]) AS asked (session_id)
             WHERE EXISTS (SELECT FROM audit_log here WHERE here.workspace_id = $1 AND here.session_id = asked.session_id)",
            workspace_id.0,
            sessions,
        );
        Ok(found.fetch_all(&self.pool).await?.into_iter().collect())
    }
}

/// The session, where the event is its beginning or its end.
fn sign_in(event: &Recorded<Event>) -> Option<Uuid> {
    let session = event.metadata.session.map(|session| session.0);
    session.filter(|_| event.workspace_id.is_none() && event.stream.aggregate == AggregateType::Session)
}
