//! What the read tables hold of one person, for whoever has a right to a copy of it.

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use serde_json::Value;
use sqlx::{query_file, query_file_scalar};
use uuid::Uuid;

use super::messages::Cursor;
use crate::read_models::{QueryError, ReadModels, rows};

/// A page of what somebody wrote in a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenPage {
    /// The messages with what they said before they were edited, as JSON, oldest first.
    pub messages: Vec<Value>,
    /// Where the next page begins; nothing: that was all.
    pub next: Option<Cursor>,
}

impl ReadModels {
    /// What a user is or was in each workspace, as JSON.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn memberships_of(&self, user_id: UserId) -> Result<Vec<Value>, QueryError> {
        Ok(query_file_scalar!("src/relational/sql/personal_memberships.sql", user_id.0).fetch_all(&self.pool).await?)
    }

    /// What a user is or was in each channel, as JSON.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_memberships_of(&self, user_id: UserId) -> Result<Vec<Value>, QueryError> {
        Ok(query_file_scalar!("src/relational/sql/personal_channel_memberships.sql", user_id.0).fetch_all(&self.pool).await?)
    }

    /// A page of what a user wrote in a workspace; `after` is where the page before said.
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
