//! The memberships and invitations of a person, which an erasure must change, and the operators of the server.

use chrono::{DateTime, Utc};
use domain::ids::{InvitationId, UserId, WorkspaceId};
use sqlx::{query_file_as, query_file_scalar};

use crate::read_models::{QueryError, ReadModels};

/// The most people that one query returns.
const PEOPLE_MAX: i64 = 100;

/// The memberships and invitations of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affiliations {
    /// The workspaces of which the person is or was a member.
    pub workspaces: Vec<WorkspaceId>,
    /// The invitations that the person accepted, and those to the person's address.
    pub invitations: Vec<InvitationId>,
}

/// Counts of the erasures that are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureCounts {
    /// They can still be cancelled.
    pub waiting: i64,
    /// They are due and not carried out, for example because of a legal hold.
    pub overdue: i64,
}

impl ReadModels {
    /// Returns the workspaces of which a user is or was a member.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn workspaces_ever(&self, user_id: UserId) -> Result<Vec<WorkspaceId>, QueryError> {
        let found = query_file_scalar!("src/relational/sql/workspaces_ever.sql", user_id.0).fetch_all(&self.pool).await?;
        Ok(found.into_iter().map(WorkspaceId).collect())
    }

    /// Returns the memberships and invitations of a user with this address.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn affiliations(&self, user_id: UserId, email: &str) -> Result<Affiliations, QueryError> {
        let workspaces = self.workspaces_ever(user_id).await?;
        let invitations = query_file_scalar!("src/relational/sql/invitations_of.sql", user_id.0, email).fetch_all(&self.pool).await?;
        Ok(Affiliations { workspaces, invitations: invitations.into_iter().map(InvitationId).collect() })
    }

    /// Returns the operators of this server, at most 100 of them. The write side checks each.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn operators(&self) -> Result<Vec<UserId>, QueryError> {
        let found = query_file_scalar!("src/relational/sql/operators.sql", PEOPLE_MAX).fetch_all(&self.pool).await?;
        Ok(found.into_iter().map(UserId).collect())
    }

    /// Returns users whose erasure is due at `now`, the longest due first.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn erasures_due(&self, now: DateTime<Utc>) -> Result<Vec<UserId>, QueryError> {
        let due = query_file_scalar!("src/relational/sql/erasures_due.sql", now, PEOPLE_MAX).fetch_all(&self.pool).await?;
        Ok(due.into_iter().map(UserId).collect())
    }

    /// Counts the users whose erasure waits for its time, and those whose erasure is due at `now`.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn count_erasures(&self, now: DateTime<Utc>) -> Result<ErasureCounts, QueryError> {
        let counted = query_file_as!(ErasureCounts, "src/relational/sql/count_erasures.sql", now).fetch_one(&self.pool).await?;
        Ok(counted)
    }

    /// Returns erased users that still have credentials or sessions.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn erasures_unfinished(&self) -> Result<Vec<UserId>, QueryError> {
        let left = query_file_scalar!("src/relational/sql/erasures_unfinished.sql", PEOPLE_MAX).fetch_all(&self.pool).await?;
        Ok(left.into_iter().map(UserId).collect())
    }
}
