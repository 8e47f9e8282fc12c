//! The seed's `recent_messages:{channel}`: the newest rows of a channel's history. They are kept as the JSON that is
//! answered, so nothing is parsed when they are read.

use domain::ids::{ChannelId, WorkspaceId};

use super::caches::Caches;
use super::place::{PLACE_CHARS, cursor, place};
use super::scripts::{SCRIPTS, ScriptAnswer, WorkspaceCache};
use crate::read_models::QueryError;
use crate::relational::messages::{Cursor, HistoryPage, MessageRow};

/// How many rows are kept: the seed's hundred, one more that shows whether there are further rows, and a reserve for
/// deletions.
pub(super) const ROWS: u16 = 120;
/// A page is cut back to `ROWS` when it has more rows than this.
pub(super) const ROWS_MAX: u16 = 150;
/// How long a page is kept that nobody reads, in seconds.
const TTL_SECONDS: u64 = 3_600;

/// The newest rows of a channel, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct RecentMessages {
    /// The rows are as of this position, or later.
    pub position: i64,
    /// Each row's place, with the row as JSON.
    pub rows: Vec<(Cursor, String)>,
}

impl Caches {
    /// Returns the newest `limit` rows of a channel, oldest first, or `None` if the caller must ask the read models.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn recent_messages(
        &self,
        workspace_id: WorkspaceId,
        channel_id: ChannelId,
        limit: u16,
        min_position: i64,
    ) -> Result<Option<RecentMessages>, QueryError> {
        let Some(valid) = self.generations.valid_at(min_position).await else { return Ok(self.missed()) };
        let of = WorkspaceCache::workspace(&self.stores.redis, valid.generation, workspace_id);
        let mut found = self.read_page(&of, channel_id, limit, false).await;
        if matches!(&found, Some((outcome, _)) if outcome == "miss") {
            // One task of this process fills the page in. The others wait for it, so that they do not all read
            // Postgres.
            let filling = self.fill_locks.of(channel_id.0);
            let first = filling.try_lock().ok();
            if first.is_none() {
                drop(filling.lock().await);
            }
            found = self.read_page(&of, channel_id, limit, first.is_some()).await;
            if let Some(("fill", token)) = found.as_ref().map(|(outcome, found)| (outcome.as_str(), found.first())) {
                let token = token.cloned().unwrap_or_default();
                return self.fill_page(&of, channel_id, limit, &token).await;
            }
        }
        let rows =
            found.filter(|(outcome, _)| outcome == "hit").and_then(|(_, rows)| rows.into_iter().map(split).collect::<Option<Vec<_>>>());
        match rows.filter(|_| self.generations.is_still_valid(valid)) {
            Some(rows) => Ok(self.hit(RecentMessages { position: valid.position, rows })),
            None => Ok(self.missed()),
        }
    }

    async fn read_page(&self, of: &WorkspaceCache<'_>, channel_id: ChannelId, limit: u16, fill: bool) -> Option<ScriptAnswer> {
        let mut call = of.call(&SCRIPTS.read_recent);
        call.arg(channel_id.0.simple().to_string()).arg(limit).arg(TTL_SECONDS).arg(u8::from(fill));
        self.stores.redis.run(&SCRIPTS.read_recent, &call).await.ok()
    }

    /// Fills the page in, and returns it.
    async fn fill_page(
        &self,
        of: &WorkspaceCache<'_>,
        channel_id: ChannelId,
        limit: u16,
        token: &str,
    ) -> Result<Option<RecentMessages>, QueryError> {
        // Read before the rows, so that the rows are as of this position or later.
        let position = self.relational_position().await?;
        let mut rows = self.read.history(channel_id, HistoryPage::Latest, ROWS + 1).await?;
        let floor = if rows.len() > usize::from(ROWS) { row_place(&rows.remove(0)) } else { String::new() };
        let mut call = of.call(&SCRIPTS.fill_recent);
        call.arg(channel_id.0.simple().to_string()).arg(token).arg(position).arg(TTL_SECONDS).arg(floor);
        let rows = rows.iter().map(entry).collect::<Vec<_>>();
        call.arg(&rows);
        // The rows are right even if the fill is refused or Redis is not reachable.
        self.filled(self.stores.redis.run(&SCRIPTS.fill_recent, &call).await);
        let rows = rows.into_iter().map(split).collect::<Option<Vec<_>>>();
        Ok(rows.map(|mut rows| {
            rows.drain(..rows.len().saturating_sub(usize::from(limit)));
            RecentMessages { position, rows }
        }))
    }
}

/// The text that Redis keeps for a row.
pub(super) fn entry(row: &MessageRow) -> String {
    // Texts, numbers and identifiers can always be written as JSON.
    format!("{}|{}", row_place(row), serde_json::to_string(row).unwrap_or_default())
}

/// The place of a row: its sort key.
pub(super) fn row_place(row: &MessageRow) -> String {
    place(row.created_at, row.message_id)
}

fn split(entry: String) -> Option<(Cursor, String)> {
    let place = cursor(entry.get(..PLACE_CHARS)?)?;
    Some((place, entry.get(PLACE_CHARS + 1..)?.to_owned()))
}
