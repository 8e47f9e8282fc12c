//! Where somebody is or was, what they were invited by, and who runs the server: what erasing them has to do with.

use chrono::{DateTime, Utc};
use domain::ids::{InvitationId, UserId, WorkspaceId};
use sqlx::query_file_scalar;

use crate::read_models::{QueryError, ReadModels};

/// How many people are handed out at a time.
const PEOPLE_MAX: i64 = 100;

/// Where somebody is or was, and what they were invited by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The workspaces that they are or were a member of.
    pub workspaces: Vec<WorkspaceId>,
    /// The invitations that they accepted, and those to their address.
    pub invitations: Vec<InvitationId>,
}

impl ReadModels {
    /// Where a user is or was, and what they, at that address, were invited by.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn traces(&self, user_id: UserId, email: &str) -> Result<Traces, QueryError> {
        let workspaces = query_file_scalar!("src/relational/sql/workspaces_ever.sql", user_id.0).fetch_all(&self.pool).await?;
        let invitations = query_file_scalar!("src/relational/sql/invitations_of.sql", user_id.0, email).fetch_all(&self.pool).await?;
        Ok(Traces {
            workspaces: workspaces.into_iter().map(WorkspaceId).collect(),
            invitations: invitations.into_iter().map(InvitationId).collect(),
        })
    }

    /// Those who run this server, some of them where they are many. The write side judges each.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn operators(&self) -> Result<Vec<UserId>, QueryError> {
        let found = query_file_scalar!("src/relational/sql/operators.sql", PEOPLE_MAX).fetch_all(&self.pool).await?;
        Ok(found.into_iter().map(UserId).collect())
    }

    /// Users whose erasure is due at `now`, the longest due first.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn erasures_due(&self, now: DateTime<Utc>) -> Result<Vec<UserId>, QueryError> {
        let due = query_file_scalar!("src/relational/sql/erasures_due.sql", now, PEOPLE_MAX).fetch_all(&self.pool).await?;
        Ok(due.into_iter().map(UserId).collect())
    }

    /// Users who were erased and of whose sign-ins something is left.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn erasures_unfinished(&self) -> Result<Vec<UserId>, QueryError> {
        let left = query_file_scalar!("src/relational/sql/erasures_unfinished.sql", PEOPLE_MAX).fetch_all(&self.pool).await?;
        Ok(left.into_iter().map(UserId).collect())
    }
}
