//! Which generation of the cache is valid. The generation is stored in Postgres beside the projection's checkpoint, so
//! it cannot be lost together with the cached data. The position and the generation are read together: what a
//! generation holds is as of that position or later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{PgExecutor, query_scalar};
use stores::checkpoint::StoredPosition;
use stores::error::chain;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::NAME;
use super::scripts::SCRIPTS;
use crate::RELATIONAL;
use crate::connections::Connections;

/// How old this process's copy of the generation may become before it is read again.
const REFRESH_EVERY: Duration = Duration::from_millis(500);
/// If the cache is more events than this behind the read tables, Postgres is read instead.
const LAG_MAX: i64 = 1_000;
/// If the cache has been behind the read tables without moving for longer than this, Postgres is read instead.
const STILL_MAX: Duration = Duration::from_secs(1);

/// Decides which generation this process may read.
#[derive(Clone)]
pub(super) struct Generations {
    stores: Connections,
    shared: Arc<Shared>,
}

struct Shared {
    /// The first generation that this process may read. There is none before this process has begun one; after a loss
    /// there is none until it has begun another.
    since: AtomicI64,
    /// The number of losses at the time when `since` was set.
    losses: AtomicU64,
    beginning: AtomicBool,
    refreshed_at: Mutex<Option<Instant>>,
    moved: std::sync::Mutex<(i64, Instant)>,
}

/// A generation that is valid now, and a position that it has reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValidGeneration {
    pub(super) position: i64,
    pub(super) generation: i64,
    losses: u64,
}

/// Begins a new generation. Keys of older generations are no longer read, and expire.
pub(crate) async fn begin(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<i64>> {
    query_scalar!("UPDATE projection_checkpoints SET generation = generation + 1 WHERE projection = $1 RETURNING generation", NAME)
        .fetch_optional(executor)
        .await
}

impl Generations {
    pub(super) fn new(stores: Connections) -> Self {
        let shared = Shared {
            since: AtomicI64::new(i64::MAX),
            losses: AtomicU64::new(0),
            beginning: AtomicBool::new(false),
            refreshed_at: Mutex::new(None),
            moved: std::sync::Mutex::new((0, Instant::now())),
        };
        Self { stores, shared: Arc::new(shared) }
    }

    /// Returns the generation that is valid for a read at `min_position` or later, or `None` if the caller must read
    /// Postgres instead.
    pub(super) async fn valid_at(&self, min_position: i64) -> Option<ValidGeneration> {
        let losses = self.stores.redis.losses();
        if self.shared.since.load(Ordering::SeqCst) == i64::MAX || self.shared.losses.load(Ordering::SeqCst) != losses {
            self.begin_anew();
            return None;
        }
        self.refresh().await;
        let StoredPosition { position, generation } = self.stores.progress.standing(NAME);
        let fine = position >= min_position && generation >= self.shared.since.load(Ordering::SeqCst) && self.keeps_up(position);
        fine.then_some(ValidGeneration { position, generation, losses })
    }

    /// Whether Redis has lost nothing since.
    pub(super) fn is_still_valid(&self, valid: ValidGeneration) -> bool {
        self.stores.redis.losses() == valid.losses
    }

    /// Begins a generation in the background. Until it has begun, callers read Postgres.
    pub(super) fn begin_anew(&self) {
        if self.shared.beginning.swap(true, Ordering::SeqCst) {
            return;
        }
        let this = self.clone();
        drop(tokio::spawn(async move {
            this.try_to_begin().await;
            this.shared.beginning.store(false, Ordering::SeqCst);
        }));
    }

    /// Begins a generation. If Redis is not reachable, none is valid afterwards.
    pub(super) async fn begin_now(&self) -> sqlx::Result<()> {
        self.try_to_begin().await;
        // Also when Redis is not reachable: other processes must stop reading their generation.
        self.invalidate_all().await
    }

    async fn try_to_begin(&self) {
        let losses = self.stores.redis.losses();
        if SCRIPTS.send(&self.stores.redis).await.is_err() {
            return;
        }
        match begin(&self.stores.pool).await {
            Ok(Some(generation)) => {
                self.shared.losses.store(losses, Ordering::SeqCst);
                self.shared.since.store(generation, Ordering::SeqCst);
                info!(generation, "the cache begins anew");
                self.read_again().await;
            }
            // No projector has written to the cache yet.
            Ok(None) => {}
            Err(error) => warn!(error = %chain(&error), "the cache cannot begin anew; it will be tried again"),
        }
    }

    /// Makes everything that is cached invalid. It is invalid as soon as this returns.
    pub(super) async fn invalidate_all(&self) -> sqlx::Result<()> {
        begin(&self.stores.pool).await?;
        self.read_again().await;
        Ok(())
    }

    /// Reads the position and the generation again.
    pub(super) async fn read_again(&self) {
        if let Err(error) = self.stores.progress.read_again(NAME).await {
            warn!(error = %chain(&error), "the generation of the cache cannot be read");
        }
    }

    /// Reads the generation again if the copy is too old, so that a generation begun by another process is noticed
    /// soon. One query serves all callers.
    async fn refresh(&self) {
        let Ok(mut refreshed_at) = self.shared.refreshed_at.try_lock() else { return };
        if refreshed_at.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            self.read_again().await;
            *refreshed_at = Some(Instant::now());
        }
    }

    /// Whether the cache follows the read tables: it is not too far behind, and it has not stopped moving.
    fn keeps_up(&self, position: i64) -> bool {
        let relational = self.stores.progress.standing(RELATIONAL).position;
        let mut moved = self.shared.moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if moved.0 != position || position >= relational {
            *moved = (position, Instant::now());
        }
        relational - position <= LAG_MAX && moved.1.elapsed() <= STILL_MAX
    }
}
