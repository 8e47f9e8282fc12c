//! `channel_members`: who is in which channel, and who was.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId};
use serde::Serialize;
use sqlx::query_file_as;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read_models::{QueryError, ReadModels, rows};

/// A member of a channel, with their names.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelMemberRow {
    /// The membership: the same each time they come back.
    pub membership_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention.
    pub username: String,
    /// The name that is shown.
    pub display_name: String,
    /// Where their picture lies.
    pub avatar_url: Option<String>,
    /// Whether a program speaks here.
    pub is_bot: bool,
    /// `admin` or `member`.
    pub role: String,
    /// `all`, `mentions` or `none`.
    pub notification_level: String,
    /// When they last joined.
    pub joined_at: DateTime<Utc>,
    /// Who added them.
    pub invited_by: Option<Uuid>,
}

impl ReadModels {
    /// Who is in a channel now, in order of their identifiers. `after` is the last user of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_members(
        &self,
        channel_id: ChannelId,
        after: Option<UserId>,
        limit: u16,
    ) -> Result<Vec<ChannelMemberRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file = query_file_as!(
            ChannelMemberRow,
            "src/relational/sql/channel_members.sql",
            channel_id.0,
            after,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}
