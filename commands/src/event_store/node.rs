//! The list of the processes that run on one database. An event of a newer format is not written until every listed
//! process can read that format (docs/decisions/0019-releases-side-by-side.md).
//!
//! A process renews its entry every few seconds. It considers itself listed for [`Lease::own`], measured by its own
//! clock from before it sent the renewal. The other processes consider it listed for [`Lease::others`], measured by the
//! clock of Postgres from when the renewal was written. The first time is shorter, so a process that cannot reach the
//! database stops appending before the others stop waiting for it.
//!
//! The transaction that registers a process also reads the requirements of the database (table `release_floor`), under
//! a lock that excludes the process that raises the floor. So an older process either registers before the floor is
//! raised, and is counted, or it registers afterwards, and is refused.
//!
//! Each renewal also checks that the log is still the one that the process came to.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use domain::format::EventFormat;
use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, PgPool, query, query_as};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use stores::release::{self, Outdated, Release, holder};
use stores::restored::identity::{self, Standing};

use super::StoreError;

/// How long a refusal of a format is reused without a new query. Requests that arrive meanwhile get the same refusal.
const REFUSED_FOR: Duration = Duration::from_millis(500);
/// The longest time that a renewal may take.
const LIST_MAX: Duration = Duration::from_secs(5);
/// How long an entry without renewals is kept, so that operators can see it.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a process stays listed.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// How often a process renews its entry.
    pub renew_every: Duration,
    /// How long it considers itself listed.
    pub own: Duration,
    /// How long the others consider it listed. This is longer.
    pub others: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self { renew_every: Duration::from_secs(5), own: Duration::from_secs(15), others: Duration::from_secs(30) }
    }
}

/// This process's entry in the list. Clones share it, and it is no longer renewed after the last clone is dropped.
#[derive(Clone)]
pub(super) struct Node(Arc<Inner>);

struct Inner {
    pool: PgPool,
    node_id: Uuid,
    holder: String,
    release: Release,
    lease: Lease,
    began: Instant,
    /// Until when it is listed, in milliseconds since `began`.
    listed_until: AtomicU64,
    /// Whether the process has left the list. Each renewal locks it, so that a running renewal cannot register the
    /// process again.
    left: Mutex<bool>,
    /// The newest format that every process reads, as far as this process knows. It never decreases.
    min_format: AtomicI32,
    refused: Mutex<Option<Refused>>,
    /// The log that this process came to.
    standing: OnceLock<Standing>,
    outdated: watch::Sender<Option<Arc<Outdated>>>,
}

/// A refused format, and the time of the refusal.
struct Refused {
    at: Instant,
    format: EventFormat,
}

/// A process that cannot read a format.
struct Older {
    holder: String,
    release: String,
}

impl Node {
    /// Registers this process.
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
            standing: OnceLock::new(),
            outdated: watch::Sender::new(None),
        }));
        node.0.renew().await?;
        node.0.remove_old_entries().await?;
        tokio::spawn(keep_listed(Arc::downgrade(&node.0), lease.renew_every));
        Ok(node)
    }

    /// Checks that events of the format may be appended now. The first event of a newer format raises the format that
    /// every process must read.
    ///
    /// # Errors
    /// A listed process cannot read the format, a later release has claimed the database, or it cannot be reached.
    pub(super) async fn admit(&self, format: EventFormat) -> Result<(), StoreError> {
        if !self.0.is_listed() {
            self.0.renew().await?;
        }
        if format.0 <= self.0.min_format.load(Ordering::Acquire) { Ok(()) } else { self.0.raise(format).await }
    }

    /// Holds the reason why this process must stop: a later release has claimed the database, or its log is another one.
    pub(super) fn outdated(&self) -> watch::Receiver<Option<Arc<Outdated>>> {
        self.0.outdated.subscribe()
    }

    /// Removes this process from the list, so that no other process waits for it. It must not append afterwards.
    pub(super) async fn leave(&self) {
        let mut left = self.0.left.lock().await;
        *left = true;
        self.0.listed_until.store(0, Ordering::Release);
        let gone = query!("DELETE FROM public.nodes WHERE node_id = $1", self.0.node_id).execute(&self.0.pool).await;
        if let Err(error) = gone {
            debug!(%error, "this process stays listed until its entry expires");
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
            Err(error) => debug!(%error, "the entry of this process could not be renewed; the renewal is tried again"),
        }
    }
}

impl Inner {
    fn is_listed(&self) -> bool {
        self.began.elapsed().as_millis() < u128::from(self.listed_until.load(Ordering::Acquire))
    }

    /// Renews the entry, and checks that this process may continue.
    async fn renew(&self) -> Result<(), StoreError> {
        let left = self.left.lock().await;
        if *left {
            return Err(StoreError::Stopped);
        }
        // Measured before the renewal is sent, because the others measure from a later moment.
        let until = self.began.elapsed() + self.lease.own;
        let min_format = timeout(LIST_MAX.min(self.lease.own), self.list()).await.map_err(|_| StoreError::Busy)?;
        let min_format = min_format.inspect_err(|error| {
            if let StoreError::Outdated(outdated) = error {
                error!(%outdated, "this process must stop");
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
        self.check_log(identity::standing(&mut tx).await?)?;
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

    /// Checks that the log is still the one that this process came to. After a recovery, or when a replica has taken the
    /// place of Postgres, what this process remembers may never have happened.
    fn check_log(&self, now: Standing) -> Result<(), Outdated> {
        let is_same = self.standing.get().is_none_or(|before| before.goes_on_as(&now));
        let _ = self.standing.set(now);
        if is_same { Ok(()) } else { Err(Outdated::AnotherLog) }
    }

    /// Raises the format that every process must read, if all listed processes can read it.
    async fn raise(&self, format: EventFormat) -> Result<(), StoreError> {
        // Only one at a time, so that waiting callers share a refusal.
        let mut refused = self.refused.lock().await;
        if refused.as_ref().is_some_and(|refused| format >= refused.format && refused.at.elapsed() < REFUSED_FOR) {
            return Err(StoreError::UpgradeUnderWay(format));
        }
        let mut tx = self.pool.begin().await?;
        let floor = release::read_for_update(&mut tx).await?;
        floor.admits(&self.release)?;
        if floor.min_format < format {
            if let Some(Older { holder, release }) = self.older_than(&mut tx, format).await? {
                warn!(holder, release, %format, "events of a newer format cannot be written until this older process has stopped");
                *refused = Some(Refused { at: Instant::now(), format });
                return Err(StoreError::UpgradeUnderWay(format));
            }
            release::raise(&mut tx, format, &self.release.version).await?;
        }
        tx.commit().await?;
        info!(%format, "every process can read this event format: its events are written from now on");
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

    async fn remove_old_entries(&self) -> sqlx::Result<()> {
        query!("DELETE FROM public.nodes WHERE seen_at < clock_timestamp() - $1::interval", interval(FORGET_AFTER))
            .execute(&self.pool)
            .await
            .map(drop)
    }
}

/// Postgres measures in microseconds.
fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
