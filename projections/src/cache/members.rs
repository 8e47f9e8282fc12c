//! The seed's `channel_members:{channel}`: who is in a channel, for half an hour at most. Never the authority for access, which is judged on
//! the write side.
//!
//! Kept are the first rows of the list, as they are answered: that is what clients ask for when they open a channel. Whoever leafs on in a
//! channel of ten thousand asks Postgres, and nobody keeps ten thousand rows for it.

use domain::ids::{ChannelId, UserId, WorkspaceId};

use super::caches::Caches;
use super::scripts::{Found, Of, SCRIPTS};
use crate::read_models::QueryError;
use crate::relational::channel_members::ChannelMemberRow;

/// For how long it is kept, in seconds: the seed's 30 minutes.
const TTL_SECONDS: u64 = 1_800;
/// How many rows are kept: those of the largest page, and the one that tells whether there are more.
const ROWS: u16 = 101;

/// The first of those who are in a channel, in order of their identifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstMembers {
    /// They are as of this position, or later.
    pub position: i64,
    /// Each with their row, as JSON.
    pub rows: Vec<(UserId, String)>,
}

impl Caches {
    /// The first `limit` of those who are in a channel; nothing where the read models are to be asked.
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
        let Some(believed) = self.trust.now(min_position).await.filter(|_| limit <= ROWS) else { return Ok(self.missed()) };
        let of = Of::workspace(&self.stores.redis, believed.generation, workspace_id);
        let mut call = of.call(&SCRIPTS.read_members);
        call.arg(channel_id.0.simple().to_string());
        let found: Option<Found> = self.stores.redis.run(&SCRIPTS.read_members, &call).await.ok();
        let (outcome, mut values) = found.unwrap_or_default();
        let value = values.pop().unwrap_or_default();
        match outcome.as_str() {
            "hit" if self.trust.holds(believed) => {
                let rows = value.lines().take(usize::from(limit)).map(split).collect::<Option<Vec<_>>>();
                Ok(rows.and_then(|rows| self.hit(FirstMembers { position: believed.position, rows })))
            }
            "fill" => {
                self.missed::<()>();
                self.fill_members(&of, channel_id, limit, &value).await.map(Some)
            }
            _ => Ok(self.missed()),
        }
    }

    /// Answers with what it fills in.
    async fn fill_members(&self, of: &Of<'_>, channel_id: ChannelId, limit: u16, token: &str) -> Result<FirstMembers, QueryError> {
        // Before the members: what they are read at is not before this.
        let position = self.relational_position().await?;
        let members = self.read.channel_members(channel_id, None, ROWS).await?;
        let rows = members.iter().map(json).collect::<Vec<_>>();
        let value = rows.iter().map(|(user_id, row)| format!("{}|{row}", user_id.0.simple())).collect::<Vec<_>>().join("\n");
        let mut call = of.call(&SCRIPTS.fill_members);
        call.arg(channel_id.0.simple().to_string()).arg(token).arg(position).arg(TTL_SECONDS).arg(value);
        // Where it is refused, or Redis is gone, the rows are right all the same.
        self.filled(self.stores.redis.run(&SCRIPTS.fill_members, &call).await);
        Ok(FirstMembers { position, rows: rows.into_iter().take(usize::from(limit)).collect() })
    }
}

fn json(row: &ChannelMemberRow) -> (UserId, String) {
    // Texts and identifiers always can be written, in one line.
    (UserId(row.user_id), serde_json::to_string(row).unwrap_or_default())
}

fn split(line: &str) -> Option<(UserId, String)> {
    let (user_id, row) = line.split_once('|')?;
    Some((UserId(user_id.parse().ok()?), row.to_owned()))
}
