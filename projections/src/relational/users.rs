//! `users`: everyone on this server, people and programs.

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use serde::Serialize;
use serde_json::Value;
use sqlx::query_file_as;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read_models::{QueryError, ReadModels, rows};

/// A user, as they are now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UserRow {
    /// The user.
    pub user_id: Uuid,
    /// Their address for mail.
    pub email: String,
    /// The name that others mention.
    pub username: String,
    /// The name that is shown.
    pub display_name: String,
    /// Where their picture lies.
    pub avatar_url: Option<String>,
    /// Where their day begins.
    pub timezone: String,
    /// `active` or `suspended`.
    pub status: String,
    /// Job title.
    pub title: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// Some lines about themselves.
    pub bio: Option<String>,
    /// Pronouns.
    pub pronouns: Option<String>,
    /// Kept for clients.
    pub notification_settings: Value,
    /// Kept for clients.
    pub theme_preferences: Value,
    /// The language of their client.
    pub language: String,
    /// Whether a second factor is asked for.
    pub mfa_enabled: bool,
    /// What they are doing just now.
    pub status_text: Option<String>,
    /// A picture for it.
    pub status_emoji: Option<String>,
    /// When it ceases to hold.
    pub status_expires_at: Option<DateTime<Utc>>,
    /// Whether a program speaks here.
    pub is_bot: bool,
    /// Whether they run this server.
    pub is_operator: bool,
    /// When they registered.
    pub created_at: DateTime<Utc>,
    /// When something of this last changed.
    pub updated_at: DateTime<Utc>,
    /// When they last signed in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// The last event that this has seen.
    #[serde(skip)]
    pub position: i64,
}

/// A member of a workspace, as the directory shows them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DirectoryRow {
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention.
    pub username: String,
    /// The name that is shown.
    pub display_name: String,
    /// Their address for mail.
    pub email: String,
    /// Where their picture lies.
    pub avatar_url: Option<String>,
    /// Job title: the one in this workspace, else their own.
    pub title: Option<String>,
    /// Department in this workspace.
    pub department: Option<String>,
    /// Some lines about themselves.
    pub bio: Option<String>,
    /// Pronouns.
    pub pronouns: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// Where their day begins.
    pub timezone: String,
    /// What they are doing just now.
    pub status_text: Option<String>,
    /// A picture for it.
    pub status_emoji: Option<String>,
    /// When it ceases to hold.
    pub status_expires_at: Option<DateTime<Utc>>,
    /// Whether a program speaks here.
    pub is_bot: bool,
    /// Owner, admin, member or guest.
    pub role: String,
}

impl ReadModels {
    /// That user.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn user(&self, user_id: UserId) -> Result<Option<UserRow>, QueryError> {
        Ok(self.users(&[user_id]).await?.pop())
    }

    /// Those users, in order of their identifiers; unknown ones are left out.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn users(&self, user_ids: &[UserId]) -> Result<Vec<UserRow>, QueryError> {
        let ids = user_ids.iter().map(|id| id.0).collect::<Vec<_>>();
        Ok(
            query_file_as!(UserRow, "src/relational/sql/users.sql", &ids)
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Active members of a workspace with what they say of themselves, by name. `query` is looked for in the names, the address, the
    /// title and the department, without case. `after` is the last user of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn user_directory(
        &self,
        workspace_id: WorkspaceId,
        query: Option<&str>,
        after: Option<UserId>,
        limit: u16,
    ) -> Result<Vec<DirectoryRow>, QueryError> {
        let (pattern, after) = (query.map(contains), after.map(|id| id.0));
        let file = query_file_as!(
            DirectoryRow,
            "src/relational/sql/user_directory.sql",
            workspace_id.0,
            pattern,
            after,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}

/// The pattern of `ILIKE` for a text that has `needle` in it; nothing in the needle is special.
fn contains(needle: &str) -> String {
    let mut pattern = String::from("%");
    for c in needle.trim().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_that_is_looked_for_is_special() {
        assert_eq!(super::contains(" 50%_a\\b "), "%50\\%\\_a\\\\b%");
    }
}
