//! The seed's `channel_members:{channel}`: the members of a channel, kept for at most half an hour. Never used to
//! decide about access: the write side decides that.
//!
//! Only the first rows of the list are kept, in the form in which they are answered. Clients ask for these when they
//! open a channel. Further pages are read from Postgres, so no key holds ten thousand rows.

use domain::ids::{ChannelId, UserId, WorkspaceId};

use super::caches::Caches;
use super::scripts::{SCRIPTS, ScriptAnswer, WorkspaceCache};
use crate::read_models::QueryError;
use crate::relational::channel_members::ChannelMemberRow;

/// How long the rows are kept, in seconds: the seed's 30 minutes.
const TTL_SECONDS: u64 = 1_800;
/// How many rows are kept: the largest page, and one more that shows whether there are further rows.
const ROWS: u16 = 101;

/// The first members of a channel, in order of their identifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstMembers {
    /// The rows are as of this position, or later.
    pub position: i64,
    /// Each member's identifier, with the row as JSON.
    pub rows: Vec<(UserId, String)>,
}

impl Caches {
    /// Returns the first `limit` members of a channel, or `None` if the caller must ask the read models.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn first_members(
        &self,
        workspace_id: WorkspaceId,
        channel_id: ChannelId,
        limit: u16,
        min_position: i64,
    ) -> Result<Option<FirstMembers>, QueryError> {
        let Some(valid) = self.generations.valid_at(min_position).await.filter(|_| limit <= ROWS) else { return Ok(self.missed()) };
        let of = WorkspaceCache::workspace(&self.stores.redis, valid.generation, workspace_id);
        let mut call = of.call(&SCRIPTS.read_members);
        call.arg(channel_id.0.simple().to_string());
        let found: Option<ScriptAnswer> = self.stores.redis.run(&SCRIPTS.read_members, &call).await.ok();
        let (outcome, mut values) = found.unwrap_or_default();
        let value = values.pop().unwrap_or_default();
        match outcome.as_str() {
            "hit" if self.generations.is_still_valid(valid) => {
                let rows = value.lines().take(usize::from(limit)).map(split).collect::<Option<Vec<_>>>();
                Ok(rows.and_then(|rows| self.hit(FirstMembers { position: valid.position, rows })))
            }
            "fill" => {
                self.missed::<()>();
                self.fill_members(&of, channel_id, limit, &value).await.map(Some)
            }
            _ => Ok(self.missed()),
        }
    }

    /// Fills the members in, and returns them.
    async fn fill_members(
        &self,
        of: &WorkspaceCache<'_>,
        channel_id: ChannelId,
        limit: u16,
        token: &str,
    ) -> Result<FirstMembers, QueryError> {
        // Read before the members, so that the members are as of this position or later.
        let position = self.relational_position().await?;
        let members = self.read.channel_members(channel_id, None, ROWS).await?;
        let rows = members.iter().map(json).collect::<Vec<_>>();
        let value = rows.iter().map(|(user_id, row)| format!("{}|{row}", user_id.0.simple())).collect::<Vec<_>>().join("\n");
        let mut call = of.call(&SCRIPTS.fill_members);
        call.arg(channel_id.0.simple().to_string()).arg(token).arg(position).arg(TTL_SECONDS).arg(value);
        // The rows are right even if the fill is refused or Redis is not reachable.
        self.filled(self.stores.redis.run(&SCRIPTS.fill_members, &call).await);
        Ok(FirstMembers { position, rows: rows.into_iter().take(usize::from(limit)).collect() })
    }
}

fn json(row: &ChannelMemberRow) -> (UserId, String) {
    // Texts and identifiers can always be written as JSON, on one line.
    (UserId(row.user_id), serde_json::to_string(row).unwrap_or_default())
}

fn split(line: &str) -> Option<(UserId, String)> {
    let (user_id, row) = line.split_once('|')?;
    Some((UserId(user_id.parse().ok()?), row.to_owned()))
}
