//! A replay of the cache begins a new generation, which is filled as callers ask for it. The replay then checks the
//! channels and the people that changed last, which in most installations are all of them. It fills in each family of
//! keys, reads it back, and compares it with what Postgres answers.

use std::time::Instant;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sqlx::query;

use super::caches::Caches;
use super::unread::Unread;
use crate::RELATIONAL;
use crate::connections::Connections;
use crate::rebuild::{Difference, DifferingRow, LeftOut, Phase, RebuildError, RebuildLock, RebuildOptions, RebuildProgress, RebuildReport};
use crate::relational::messages::HistoryPage;

/// The most channels, and the most people, that a replay checks.
const CHECKED_MAX: i64 = 10_000;
/// How many channels, or people, are checked at the same time.
const CHECKS_AT_ONCE: usize = 4;
/// Progress is reported after this many checks.
const PROGRESS_EVERY: u64 = 100;
/// How often a difference is checked again, because people go on writing meanwhile.
const CHECK_TRIES_MAX: usize = 20;
/// The rows of a page that is compared.
const PAGE_ROWS: u16 = 50;

/// The most keys with differences that are shown of each family.
const SHOWN_MAX: usize = 10;

/// Begins a new generation, and compares the keys that are filled in with the read tables.
pub(crate) async fn replay(
    turn: RebuildLock,
    stores: &Connections,
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
    turn.release().await;
    replayed
}

async fn begin_and_compare(
    stores: &Connections,
    options: &RebuildOptions,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<RebuildReport, RebuildError> {
    let began = Instant::now();
    let caches = Caches::new(stores.clone());
    observe(RebuildProgress { phase: Phase::Comparing, done: 0, total: 0 });
    // A process reads only generations that follow one that it has begun. So this one begins a generation in a dry run
    // too: that costs speed for a moment, and nothing else.
    caches.begin().await?;
    let channels = query!("SELECT workspace_id, channel_id FROM channels ORDER BY position DESC LIMIT $1", CHECKED_MAX);
    let channels = channels.fetch_all(&stores.pool).await?;
    let people =
        query!("SELECT workspace_id, user_id FROM workspace_members WHERE status = 'active' ORDER BY position DESC LIMIT $1", CHECKED_MAX);
    let people = people.fetch_all(&stores.pool).await?;
    let (mut done, total) = (0, (channels.len() + people.len()) as u64);
    let mut step = || {
        done += 1;
        if done % PROGRESS_EVERY == 0 {
            observe(RebuildProgress { phase: Phase::Comparing, done, total });
        }
    };
    let (mut pages, mut counts, mut members) = (KeyFamily::default(), KeyFamily::default(), KeyFamily::default());
    let mut checks = stream::iter(channels)
        .map(|row| caches.channel_is_right(WorkspaceId(row.workspace_id), ChannelId(row.channel_id)))
        .buffer_unordered(CHECKS_AT_ONCE);
    while let Some((channel_id, page, first_members)) = checks.try_next().await? {
        pages.record(channel_id.to_string(), page);
        members.record(channel_id.to_string(), first_members);
        step();
    }
    // People are filled in one after the other: they share channels, and a caller that waits for another's fill is
    // answered by Postgres. The counts that Postgres makes itself run at the same time.
    let mut checks = stream::iter(people)
        .then(|row| caches.with_cached_counts((WorkspaceId(row.workspace_id), UserId(row.user_id))))
        .map_ok(|(of, cached)| caches.counts_are_right(of, cached))
        .try_buffer_unordered(CHECKS_AT_ONCE)
        .boxed();
    while let Some(((workspace_id, user_id), check)) = checks.try_next().await? {
        counts.record(format!("{workspace_id}:{user_id}"), check);
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
        // Whatever the difference is, the generation that has it is no longer read.
        caches.begin().await?;
        return Err(RebuildError::Differs { position, differences });
    }
    Ok(RebuildReport {
        events: 0,
        position,
        compared_at: Some(position),
        rows,
        differences,
        left_out: LeftOut::default(),
        switched: !options.dry_run,
        held_up: std::time::Duration::ZERO,
        elapsed: began.elapsed(),
        phases: vec![(Phase::Comparing, began.elapsed())],
    })
}

/// The workspace and the user of some unread counts.
type CountKey = (WorkspaceId, UserId);

/// The result of checking a key.
#[derive(Clone, Copy)]
enum Check {
    /// The key holds what Postgres answers.
    Right,
    /// The key holds something else.
    Wrong,
    /// Redis does not answer, or its generation is not valid. Postgres answers callers meanwhile.
    Unanswered,
}

/// The results of checking one family of keys.
#[derive(Default)]
struct KeyFamily {
    compared: i64,
    /// Keys that do not hold what Postgres answers.
    wrong: Vec<String>,
}

impl KeyFamily {
    fn record(&mut self, key: String, check: Check) {
        match check {
            Check::Unanswered => return,
            Check::Wrong => self.wrong.push(key),
            Check::Right => {}
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
    /// Begins a generation that this process may read.
    async fn begin(&self) -> Result<(), RebuildError> {
        self.generations.begin_now().await.map_err(RebuildError::Database)
    }

    async fn channel_is_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<(ChannelId, Check, Check), RebuildError> {
        let page = self.page_is_right(workspace_id, channel_id).await?;
        Ok((channel_id, page, self.members_are_right(workspace_id, channel_id).await?))
    }

    async fn page_is_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<Check, RebuildError> {
        for _ in 0..CHECK_TRIES_MAX {
            // The first read fills the page in, the second reads it back.
            self.recent_messages(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)?;
            let Some(cached) = self.recent_messages(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)? else {
                return Ok(Check::Unanswered);
            };
            let rows = self.read.history(channel_id, HistoryPage::Latest, PAGE_ROWS).await.map_err(|error| error.0)?;
            if is_same(cached.rows.iter().map(|(_, row)| row), &rows) {
                return Ok(Check::Right);
            }
            self.catch_up().await;
        }
        Ok(Check::Wrong)
    }

    async fn members_are_right(&self, workspace_id: WorkspaceId, channel_id: ChannelId) -> Result<Check, RebuildError> {
        for _ in 0..CHECK_TRIES_MAX {
            // The first read fills the members in, the second reads them back.
            self.first_members(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)?;
            let Some(cached) = self.first_members(workspace_id, channel_id, PAGE_ROWS, 0).await.map_err(|error| error.0)? else {
                return Ok(Check::Unanswered);
            };
            let rows = self.read.channel_members(channel_id, None, PAGE_ROWS).await.map_err(|error| error.0)?;
            if is_same(cached.rows.iter().map(|(_, row)| row), &rows) {
                return Ok(Check::Right);
            }
            self.catch_up().await;
        }
        Ok(Check::Wrong)
    }

    async fn with_cached_counts(&self, of: CountKey) -> Result<(CountKey, Option<Unread>), RebuildError> {
        let (workspace_id, user_id) = of;
        Ok((of, self.cached_unread(user_id, workspace_id, 0).await.map_err(|error| error.0)?))
    }

    /// Whether the counts of a user are right, given the cache's answer.
    async fn counts_are_right(&self, of: CountKey, mut cached: Option<Unread>) -> Result<(CountKey, Check), RebuildError> {
        let (workspace_id, user_id) = of;
        for _ in 0..CHECK_TRIES_MAX {
            let Some(unread) = cached else { return Ok((of, Check::Unanswered)) };
            if unread.channels == self.read.unread(user_id, workspace_id).await.map_err(|error| error.0)? {
                return Ok((of, Check::Right));
            }
            self.catch_up().await;
            (_, cached) = self.with_cached_counts(of).await?;
        }
        Ok((of, Check::Wrong))
    }

    /// Waits up to a second until the cache has reached the current position of the read tables.
    async fn catch_up(&self) {
        let position = self.stores.progress.position(RELATIONAL).await.unwrap_or_default();
        drop(self.stores.progress.wait_for(super::NAME, position, std::time::Duration::from_secs(1)).await);
    }
}

/// Whether the cached texts are these rows.
fn is_same<'a>(cached: impl Iterator<Item = &'a String>, rows: &[impl Serialize]) -> bool {
    cached.map(String::as_str).eq(rows.iter().map(|row| serde_json::to_string(row).unwrap_or_default()))
}
