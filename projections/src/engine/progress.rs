//! Read-your-writes: the position of each projection, and waiting until a projection has reached a position.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{PgPool, query_as};
use stores::checkpoint::StoredPosition;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use crate::engine::registry;

/// How often the checkpoint is read while a caller waits and the projector runs in another process.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How often a waiting caller reads the checkpoint although the projector runs in this process: it may have moved to
/// another one.
const NOTIFIED_INTERVAL: Duration = Duration::from_millis(200);

/// The positions of the projections. Cheap to clone. The projectors of this process report their positions here at
/// once.
#[derive(Clone, Debug)]
pub struct Progress {
    pool: PgPool,
    trackers: Arc<HashMap<&'static str, Tracker>>,
}

/// The shortest and the longest time after which a caller is asked to try again.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// One projection's position, as far as this process knows it.
#[derive(Debug)]
struct Tracker {
    reached: watch::Sender<StoredPosition>,
    /// Whether the projector runs in this process and reports its position.
    notified: AtomicBool,
    /// Why the projector of this process failed when it last tried.
    trouble: StdMutex<Option<String>>,
    /// When the checkpoint was last read. The task that holds this lock reads the checkpoint for all waiting callers.
    read_at: Mutex<Option<Instant>>,
}

/// Why a projection's position is not known to be far enough.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The projection did not reach the position in time.
    #[error("the projection {projection} has reached position {reached}, not yet {asked}")]
    NotReached {
        /// The projection.
        projection: String,
        /// The position that the caller waits for.
        asked: i64,
        /// The position that the projection has reached.
        reached: i64,
        /// When it will have reached the position, if it goes on as fast as it went during the wait.
        retry_after: Duration,
    },
    /// There is no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// The projection's checkpoint cannot be read.
    #[error("the checkpoint cannot be read")]
    Unavailable(#[from] sqlx::Error),
}

impl Progress {
    /// The positions of the projections in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        let trackers = registry::NAMES.map(|name| (name, Tracker::new())).into_iter().collect();
        Self { pool, trackers: Arc::new(trackers) }
    }

    /// Returns the position of a projection: what its projector in this process last reported, or else its checkpoint.
    ///
    /// # Errors
    /// There is no such projection, or its checkpoint cannot be read.
    pub async fn position(&self, projection: &str) -> Result<i64, WaitError> {
        let tracker = self.tracker(projection)?;
        self.current(projection, tracker).await
    }

    /// Waits until a projection has reached `position`, and returns the position that it has reached.
    ///
    /// # Errors
    /// The projection did not reach it within `limit`, there is no such projection, or its checkpoint cannot be read.
    pub async fn wait_for(&self, projection: &str, position: i64, limit: Duration) -> Result<i64, WaitError> {
        let tracker = self.tracker(projection)?;
        // The receiver exists before the first look, so no move between a look and a pause is missed.
        let mut moves = tracker.reached.subscribe();
        let began = Instant::now();
        let mut from = None;
        loop {
            let known = moves.borrow_and_update().position;
            let reached = if known >= position { known } else { self.current(projection, tracker).await? };
            if reached >= position {
                return Ok(reached);
            }
            let from = *from.get_or_insert(reached);
            let waited = began.elapsed();
            if waited >= limit {
                let retry_after = retry_after(position - reached, reached - from, waited);
                return Err(WaitError::NotReached { projection: projection.into(), asked: position, reached, retry_after });
            }
            let pause = if tracker.notified.load(Ordering::Relaxed) { NOTIFIED_INTERVAL } else { POLL_INTERVAL };
            // The sender is in the tracker, so the channel stays open. Either the position has changed, or the pause is
            // over.
            drop(timeout(pause.min(limit - waited), moves.changed()).await);
        }
    }

    /// Notifies all waiting callers that a projection of this process has reached `position`.
    pub(crate) fn reached(&self, projection: &str, standing: StoredPosition) {
        if let Some(tracker) = self.trackers.get(projection) {
            tracker.moved_to(standing);
            tracker.notified.store(true, Ordering::Relaxed);
        }
    }

    /// Whether this process holds a projection.
    #[must_use]
    pub fn holds(&self, projection: &str) -> bool {
        self.trackers.get(projection).is_some_and(|tracker| tracker.notified.load(Ordering::Relaxed))
    }

    /// Why the projector of this process failed when it last tried. `None` if it holds its projection, or stands by.
    #[must_use]
    pub fn trouble(&self, projection: &str) -> Option<String> {
        self.trackers.get(projection)?.trouble().clone()
    }

    /// Says that the projector of this process has failed, and why.
    pub(crate) fn failed(&self, projection: &str, error: String) {
        if let Some(tracker) = self.trackers.get(projection) {
            *tracker.trouble() = Some(error);
        }
    }

    /// Says that the projector of this process holds its projection, or stands by.
    pub(crate) fn works(&self, projection: &str) {
        if let Some(tracker) = self.trackers.get(projection) {
            *tracker.trouble() = None;
        }
    }

    /// Says that a projector no longer runs in this process. From now on its checkpoint is read instead.
    pub(crate) fn released(&self, projection: &str) {
        if let Some(tracker) = self.trackers.get(projection) {
            tracker.notified.store(false, Ordering::Relaxed);
        }
    }

    /// The position of a projection when it was last read or reported. Reads nothing.
    pub(crate) fn standing(&self, projection: &str) -> StoredPosition {
        self.trackers.get(projection).map(|tracker| *tracker.reached.borrow()).unwrap_or_default()
    }

    /// Reads the position of a projection from its checkpoint, whichever process runs it.
    ///
    /// # Errors
    /// There is no such projection, or its checkpoint cannot be read.
    pub(crate) async fn read_again(&self, projection: &str) -> Result<StoredPosition, WaitError> {
        let tracker = self.tracker(projection)?;
        tracker.moved_to(self.stored(projection).await?);
        Ok(*tracker.reached.borrow())
    }

    async fn stored(&self, projection: &str) -> sqlx::Result<StoredPosition> {
        let stored = query_as!(StoredPosition, "SELECT position, generation FROM projection_checkpoints WHERE projection = $1", projection);
        Ok(stored.fetch_optional(&self.pool).await?.unwrap_or_default())
    }

    fn tracker(&self, projection: &str) -> Result<&Tracker, WaitError> {
        self.trackers.get(projection).ok_or_else(|| WaitError::Unknown(projection.into()))
    }

    /// The position of the projection: as its projector reports, or else from the checkpoint, which one task reads for
    /// all that ask at that moment.
    async fn current(&self, projection: &str, tracker: &Tracker) -> Result<i64, WaitError> {
        if tracker.notified.load(Ordering::Relaxed) {
            return Ok(tracker.reached.borrow().position);
        }
        let asked_at = Instant::now();
        let mut read_at = tracker.read_at.lock().await;
        // If another task read the checkpoint while this one waited for the lock, that reading counts only if it began
        // after this call.
        if read_at.is_none_or(|at| at < asked_at) {
            let began = Instant::now();
            tracker.moved_to(self.stored(projection).await?);
            *read_at = Some(began);
        }
        Ok(tracker.reached.borrow().position)
    }
}

impl Tracker {
    fn new() -> Self {
        Self {
            reached: watch::Sender::new(StoredPosition::default()),
            notified: AtomicBool::new(false),
            trouble: StdMutex::new(None),
            read_at: Mutex::new(None),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved_to(&self, standing: StoredPosition) {
        self.reached.send_if_modified(|known| {
            let ahead = standing.position > known.position;
            known.position = standing.position.max(known.position);
            known.generation = standing.generation.max(known.generation);
            ahead
        });
    }
}

/// How long the projection needs for `missing` events, if it goes on as fast as it went: `moved` events in this time. A
/// projection that makes no progress gets the longest time.
fn retry_after(missing: i64, moved: i64, time: Duration) -> Duration {
    let (shortest, longest) = RETRY_AFTER;
    let (missing, moved) = (u32::try_from(missing).unwrap_or(u32::MAX), u32::try_from(moved).unwrap_or(0));
    if moved == 0 {
        return longest;
    }
    let seconds = time.as_secs_f64() * f64::from(missing) / f64::from(moved);
    Duration::try_from_secs_f64(seconds).unwrap_or(longest).clamp(shortest, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_try_again_follows_from_the_speed_during_the_wait() {
        let five = Duration::from_secs(5);
        assert_eq!(retry_after(2_000, 1_000, five), Duration::from_secs(10));
        assert_eq!(retry_after(1, 1_000, five), Duration::from_secs(1));
        assert_eq!(retry_after(1_000_000, 1, five), Duration::from_secs(60));
        assert_eq!(retry_after(1, 0, five), Duration::from_secs(60));
    }
}
