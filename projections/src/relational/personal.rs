//! What the read tables hold about one person, for an export of that person's data.

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use serde_json::Value;
use sqlx::{query_file, query_file_scalar};
use uuid::Uuid;

use super::messages::Cursor;
use crate::read_models::{QueryError, ReadModels, rows};

/// A page of the messages that a user wrote in a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenPage {
    /// The messages with their earlier texts, as JSON, oldest first.
    pub messages: Vec<Value>,
    /// The place where the next page begins. `None` on the last page.
    pub next: Option<Cursor>,
}

impl ReadModels {
    /// Returns a user's present and former memberships of workspaces, as JSON.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn memberships_of(&self, user_id: UserId) -> Result<Vec<Value>, QueryError> {
        Ok(query_file_scalar!("src/relational/sql/personal_memberships.sql", user_id.0).fetch_all(&self.pool).await?)
    }

    /// Returns a user's present and former memberships of channels, as JSON.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_memberships_of(&self, user_id: UserId) -> Result<Vec<Value>, QueryError> {
        Ok(query_file_scalar!("src/relational/sql/personal_channel_memberships.sql", user_id.0).fetch_all(&self.pool).await?)
    }

    /// Returns a page of the messages that a user wrote in a workspace. `after` is the `next` of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn written_by(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        after: Option<Cursor>,
        limit: u16,
    ) -> Result<WrittenPage, QueryError> {
        let (created_at, message_id) =
            after.map_or((DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()), |after| (after.created_at, after.message_id));
        let file = query_file!("src/relational/sql/personal_messages.sql", user_id.0, workspace_id.0, created_at, message_id, rows(limit));
        let found = file.fetch_all(&self.pool).await?;
        let is_full = i64::try_from(found.len()).is_ok_and(|found| found >= rows(limit));
        let next = found.last().filter(|_| is_full).map(|row| Cursor { created_at: row.created_at, message_id: row.message_id });
        Ok(WrittenPage { messages: found.into_iter().map(|row| row.message).collect(), next })
    }
}
