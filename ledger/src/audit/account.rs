//! What happened to somebody's account, for themselves: it belongs to no workspace, so that no workspace's audit has all of it.

use domain::ids::UserId;
use domain::personal;
use sqlx::query_file_scalar;

use super::AuditError;
use super::AuditLog;
use super::entry::Found;
use super::load::Extent;
use projections::rows;

impl AuditLog {
    /// The events of a user's own stream and of their sessions, behind that position, oldest first. From where others came who did something to
    /// the account is theirs, and left out.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn account_events(&self, user_id: UserId, after: i64, limit: u16) -> Result<Found, AuditError> {
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
