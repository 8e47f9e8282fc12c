//! The people whom a guest sees: those in the guest's channels, and the guest. The write side says which channels these are
//! (`commands::Sight`), so a channel that the guest has left counts no more, however far this side is behind.

use domain::ids::{ChannelId, UserId, WorkspaceId};
use sqlx::{query_file, query_file_as};
use uuid::Uuid;

use super::members::MemberRow;
use super::users::{DirectoryRow, contains};
use crate::read_models::{QueryError, ReadModels, rows};

/// A guest, and the channels in which the guest sees people.
#[derive(Clone, Copy, Debug)]
pub struct GuestSight<'a> {
    /// The guest.
    pub user_id: UserId,
    /// The guest's channels.
    pub channels: &'a [ChannelId],
}

impl GuestSight<'_> {
    fn channel_ids(&self) -> Vec<Uuid> {
        self.channels.iter().map(|id| id.0).collect()
    }
}

impl ReadModels {
    /// Returns the channels and conversations that the user is in. The write side checks them.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn current_channels_of(&self, user_id: UserId, workspace_id: WorkspaceId) -> Result<Vec<ChannelId>, QueryError> {
        let file = query_file!("src/relational/sql/current_channels_of.sql", user_id.0, workspace_id.0);
        Ok(file.fetch_all(&self.pool).await?.into_iter().map(|row| row.channel_id.into()).collect())
    }

    /// Returns channels that the user is in together with at least one of the others, a few for each of them, in
    /// whatever workspace. The write side checks them.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn shared_channels(&self, user_id: UserId, others: &[UserId]) -> Result<Vec<ChannelId>, QueryError> {
        let others = others.iter().map(|id| id.0).collect::<Vec<_>>();
        let file = query_file!("src/relational/sql/shared_channels.sql", user_id.0, &others);
        Ok(file.fetch_all(&self.pool).await?.into_iter().map(|row| row.channel_id.into()).collect())
    }

    /// As [`ReadModels::members`], for a guest.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn members_of_guest(
        &self,
        guest: GuestSight<'_>,
        workspace_id: WorkspaceId,
        after: Option<UserId>,
        limit: u16,
    ) -> Result<Vec<MemberRow>, QueryError> {
        let (after, channels) = (after.map_or(Uuid::nil(), |id| id.0), guest.channel_ids());
        let file = query_file_as!(
            MemberRow,
            "src/relational/sql/members_of_guest.sql",
            workspace_id.0,
            after,
            rows(limit),
            &channels,
            guest.user_id.0
        );
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// As [`ReadModels::user_directory`], for a guest. Addresses are not searched.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn user_directory_of_guest(
        &self,
        guest: GuestSight<'_>,
        workspace_id: WorkspaceId,
        query: Option<&str>,
        after: Option<(String, Uuid)>,
        limit: u16,
    ) -> Result<Vec<DirectoryRow>, QueryError> {
        let (pattern, (name, user_id), channels) = (query.map(contains), after.unzip(), guest.channel_ids());
        let file = query_file_as!(
            DirectoryRow,
            "src/relational/sql/user_directory_of_guest.sql",
            workspace_id.0,
            pattern,
            name,
            user_id,
            rows(limit),
            &channels,
            guest.user_id.0
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}
