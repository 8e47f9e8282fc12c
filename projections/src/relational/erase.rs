//! Removes everything of an erased person from the read tables. A rebuild comes to the same rows from the tombstones
//! that then stand in the log in place of the person's data.

use domain::ids::UserId;
use sqlx::{PgConnection, query_file};
use uuid::Uuid;

/// Erased people, and the invitations that they had accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    /// The people.
    pub(crate) users: Vec<Uuid>,
    /// The invitations that they had accepted.
    pub(crate) invitations: Vec<Uuid>,
}

impl Erased {
    /// Whether nobody was erased.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Removes their texts, titles, mail addresses and IP addresses from all read tables except `users`.
    pub(crate) async fn remove(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        query_file!("src/relational/sql/erase_mentions.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_message_edits.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_messages.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_archived_messages.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_audit_log.sql", &self.users, UserId::SYSTEM.0).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_members.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_invitations.sql", &self.invitations).execute(connection).await.map(drop)
    }
}
