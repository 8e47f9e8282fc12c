//! A replay of the cache: a new generation, which is filled as it is asked for. It proves itself on the channels and the people that changed last,
//! which nearly everywhere are all of them: each family of keys is filled in, read back, and compared with what Postgres counts and answers.

use std::time::Instant;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sqlx::query;

use super::caches::Caches;
use super::unread::Unread;
use crate::RELATIONAL;
use crate::connections::Stores;
use crate::rebuild::{Difference, DifferingRow, Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport, Turn};
use crate::relational::messages::HistoryPage;

/// The most channels, and the most people, that it proves itself on.
const PROVED_MAX: i64 = 10_000;
/// How many channels, and how many people, are looked at at a time.
const LOOKS_AT_A_TIME: usize = 4;
/// After how many it says how far it is.
const TOLD_EVERY: u64 = 100;
/// How often what differs is looked at again: people go on writing meanwhile.
const LOOKS_MAX: usize = 20;
/// The rows of a page that is compared.
const PAGE_ROWS: u16 = 50;

/// How many keys are shown of each family that are not right.
const SHOWN_MAX: usize = 10;

/// Begins a new generation, and compares what it is filled with and the read tables.
pub(crate) async fn replay(
    turn: Turn,
    stores: &Stores,
    options: RebuildOptions,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<RebuildReport, RebuildError> {
    let cancel = options.cancel.clone();
    let replayed = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(RebuildError::Cancelled),
        replayed = begin_and_compare(stores, &options, observe) => replayed,
    };
    if replayed.is_ok() && !options.dry_run {
        let version = stores.version(super::NAME);
        query!("UPDATE projection_checkpoints SET version = $2 WHERE projection = $1", super::NAME, version).execute(&stores.pool).await?;
    }
    turn.give_back().await;
    replayed
}

async fn begin_and_compare(
    stores: &Stores,
    options: &RebuildOptions,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<RebuildReport, RebuildError> {
    let began = Instant::now();
    let caches = Caches::new(stores.clone());
    observe(RebuildProgress { phase: Phase::Comparing, done: 0, total: 0 });
    // What this process has never begun it does not believe: it begins one in a dry run, too, which costs speed for a moment, and nothing else.
    caches.begin().await?;
    let channels = query!("SELECT workspace_id, channel_id FROM channels ORDER BY position DESC LIMIT $1", PROVED_MAX);
    let channels = channels.fetch_all(&stores.pool).await?;
    let people =
        query!("SELECT workspace_id, user_id FROM workspace_members WHERE status = 'active' ORDER BY position DESC LIMIT $1", PROVED_MAX);
    let people = people.fetch_all(&stores.pool).await?;
    let (mut done, total) = (0, (channels.len() + people.len()) as u64);
    let mut step = || {
        done += 1;
        if done % TOLD_EVERY == 0 {
            observe(RebuildProgress { phase: Phase::Comparing, done, total });
        }
    };
    let (mut pages, mut counts, mut members) = (Table::default(), Table::default(), Table::default());
    let mut looks = stream::iter(channels)
        .map(|row| caches.channel_is_right(WorkspaceId(row.workspace_id), ChannelId(row.channel_id)))
        .buffer_unordered(LOOKS_AT_A_TIME);
    while let Some((channel_id, page, first_members)) = looks.try_next().await? {
        pages.looked(channel_id.to_string(), page);
        members.looked(channel_id.to_string(), first_members);
        step();
    }
    // Filled in one after the other: people share channels, and who waits for another to fill one in is answered by Postgres. What Postgres counts
    // itself is waited for at the side of that.
    let mut looks = stream::iter(people)
        .then(|row| caches.with_cached_counts((WorkspaceId(row.workspace_id), UserId(row.user_id))))
        .map_ok(|(of, cached)| caches.counts_are_right(of, cached))
        .try_buffer_unordered(LOOKS_AT_A_TIME)
        .boxed();
    while let Some(((workspace_id, user_id), look)) = looks.try_next().await? {
        counts.looked(format!("{workspace_id}:{user_id}"), look);
        step();
    }
    let position = stores.progress.position(super::NAME).await.unwrap_or_default();
    let rows = vec![
        ("recent_messages".into(), pages.compared),
        ("unread_counts".into(), counts.compared),
        ("channel_members".into(), members.compared),
    ];
    let families = [("recent_messages", pages), ("unread_counts", counts), ("channel_members", members)];
    let differences = families.into_iter().filter_map(|(name, family)| family.difference(name)).collect::<Vec<_>>();
    if !differences.is_empty() && !options.accept_differences && !options.dry_run {
        // Whatever it is that is wrong: it is not read any more.
        caches.begin().await?;
        return Err(RebuildError::Differs { position, differences });
    }
    Ok(RebuildReport {
        events: 0,
        position,
        compared_at: Some(position),
        rows,
        differences,
        switched: !options.dry_run,
        held_up: std::time::Duration::ZERO,
        elapsed: began.elapsed(),
        phases: vec![(Phase::Comparing, began.elapsed())],
    })
}

/// Whose counts, and where.
type Counted = (WorkspaceId, UserId);

/// What came of looking at a key.
#[derive(Clone, Copy)]
enum Look {
    /// It holds what Postgres says.
    Right,
    /// It holds something else.
    Wrong,
    /// Redis does not answer, or is not believed: whoever asks is answered by Postgres.
    Unanswered,
}

/// What was compared of a family of keys.
#[derive(Default)]
struct Table {
    compared: i64,
    /// Keys that do not hold what Postgres says.
    wrong: Vec<String>,
}

impl Table {
    fn looked(&mut self, key: String, look: Look) {
        match look {
            Look::Unanswered => return,
            Look::Wrong => self.wrong.push(key),
            Look::Right => {}
        }
        self.compared += 1;
    }

    fn difference(self, table: &str) -> Option<Difference> {
        let wrong = i64::try_from(self.wrong.len()).unwrap_or(i64::MAX);
        let row = |key| DifferingRow { key, in_live: true, in_new: true, columns: Vec::new(), events: Vec::new() };
        let rows = self.wrong.into_iter().take(SHOWN_MAX).map(row).collect();
        (wrong > 0).then(|| Difference { table: table.into(), live_rows: self.compared, new_rows: self.compared - wrong, rows })
    }
}

impl Caches {
    /// Begins a generation that this process believes.
    async fn begin(&self) -> Result<(), RebuildError> {
        self.trust.begin_now().await.map_err(RebuildError::Database)
    }

    async fn channel_is_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<(ChannelId, Look, Look), RebuildError> {
        let page = self.page_is_right(workspace_id, channel_id).await?;
        Ok((channel_id, page, self.members_are_right(workspace_id, channel_id).await?))
    }

    async fn page_is_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<Look, RebuildError> {
        for _ in 0..LOOKS_MAX {
            // The first reading fills it in, the second one reads it back.
            self.recent_messages(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)?;
            let Some(cached) = self.recent_messages(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)? else {
                return Ok(Look::Unanswered);
            };
            let rows = self.read.history(channel_id, HistoryPage::Latest, PAGE_ROWS).await.map_err(|error| error.0)?;
            if is_same(cached.rows.iter().map(|(_, row)| row), &rows) {
                return Ok(Look::Right);
            }
            self.catch_up().await;
        }
        Ok(Look::Wrong)
    }

    async fn members_are_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<Look, RebuildError> {
        for _ in 0..LOOKS_MAX {
            // As above.
            self.first_members(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)?;
            let Some(cached) = self.first_members(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)? else {
                return Ok(Look::Unanswered);
            };
            let rows = self.read.channel_members(channel_id, None, PAGE_ROWS).await.map_err(|error| error.0)?;
            if is_same(cached.rows.iter().map(|(_, row)| row), &rows) {
                return Ok(Look::Right);
            }
            self.catch_up().await;
        }
        Ok(Look::Wrong)
    }

    async fn with_cached_counts(&self, of: Counted) -> Result<(Counted, Option<Unread>), RebuildError> {
        let (workspace_id, user_id) = of;
        Ok((of, self.cached_unread(user_id, workspace_id, 0).await.map_err(|error| error.0)?))
    }

    /// Whether somebody's counts are right, of which the cache has said that.
    async fn counts_are_right(&self, of: Counted, mut cached: Option<Unread>) -> Result<(Counted, Look), RebuildError> {
        let (workspace_id, user_id) = of;
        for _ in 0..LOOKS_MAX {
            let Some(unread) = cached else { return Ok((of, Look::Unanswered)) };
            if unread.channels == self.read.unread(user_id, workspace_id).await.map_err(|error| error.0)? {
                return Ok((of, Look::Right));
            }
            self.catch_up().await;
            (_, cached) = self.with_cached_counts(of).await?;
        }
        Ok((of, Look::Wrong))
    }

    /// Waits until the cache is where the read tables are now, or not for long.
    async fn catch_up(&self) {
        let position = self.stores.progress.position(RELATIONAL).await.unwrap_or_default();
        drop(self.stores.progress.wait_for(super::NAME, position, std::time::Duration::from_secs(1)).await);
    }
}

/// Whether those are the rows, as they are kept.
fn is_same<'a>(cached: impl Iterator<Item = &'a String>, rows: &[impl Serialize]) -> bool {
    cached.map(String::as_str).eq(rows.iter().map(|row| serde_json::to_string(row).unwrap_or_default()))
}
