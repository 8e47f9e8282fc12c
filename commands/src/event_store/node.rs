//! This process among the others on one database. It is listed while it runs, and an event of a newer format waits until
//! every listed process reads that format (docs/decisions/0019-releases-side-by-side.md).
//!
//! A process renews its entry every few seconds. It takes itself for listed for [`Lease::own`], counted by its own clock
//! from before it sent the renewal. The others take it for listed for [`Lease::others`], counted by the clock of Postgres
//! from when the renewal was written. The first time is shorter: a process that cannot reach the database stops appending
//! before the others stop waiting for it.
//!
//! The transaction that lists a process also reads what the database asks of it (table `release_floor`), under a lock that
//! excludes the process that raises the floor. So an older process is either listed before the floor is raised, and seen,
//! or it comes after that, and is refused.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::format::EventFormat;
use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, PgPool, query, query_as};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use stores::release::{self, Outdated, Release, holder};

use super::StoreError;

/// How long a refused format is refused without looking again: requests that come meanwhile share the answer.
const REFUSED_FOR: Duration = Duration::from_millis(500);
/// The longest time that a renewal may take.
const LIST_MAX: Duration = Duration::from_secs(5);
/// How long an entry stays that is not renewed any more, for operators to look at.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long a process is listed.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// How often a process renews its entry.
    pub renew_every: Duration,
    /// For how long it takes itself for listed.
    pub own: Duration,
    /// For how long the others do, which is longer.
    pub others: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self { renew_every: Duration::from_secs(5), own: Duration::from_secs(15), others: Duration::from_secs(30) }
    }
}

/// This process in the list. Clones share everything; the entry is not renewed any more when the last one is dropped.
#[derive(Clone)]
pub(super) struct Node(Arc<Inner>);

struct Inner {
    pool: PgPool,
    node_id: Uuid,
    holder: String,
    release: Release,
    lease: Lease,
    began: Instant,
    /// Until when it is listed, in milliseconds since it began.
    listed_until: AtomicU64,
    /// Whether it has left the list. Locked during each renewal, so that a renewal under way cannot list it again.
    left: Mutex<bool>,
    /// The format that every process reads, as far as this one knows. Never lowered.
    min_format: AtomicI32,
    refused: Mutex<Option<Refused>>,
    outdated: watch::Sender<Option<Arc<Outdated>>>,
}

/// A format that was refused, and when.
struct Refused {
    at: Instant,
    format: EventFormat,
}

/// A process that does not read a format.
struct Older {
    holder: String,
    release: String,
}

impl Node {
    /// Lists this process.
    ///
    /// # Errors
    /// A later release has claimed the database, or it cannot be reached.
    pub(super) async fn join(pool: PgPool, release: Release, lease: Lease) -> Result<Self, StoreError> {
        let (node_id, began) = (Uuid::now_v7(), Instant::now());
        let node = Self(Arc::new(Inner {
            pool,
            node_id,
            holder: holder(),
            release,
            lease,
            began,
            listed_until: AtomicU64::new(0),
            left: Mutex::default(),
            min_format: AtomicI32::new(i32::MIN),
            refused: Mutex::default(),
            outdated: watch::Sender::new(None),
        }));
        node.0.renew().await?;
        node.0.forget_the_gone().await?;
        tokio::spawn(keep_listed(Arc::downgrade(&node.0), lease.renew_every));
        Ok(node)
    }

    /// Whether events of that format may be appended now. The first of a newer format has every process read it from
    /// then on.
    ///
    /// # Errors
    /// A listed process does not read it, a later release has claimed the database, or it cannot be reached.
    pub(super) async fn admit(&self, format: EventFormat) -> Result<(), StoreError> {
        if !self.0.is_listed() {
            self.0.renew().await?;
        }
        if format.0 <= self.0.min_format.load(Ordering::Acquire) { Ok(()) } else { self.0.raise(format).await }
    }

    /// Why this process may not go on, once a later release has claimed the database.
    pub(super) fn outdated(&self) -> watch::Receiver<Option<Arc<Outdated>>> {
        self.0.outdated.subscribe()
    }

    /// Removes this process from the list, so that nothing waits for it. It must not append afterwards.
    pub(super) async fn leave(&self) {
        let mut left = self.0.left.lock().await;
        *left = true;
        self.0.listed_until.store(0, Ordering::Release);
        let gone = query!("DELETE FROM public.nodes WHERE node_id = $1", self.0.node_id).execute(&self.0.pool).await;
        if let Err(error) = gone {
            debug!(%error, "this process is still listed, for a while");
        }
    }
}

async fn keep_listed(node: Weak<Inner>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(node) = node.upgrade() else { return };
        match node.renew().await {
            Ok(()) => {}
            Err(StoreError::Outdated(_) | StoreError::Stopped) => return,
            Err(error) => debug!(%error, "the entry of this process could not be renewed; it is tried again"),
        }
    }
}

impl Inner {
    fn is_listed(&self) -> bool {
        self.began.elapsed().as_millis() < u128::from(self.listed_until.load(Ordering::Acquire))
    }

    /// Renews the entry, and finds out whether this process may go on.
    async fn renew(&self) -> Result<(), StoreError> {
        let left = self.left.lock().await;
        if *left {
            return Err(StoreError::Stopped);
        }
        // Before the renewal is sent: the others count from a later moment.
        let until = self.began.elapsed() + self.lease.own;
        let min_format = timeout(LIST_MAX.min(self.lease.own), self.list()).await.map_err(|_| StoreError::Busy)?;
        let min_format = min_format.inspect_err(|error| {
            if let StoreError::Outdated(outdated) = error {
                error!(%outdated, "this process may not go on");
                self.listed_until.store(0, Ordering::Release);
                self.outdated.send_replace(Some(Arc::clone(outdated)));
            }
        })?;
        self.min_format.fetch_max(min_format.0, Ordering::AcqRel);
        self.listed_until.fetch_max(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
        Ok(())
    }

    async fn list(&self) -> Result<EventFormat, StoreError> {
        let mut tx = self.pool.begin().await?;
        let floor = release::read_for_share(&mut tx).await?;
        floor.admits(&self.release)?;
        query!(
            "INSERT INTO public.nodes (node_id, holder, release, event_format) VALUES ($1, $2, $3, $4)
             ON CONFLICT (node_id) DO UPDATE SET seen_at = clock_timestamp()",
            self.node_id,
            self.holder,
            self.release.version.to_string(),
            self.release.reads.0,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(floor.min_format)
    }

    /// Has every process read that format from now on, where all that are listed do.
    async fn raise(&self, format: EventFormat) -> Result<(), StoreError> {
        // One at a time: a refusal is shared by those that wait behind it.
        let mut refused = self.refused.lock().await;
        if refused.as_ref().is_some_and(|refused| format >= refused.format && refused.at.elapsed() < REFUSED_FOR) {
            return Err(StoreError::UpgradeUnderWay(format));
        }
        let mut tx = self.pool.begin().await?;
        let floor = release::read_for_update(&mut tx).await?;
        floor.admits(&self.release)?;
        if floor.min_format < format {
            if let Some(Older { holder, release }) = self.older_than(&mut tx, format).await? {
                warn!(holder, release, %format, "events of a newer format wait until this older process is gone");
                *refused = Some(Refused { at: Instant::now(), format });
                return Err(StoreError::UpgradeUnderWay(format));
            }
            release::raise(&mut tx, format, &self.release.version).await?;
        }
        tx.commit().await?;
        info!(%format, "every process reads this event format: events of it are written from now on");
        self.min_format.fetch_max(floor.min_format.max(format).0, Ordering::AcqRel);
        Ok(())
    }

    async fn older_than(&self, tx: &mut PgConnection, format: EventFormat) -> sqlx::Result<Option<Older>> {
        query_as!(
            Older,
            "SELECT holder, release FROM public.nodes WHERE event_format < $1 AND seen_at > clock_timestamp() - $2::interval
             ORDER BY event_format, seen_at DESC LIMIT 1",
            format.0,
            interval(self.lease.others),
        )
        .fetch_optional(tx)
        .await
    }

    async fn forget_the_gone(&self) -> sqlx::Result<()> {
        query!("DELETE FROM public.nodes WHERE seen_at < clock_timestamp() - $1::interval", interval(FORGET_AFTER))
            .execute(&self.pool)
            .await
            .map(drop)
    }
}

/// Postgres counts in microseconds.
fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
