//! The account events of one user, for that user. They belong to no workspace, so no workspace's audit has all of them.

use domain::ids::UserId;
use domain::personal;
use sqlx::query_file_scalar;

use super::AuditError;
use super::AuditLog;
use super::entry::FoundEvents;
use super::load::Extent;
use projections::rows;

impl AuditLog {
    /// Returns the events of a user's own stream and of the user's sessions, behind that position, oldest first. If
    /// another person changed the account, that person's address is left out.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn account_events(&self, user_id: UserId, after: i64, limit: u16) -> Result<FoundEvents, AuditError> {
        let positions =
            query_file_scalar!("src/audit/sql/account_positions.sql", user_id.0, after, rows(limit)).fetch_all(&self.pool).await?;
        let mut found = self.found_at(None, positions, Extent::Changes).await?;
        for event in &mut found.events {
            if personal::metadata_owner(event.metadata.actor, &event.event) != Some(user_id.0) {
                (event.metadata.address, event.metadata.user_agent) = (None, None);
            }
        }
        Ok(found)
    }
}
