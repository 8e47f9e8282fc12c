//! How answers name people, and the people whom a client needs to show when it starts.

use chrono::{DateTime, Utc};
use domain::ids::WorkspaceId;
use shapes::CustomStatus;
use sqlx::{PgConnection, query_file_as};
use uuid::Uuid;

/// A person, with the role in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention. `None` if the user was erased.
    pub username: Option<String>,
    /// The display name. `None` if the user was erased.
    pub display_name: Option<String>,
    /// The address of the user's picture.
    pub avatar_url: Option<String>,
    /// Whether the user is a bot.
    pub is_bot: bool,
    /// Whether the user was erased.
    pub is_erased: bool,
    /// The role in the workspace. `None` if the user is not an active member of it.
    pub role: Option<String>,
    /// The status text.
    pub status_text: Option<String>,
    /// The status emoji.
    pub status_emoji: Option<String>,
    /// When the status expires.
    pub status_expires_at: Option<DateTime<Utc>>,
}

/// Reads people with their roles in a workspace, in order of their identifiers. Unknown ones are left out.
pub(crate) async fn people(connection: &mut PgConnection, workspace_id: WorkspaceId, ids: &[Uuid]) -> sqlx::Result<Vec<PersonRow>> {
    query_file_as!(PersonRow, "src/relational/sql/people.sql", workspace_id.0, ids).fetch_all(connection).await
}

impl PersonRow {
    /// The user's custom status.
    #[must_use]
    pub fn custom_status(&self) -> Option<CustomStatus> {
        CustomStatus::now(self.status_text.clone(), self.status_emoji.clone(), self.status_expires_at)
    }
}
