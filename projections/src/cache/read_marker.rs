//! How far a user has read a channel. This is not in the log: Postgres stores it, and the cache copies it.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use serde::Serialize;
use sqlx::{query_file, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caches::Caches;
use super::scripts::{SCRIPTS, WorkspaceCache};
use super::unread::PLACES_TTL_SECONDS;
use crate::read_models::{QueryError, ReadModels};

/// How far a user has read a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadMarker {
    /// The last message that the user has read.
    pub message_id: Uuid,
    /// When that message was sent.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
}

/// A move of a user's marker.
#[derive(Clone, Copy, Debug)]
pub struct MarkerMove {
    /// The workspace of the channel.
    pub workspace_id: WorkspaceId,
    /// The channel.
    pub channel_id: ChannelId,
    /// The message up to which the user has read. It belongs to the channel.
    pub message_id: MessageId,
    /// The moment of that message, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// Whether the marker may move back.
    pub back: bool,
}

impl ReadModels {
    async fn move_marker(&self, user_id: UserId, to: MarkerMove) -> Result<ReadMarker, QueryError> {
        let file = query_file_as!(
            ReadMarker,
            "src/cache/sql/move_read_marker.sql",
            user_id.0,
            to.channel_id.0,
            to.message_id.0,
            to.created_at,
            to.back
        );
        Ok(file.fetch_one(&self.pool).await?)
    }

    async fn move_all_markers(&self, user_id: UserId, workspace_id: WorkspaceId) -> Result<(), QueryError> {
        query_file!("src/cache/sql/move_all_read_markers.sql", user_id.0, workspace_id.0).execute(&self.pool).await?;
        Ok(())
    }
}

/// A change of markers that the cache was notified of before Postgres is written.
struct Marking<'a> {
    of: WorkspaceCache<'a>,
    generation: i64,
    /// The token of the beginning. `None` if the cache was not reached.
    token: Option<String>,
}

impl Caches {
    /// Moves a user's marker, and returns where it then is. It moves forward only, unless `back` is set.
    ///
    /// The cache is notified before Postgres is written and again after. If the process dies in between, the cached
    /// marker is no longer read.
    ///
    /// # Errors
    /// The marker cannot be written.
    pub async fn move_read_marker(&self, user_id: UserId, to: MarkerMove) -> Result<ReadMarker, QueryError> {
        let marking = self.begin_marking(user_id, to.workspace_id).await;
        let marker = self.read.move_marker(user_id, to).await?;
        let places = self.read.unread_places(user_id, to.workspace_id, Some(to.channel_id)).await?;
        let value = places.first().map(super::unread::CountStart::value).unwrap_or_default();
        self.end_marking(marking, user_id, (&to.channel_id.0.simple().to_string(), &value)).await?;
        Ok(marker)
    }

    /// Moves a user's markers to the newest messages of all their channels of a workspace that are not archived, answers in
    /// threads included. No marker moves back.
    ///
    /// # Errors
    /// The markers cannot be written.
    pub async fn mark_everything_read(&self, user_id: UserId, workspace_id: WorkspaceId) -> Result<(), QueryError> {
        let marking = self.begin_marking(user_id, workspace_id).await;
        self.read.move_all_markers(user_id, workspace_id).await?;
        self.end_marking(marking, user_id, ("", "")).await
    }

    async fn begin_marking(&self, user_id: UserId, workspace_id: WorkspaceId) -> Marking<'_> {
        self.generations.read_again().await;
        let generation = self.stores.progress.standing(super::NAME).generation;
        let of = WorkspaceCache::workspace(&self.stores.redis, generation, workspace_id);
        let mut begin = of.call(&SCRIPTS.begin_marking);
        begin.arg(user_id.0.simple().to_string());
        let token = self.stores.redis.run::<String>(&SCRIPTS.begin_marking, &begin).await.ok();
        Marking { of, generation, token }
    }

    /// Notifies the cache that the markers have changed: that of a channel to a value, or, if no channel is named, all.
    async fn end_marking(&self, marking: Marking<'_>, user_id: UserId, (channel, value): (&str, &str)) -> Result<(), QueryError> {
        let notified = match &marking.token {
            Some(token) => {
                let mut end = marking.of.call(&SCRIPTS.end_marking);
                end.arg(user_id.0.simple().to_string()).arg(token).arg(PLACES_TTL_SECONDS).arg(channel).arg(value);
                self.stores.redis.run::<i64>(&SCRIPTS.end_marking, &end).await.is_ok()
            }
            None => false,
        };
        self.generations.read_again().await;
        if !notified || self.stores.progress.standing(super::NAME).generation != marking.generation {
            // The cache was not notified and may answer again at any moment, or the notified generation is no longer
            // valid.
            self.generations.invalidate_all().await?;
        }
        Ok(())
    }
}
