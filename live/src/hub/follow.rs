//! The hub follows the log: it reads the feed, gives the events to the connections, and notices if the log cannot be read.

use std::sync::Arc;
use std::time::Duration;

use commands::CommandError;
use stores::error::chain;
use stores::feed::{Consumer, Feed, Sources};
use stores::log::{LogError, read};
use stores::retry::{self, Pauses};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::Hub;
use super::deliver::{Deliverer, TOGETHER};
use crate::close::Close;
use crate::error::ChangesError;
use crate::material::readable;

/// How long the log may be unreadable before the connections are closed: another node may be able to read it.
const LOST_AFTER: Duration = Duration::from_secs(15);

/// How often it is looked whether the log can be read, and how long that may take.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_MAX: Duration = Duration::from_secs(10);

impl Hub {
    /// Reads the log. After any failure it tries again, without limit.
    pub(super) async fn keep_following(&self, sources: &Sources) {
        let (mut pauses, mut fails_since) = (Pauses::of(retry::PROJECTOR), None);
        loop {
            let (began, mut follows_since) = (Instant::now(), None);
            let Err(error) = self.follow(sources, &mut pauses, &mut fails_since, &mut follows_since).await else { return };
            if follows_since.is_some_and(|at: Instant| at.elapsed() > LOST_AFTER) {
                // It worked in between, but nothing happened in the log.
                fails_since = None;
            }
            // A database that does not answer at all fails an attempt only after some seconds. They count, too.
            let failed_at = match &error {
                FollowError::Hangs => Instant::now() - LOOK_MAX,
                _ if follows_since.is_some() => Instant::now(),
                _ => began,
            };
            let since = *fails_since.get_or_insert(failed_at);
            let is_of_later_release = matches!(&error, FollowError::Log(LogError::OfLaterRelease { .. }));
            let (error, delay) = (chain(&error), pauses.failed());
            warn!(error, delay_ms = delay.as_millis(), "live connections get no events; the server tries again after a pause");
            if is_of_later_release || since.elapsed() > LOST_AFTER {
                self.inner.registry().lost();
                self.close_all(Close::FeedLost);
            }
            sleep(delay).await;
        }
    }

    /// Follows the log until a failure. `follows_since` is set once the end of the log is known, and `fails_since` is
    /// cleared whenever events were given.
    async fn follow(
        &self,
        sources: &Sources,
        pauses: &mut Pauses,
        fails_since: &mut Option<Instant>,
        follows_since: &mut Option<Instant>,
    ) -> Result<(), FollowError> {
        let head = timeout(LOOK_MAX, self.inner.commands.store().catch_up()).await;
        let head = head.map_err(|_| FollowError::Hangs)?.map_err(CommandError::from)?;
        *follows_since = Some(Instant::now());
        let mut position = {
            let mut registry = self.inner.registry();
            let position = registry.position().unwrap_or(head);
            registry.reached(position);
            position
        };
        self.fill_tail(sources, position).await?;
        let mut deliverer = Deliverer::new(self.inner.clone(), position);
        let mut feed = Feed::open(sources.clone(), Consumer::Nameless);
        let giving = async {
            loop {
                let mut events = feed.next(position).await?;
                while !events.is_empty() {
                    let rest = events.split_off(events.len().min(TOGETHER));
                    position = events.last().map_or(position, |last| last.position);
                    deliverer.deliver(std::mem::replace(&mut events, rest)).await?;
                }
                pauses.worked();
                *fails_since = None;
            }
        };
        // An event is given to all its readers or to none, so this may be dropped at any time.
        tokio::select! {
            failed = giving => failed,
            failed = self.watch_log() => failed,
        }
    }

    /// Looks from time to time whether the log can be read. A database that hangs without an error would otherwise keep the
    /// connections open, although they get nothing.
    async fn watch_log(&self) -> Result<(), FollowError> {
        loop {
            sleep(LOOK_EVERY).await;
            let looked = timeout(LOOK_MAX, self.inner.commands.store().end_of_log()).await;
            looked.map_err(|_| FollowError::Hangs)?.map_err(CommandError::from)?;
        }
    }

    /// Reads the last events up to a position, unless they are there already.
    async fn fill_tail(&self, sources: &Sources, position: i64) -> Result<(), LogError> {
        let tail = self.inner.changes.tail();
        if tail.last() == position {
            return Ok(());
        }
        let after = (position - tail.events_max()).max(0);
        let last = read::read(&sources.pool, &sources.keys, after, usize::try_from(position - after).unwrap_or_default()).await?;
        last.into_iter().for_each(|delivery| tail.push(delivery.position, readable(delivery).map(Arc::new)));
        Ok(())
    }
}

/// Why the log is not followed.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("the database does not answer")]
    Hangs,
    #[error(transparent)]
    Commands(#[from] CommandError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Changes(#[from] ChangesError),
}
