//! A replay of the cache: a new generation, which is filled as it is asked for. It proves itself on what was said last: that is filled in,
//! read back, and compared with what Postgres answers.

use std::time::Instant;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use sqlx::query;

use super::caches::Caches;
use crate::RELATIONAL;
use crate::rebuild::{Difference, Phase, RebuildError, RebuildProgress, RebuildReport};
use crate::relational::messages::HistoryPage;
use crate::stores::Stores;

/// How many channels and people it proves itself on.
const SAMPLE: i64 = 200;
/// How often what differs is looked at again: people go on writing meanwhile.
const LOOKS_MAX: usize = 20;
/// The rows of a page that is compared.
const PAGE_ROWS: u16 = 50;

/// Begins a new generation, and compares a sample of it with the read tables.
pub(crate) async fn replay(stores: &Stores, observe: impl Fn(RebuildProgress) + Send + Sync) -> Result<RebuildReport, RebuildError> {
    let began = Instant::now();
    let caches = Caches::new(stores.clone());
    caches.begin().await?;
    let sample = query!(
        "SELECT DISTINCT ON (m.channel_id) m.channel_id, m.workspace_id, m.user_id FROM
         (SELECT channel_id, workspace_id, user_id, created_at FROM messages ORDER BY created_at DESC LIMIT $1) m ORDER BY m.channel_id",
        SAMPLE
    );
    let sample = sample.fetch_all(&stores.pool).await?;
    let total = u64::try_from(sample.len()).unwrap_or(0);
    let (mut pages, mut counts) = (Table::default(), Table::default());
    for (done, row) in (0..).zip(sample) {
        observe(RebuildProgress { phase: Phase::Comparing, done, total });
        let workspace_id = WorkspaceId(row.workspace_id);
        pages.compared(caches.page_is_right(workspace_id, ChannelId(row.channel_id)).await?);
        counts.compared(caches.counts_are_right(workspace_id, UserId(row.user_id)).await?);
    }
    let position = stores.progress.position(super::NAME).await.unwrap_or_default();
    let differences = pages.difference("recent_messages").into_iter().chain(counts.difference("unread_counts")).collect::<Vec<_>>();
    if !differences.is_empty() {
        // Whatever it is that is wrong: it is not read any more.
        caches.begin().await?;
        return Err(RebuildError::Differs { position, differences });
    }
    Ok(RebuildReport {
        events: 0,
        position,
        compared_at: Some(position),
        rows: vec![("recent_messages".into(), pages.compared), ("unread_counts".into(), counts.compared)],
        differences,
        held_up: std::time::Duration::ZERO,
        elapsed: began.elapsed(),
        phases: vec![(Phase::Comparing, began.elapsed())],
    })
}

/// What was compared of a family of keys.
#[derive(Default)]
struct Table {
    compared: i64,
    wrong: i64,
}

impl Table {
    fn compared(&mut self, right: bool) {
        self.compared += 1;
        self.wrong += i64::from(!right);
    }

    fn difference(&self, table: &str) -> Option<Difference> {
        (self.wrong > 0).then(|| Difference { table: table.into(), live_rows: self.compared, new_rows: self.compared - self.wrong })
    }
}

impl Caches {
    /// Begins a generation that this process believes.
    async fn begin(&self) -> Result<(), RebuildError> {
        self.trust.begin_now().await.map_err(RebuildError::Database)
    }

    async fn page_is_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<bool, RebuildError> {
        for _ in 0..LOOKS_MAX {
            let Some(cached) = self.recent_messages(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)? else {
                return Ok(true);
            };
            let rows = self.read.history(channel_id, HistoryPage::Latest, PAGE_ROWS).await.map_err(|error| error.0)?;
            let rows = rows.iter().map(|row| serde_json::to_string(row).unwrap_or_default());
            if cached.rows.iter().map(|(_, row)| row).eq(rows.collect::<Vec<_>>().iter()) {
                return Ok(true);
            }
            self.catch_up().await;
        }
        Ok(false)
    }

    async fn counts_are_right(&self, workspace_id: WorkspaceId, user_id: UserId) -> Result<bool, RebuildError> {
        for _ in 0..LOOKS_MAX {
            let Some(cached) = self.cached_unread(user_id, workspace_id, 0).await.map_err(|error| error.0)? else {
                return Ok(true);
            };
            if cached.channels == self.read.unread(user_id, workspace_id).await.map_err(|error| error.0)? {
                return Ok(true);
            }
            self.catch_up().await;
        }
        Ok(false)
    }

    /// Waits until the cache is where the read tables are now, or not for long.
    async fn catch_up(&self) {
        let position = self.stores.progress.position(RELATIONAL).await.unwrap_or_default();
        drop(self.stores.progress.wait_for(super::NAME, position, std::time::Duration::from_secs(1)).await);
    }
}
