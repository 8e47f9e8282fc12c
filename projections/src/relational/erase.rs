//! What an erased person leaves in the read tables: nothing. It is what a rebuild makes of the tombstones that the log then has in their
//! events' place, so that both come to the same rows.

use domain::ids::UserId;
use sqlx::{PgConnection, query_file};
use uuid::Uuid;

/// People who were erased, and the invitations that they had accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    /// Who.
    pub(crate) users: Vec<Uuid>,
    /// What they were invited by.
    pub(crate) invitations: Vec<Uuid>,
}

impl Erased {
    /// Whether nobody was.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Removes their texts, titles and addresses, and from where they came, whatever of them is there. Their rows of `users` are no matter of this.
    pub(crate) async fn remove(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        query_file!("src/relational/sql/erase_mentions.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_messages.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_archived_messages.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_audit_log.sql", &self.users, UserId::SYSTEM.0).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_members.sql", &self.users).execute(&mut *connection).await?;
        query_file!("src/relational/sql/erase_invitations.sql", &self.invitations).execute(connection).await.map(drop)
    }
}
