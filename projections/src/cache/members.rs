//! The seed's `channel_members:{channel}`: who is in a channel, for half an hour at most. Never the authority for access, which is judged on
//! the write side.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use sqlx::query_scalar;

use super::caches::Caches;
use super::scripts::{Found, Of, SCRIPTS};
use crate::read_models::{QueryError, ReadModels};

/// For how long it is kept, in seconds: the seed's 30 minutes.
const TTL_SECONDS: u64 = 1_800;

/// Who is in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelMembers {
    /// They, in order of their identifiers.
    pub members: Vec<UserId>,
    /// How many they are.
    pub member_count: usize,
    /// When that was read.
    pub last_updated: DateTime<Utc>,
}

impl ReadModels {
    async fn members_of(&self, channel_id: ChannelId) -> Result<ChannelMembers, QueryError> {
        let members =
            query_scalar!("SELECT user_id FROM channel_members WHERE channel_id = $1 AND is_active ORDER BY user_id", channel_id.0);
        let members = members.fetch_all(&self.pool).await?.into_iter().map(UserId).collect::<Vec<_>>();
        Ok(ChannelMembers { member_count: members.len(), members, last_updated: Utc::now() })
    }
}

impl Caches {
    /// Who is in a channel, as of `min_position` or later.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_members(
        &self,
        workspace_id: WorkspaceId,
        channel_id: ChannelId,
        min_position: i64,
    ) -> Result<ChannelMembers, QueryError> {
        let Some(believed) = self.trust.now(min_position).await else {
            self.missed::<()>();
            return self.read.members_of(channel_id).await;
        };
        let of = Of::workspace(&self.stores.redis, believed.generation, workspace_id);
        let mut call = of.call(&SCRIPTS.read_members);
        call.arg(channel_id.0.simple().to_string());
        let found: Option<Found> = self.stores.redis.run(&SCRIPTS.read_members, &call).await.ok();
        let (outcome, values) = found.unwrap_or_default();
        let value = values.into_iter().next().unwrap_or_default();
        let believable = outcome == "hit" && self.trust.holds(believed);
        if let Some(members) = believable.then(|| serde_json::from_str(&value).ok()).flatten().and_then(|members| self.hit(members)) {
            return Ok(members);
        }
        self.missed::<()>();
        // Before the members: what they are read at is not before this.
        let position = self.relational_position().await?;
        let members = self.read.members_of(channel_id).await?;
        if outcome == "fill" {
            let json = serde_json::to_string(&members).unwrap_or_default();
            let mut call = of.call(&SCRIPTS.fill_members);
            call.arg(channel_id.0.simple().to_string()).arg(&value).arg(position).arg(TTL_SECONDS).arg(json);
            self.filled(self.stores.redis.run(&SCRIPTS.fill_members, &call).await);
        }
        Ok(members)
    }
}
