//! Read-your-writes: how far each projection is, and waiting until it is far enough.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{PgPool, query_as};
use stores::checkpoint::Standing;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use crate::engine::registry;

/// How often the checkpoint is asked for while somebody waits and the projector runs in another process.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How often somebody who waits looks again although nobody said anything: the projector may have moved to another process.
const TOLD_INTERVAL: Duration = Duration::from_millis(200);

/// How far the projections are. Cheap to clone; shared with the projectors of this process, which tell it at once.
#[derive(Clone, Debug)]
pub struct Progress {
    pool: PgPool,
    trackers: Arc<HashMap<&'static str, Tracker>>,
}

/// One projection's position, as far as this process knows.
#[derive(Debug)]
struct Tracker {
    reached: watch::Sender<Standing>,
    /// Whether its projector runs in this process and says where it is.
    told: AtomicBool,
    /// When the checkpoint was last read. Whoever holds this reads it on behalf of everyone who waits.
    read_at: Mutex<Option<Instant>>,
}

/// A projection did not get there in time.
#[derive(Debug, thiserror::Error)]
pub enum Behind {
    /// It has reached `reached` only.
    #[error("the projection {projection} has reached position {reached}, not yet {asked}")]
    Reached {
        /// The projection.
        projection: String,
        /// What was waited for.
        asked: i64,
        /// Where it is.
        reached: i64,
    },
    /// There is no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// Its checkpoint cannot be read.
    #[error("the checkpoint cannot be read")]
    Unavailable(#[from] sqlx::Error),
}

impl Progress {
    /// Of the projections in that database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        let trackers = registry::NAMES.map(|name| (name, Tracker::new())).into_iter().collect();
        Self { pool, trackers: Arc::new(trackers) }
    }

    /// The position that a projection has reached, by its checkpoint or what its projector in this process last said.
    ///
    /// # Errors
    /// There is no such projection, or its checkpoint cannot be read.
    pub async fn position(&self, projection: &str) -> Result<i64, Behind> {
        let tracker = self.tracker(projection)?;
        self.look(projection, tracker).await
    }

    /// Waits until a projection has reached `position`, and answers with where it is then.
    ///
    /// # Errors
    /// It did not get there within `limit`, there is no such projection, or its checkpoint cannot be read.
    pub async fn wait_for(&self, projection: &str, position: i64, limit: Duration) -> Result<i64, Behind> {
        let tracker = self.tracker(projection)?;
        let deadline = Instant::now() + limit;
        loop {
            let known = tracker.reached.borrow().position;
            let reached = if known >= position { known } else { self.look(projection, tracker).await? };
            if reached >= position {
                return Ok(reached);
            }
            if Instant::now() >= deadline {
                return Err(Behind::Reached { projection: projection.into(), asked: position, reached });
            }
            let pause = if tracker.told.load(Ordering::Relaxed) { TOLD_INTERVAL } else { POLL_INTERVAL };
            tracker.moved_or(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Tells everyone who waits that a projection of this process has reached `position`.
    pub(crate) fn reached(&self, projection: &str, standing: Standing) {
        if let Some(tracker) = self.trackers.get(projection) {
            tracker.moved_to(standing);
            tracker.told.store(true, Ordering::Relaxed);
        }
    }

    /// A projection's projector does not run in this process any more: its checkpoint is asked from now on.
    pub(crate) fn released(&self, projection: &str) {
        if let Some(tracker) = self.trackers.get(projection) {
            tracker.told.store(false, Ordering::Relaxed);
        }
    }

    /// Where a projection stood when somebody last looked, without looking.
    pub(crate) fn standing(&self, projection: &str) -> Standing {
        self.trackers.get(projection).map(|tracker| *tracker.reached.borrow()).unwrap_or_default()
    }

    /// Looks where a projection stands by its checkpoint, whoever runs it.
    ///
    /// # Errors
    /// There is no such projection, or its checkpoint cannot be read.
    pub(crate) async fn read_again(&self, projection: &str) -> Result<Standing, Behind> {
        let tracker = self.tracker(projection)?;
        tracker.moved_to(self.stored(projection).await?);
        Ok(*tracker.reached.borrow())
    }

    async fn stored(&self, projection: &str) -> sqlx::Result<Standing> {
        let stored = query_as!(Standing, "SELECT position, generation FROM projection_checkpoints WHERE projection = $1", projection);
        Ok(stored.fetch_optional(&self.pool).await?.unwrap_or_default())
    }

    fn tracker(&self, projection: &str) -> Result<&Tracker, Behind> {
        self.trackers.get(projection).ok_or_else(|| Behind::Unknown(projection.into()))
    }

    /// Where the projection is: as its projector says, or as the checkpoint says, which is read once for everyone who asks just now.
    async fn look(&self, projection: &str, tracker: &Tracker) -> Result<i64, Behind> {
        if tracker.told.load(Ordering::Relaxed) {
            return Ok(tracker.reached.borrow().position);
        }
        let asked_at = Instant::now();
        let mut read_at = tracker.read_at.lock().await;
        // Whoever was at it while this one waited for its turn began too early only if they began before the question.
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
        Self { reached: watch::Sender::new(Standing::default()), told: AtomicBool::new(false), read_at: Mutex::new(None) }
    }

    fn moved_to(&self, standing: Standing) {
        self.reached.send_if_modified(|known| {
            let ahead = standing.position > known.position;
            known.position = standing.position.max(known.position);
            known.generation = standing.generation.max(known.generation);
            ahead
        });
    }

    /// Waits until the position moves, or for so long.
    async fn moved_or(&self, limit: Duration) {
        // The sender is `self`, so the channel is open: either it moved, or the time is over.
        drop(timeout(limit, self.reached.subscribe().changed()).await);
    }
}
