//! The event store: one append-only log in Postgres, which is the only source of truth.
//!
//! Invariants, even if a process is killed at any time: an append that was answered is in the log exactly once;
//! positions have no gap and follow the order of commits; `recorded_at` increases with them; a decision is appended
//! only if every stream that it depends on still has the version that was read.
//!
//! | module | content |
//! |---|---|
//! | [`request`] | append requests, and their outcomes |
//! | `append` | group commit: one task collects and checks requests, and writes a batch in one round trip |
//! | `recover` | what the writer does when a batch is not written |
//! | `memory` | the writer's memory of the log, which lets it check a request without a query |
//! | `prepared` | a request in its stored form, and the conflicts between the requests of a batch |
//! | `batch` | the call of the database's append function |
//! | [`claim`], [`idempotency`] | names that must be unique; keys with which a request takes effect once |
//! | [`names`], `earlier` | the claims of the names of users and channels; those of earlier releases |
//! | `last_writes` | the position of each user's last write, so that users read their own writes |
//! | `load`, `cache`, `snapshot`, `stored` | folding a stream into an aggregate; the list of the aggregates |
//! | `versions` | the versions of streams in the database |
//! | `streams`, `positions` | questions about the events of one stream; where they stand in the log |
//! | `freshness` | how a reader catches up with the end of the log |
//! | `seal` | the stored form of an event, with sealed personal data |
//! | `node` | the list of running processes, and the event formats that all of them can read |

mod append;
mod batch;
mod cache;
pub mod claim;
mod earlier;
mod error;
mod freshness;
pub mod idempotency;
mod last_writes;
mod load;
mod memory;
pub mod names;
mod node;
mod positions;
mod prepared;
mod recover;
pub mod request;
mod seal;
mod snapshot;
mod stored;
mod streams;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use domain::StreamId;
use domain::ids::UserId;
use keyring::Keyring;
use sqlx::PgPool;
use stores::clock::Clock;
use stores::release::{Outdated, Release};
use tokio::sync::watch;
use uuid::Uuid;

pub use append::WriterStats;
pub use cache::Versioned;
pub use claim::{Claim, ClaimChange, ClaimKind};
pub use error::StoreError;
pub use idempotency::{Idempotency, IdempotencyKey, InvalidKey};
pub use node::Lease;
pub use request::{Append, Outcome, PendingEvent, StreamWrite};
pub use stored::Stored;

use append::Writer;
use cache::Caches;
use freshness::Freshness;
use idempotency::Fingerprints;
use last_writes::LastWrites;
use node::Node;
use positions::Positions;

/// A handle of the store. Clones share everything.
#[derive(Clone)]
pub struct EventStore {
    pool: PgPool,
    keys: Keyring,
    node: Node,
    writer: append::Handle,
    freshness: Freshness,
    caches: Arc<Caches>,
    last_writes: Arc<LastWrites>,
    head: watch::Receiver<i64>,
    clock: Clock,
    loads: Arc<AtomicU64>,
    positions: Arc<Positions>,
}

impl EventStore {
    /// Registers this process in the list of running processes, and starts the writer's task over `pool`. Personal data
    /// are sealed with `keys`. The registration and the task end when the last handle is dropped.
    ///
    /// # Errors
    /// The database cannot be reached, was not migrated, or a later release has claimed it.
    pub async fn start(pool: PgPool, keys: Keyring) -> Result<Self, StoreError> {
        Self::start_as(pool, keys, Release::this(), Lease::default()).await
    }

    /// The same with another clock. Tests use it to run processes whose clocks differ.
    ///
    /// # Errors
    /// As [`EventStore::start`].
    pub async fn start_at(pool: PgPool, keys: Keyring, clock: Clock) -> Result<Self, StoreError> {
        Self::start_with(pool, keys, Release::this(), Lease::default(), clock).await
    }

    /// The same for a process of another release, or with other times. Tests use it to run several processes together.
    ///
    /// # Errors
    /// As [`EventStore::start`].
    pub async fn start_as(pool: PgPool, keys: Keyring, release: Release, lease: Lease) -> Result<Self, StoreError> {
        Self::start_with(pool, keys, release, lease, Clock::SYSTEM).await
    }

    async fn start_with(pool: PgPool, keys: Keyring, release: Release, lease: Lease, clock: Clock) -> Result<Self, StoreError> {
        let node = Node::join(pool.clone(), release, lease).await?;
        claim::blind_old(&pool, &keys).await?;
        earlier::claim_looks(&pool, &keys).await?;
        idempotency::hash_old(&pool, &keys).await?;
        let caches = Arc::new(Caches::default());
        let (writer, head, last_writes) = Writer::start(pool.clone(), Arc::clone(&caches), keys.clone(), clock).await?;
        let freshness = Freshness::start(pool.clone(), writer.clone(), head.clone());
        Ok(Self { pool, keys, node, writer, freshness, caches, last_writes, head, clock, loads: Arc::default(), positions: Arc::default() })
    }

    /// Appends all events of the request or none, and returns the outcome. A dropped future does not cancel the
    /// request.
    ///
    /// # Errors
    /// The outcome is unknown, or nothing was done. In either case the caller can safely ask again with the same
    /// idempotency key.
    pub async fn append(&self, request: Append) -> Result<Outcome, StoreError> {
        self.node.admit(request.format()).await?;
        self.writer.append(request).await
    }

    /// Holds the reason why this process must stop, once a later release has claimed the database.
    #[must_use]
    pub fn outdated(&self) -> watch::Receiver<Option<Arc<Outdated>>> {
        self.node.outdated()
    }

    /// Removes this process from the list of running processes, so that no other process waits for it. It must not
    /// append afterwards.
    pub async fn leave(&self) {
        self.node.leave().await;
    }

    /// The end of the log, as far as this process knows. Each change notifies the receivers.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// The clock of this process.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns when the first event of a stream was recorded. `None` if there is no such stream.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn first_recorded_at(&self, stream: StreamId) -> Result<Option<DateTime<Utc>>, StoreError> {
        versions::first_recorded_at(&self.pool, stream).await
    }

    /// The database of the log.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The counts of the writer's work so far.
    #[must_use]
    pub fn stats(&self) -> &WriterStats {
        self.writer.stats()
    }

    /// Waits until this process knows everything that any node acknowledged before the call. Returns the end of the log
    /// at that time.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn catch_up(&self) -> Result<i64, StoreError> {
        self.freshness.catch_up().await
    }

    /// The position of the last event that the user caused, on any node, or a later position. It includes everything up
    /// to the last [`EventStore::catch_up`] of the caller.
    #[must_use]
    pub fn last_write_of(&self, user_id: UserId) -> i64 {
        self.last_writes.of(user_id.0)
    }

    /// How many times this process has called [`EventStore::catch_up`]. One query may have answered several calls.
    #[must_use]
    pub fn catch_ups(&self) -> u64 {
        self.freshness.asked()
    }

    /// How many aggregates this process has read from the database, because they were not in memory.
    #[must_use]
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Returns the versions of those of the streams that exist.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn versions(&self, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
        versions::versions(&self.pool, streams).await
    }

    /// Returns the holders of those of the claims that are held.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn holders(&self, claims: &[Claim]) -> Result<HashMap<Claim, Uuid>, StoreError> {
        claim::holders(&self.pool, &self.keys, claims).await
    }

    /// The changes after which `holder` holds `new`, and none of `old` that is not in `new`. Claims of others stay:
    /// names of earlier releases may look alike, and then only one of them holds the claim of the look.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn exchange_claims(&self, holder: impl Into<Uuid>, old: Vec<Claim>, new: Vec<Claim>) -> Result<Vec<ClaimChange>, StoreError> {
        let holder = holder.into();
        let held = self.holders(&names::distinct(old.iter().chain(&new).cloned())).await?;
        let mine = |claim: &Claim| held.get(claim) == Some(&holder);
        let released = old.into_iter().filter(|claim| mine(claim) && !new.contains(claim)).collect::<Vec<_>>();
        let taken = new.into_iter().filter(|claim| !mine(claim)).map(|claim| claim.taken_by(holder));
        Ok(released.into_iter().map(ClaimChange::Release).chain(taken).collect())
    }

    /// Returns the outcome of the request that `actor` made with a key, if there was one. If it was a different
    /// request, the outcome is [`Outcome::KeyReused`].
    ///
    /// # Errors
    /// The database or the actor's encryption key is not available.
    pub async fn remembered(&self, actor: UserId, used: &Idempotency) -> Result<Option<Outcome>, StoreError> {
        let keys = self.keys.of(&[actor.0]).await?;
        let Some(key) = keys.first() else { return Ok(None) };
        let Some(remembered) = idempotency::remembered(&self.pool, actor, &used.key.stored(key)).await? else { return Ok(None) };
        Ok(Some(Outcome::of_used_key(&remembered, Some(&Fingerprints::of(used, Some(key))))))
    }

    /// Returns how many idempotency keys of earlier releases are replaced by keyed hashes.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn hashed_keys(&self) -> Result<u64, StoreError> {
        idempotency::hashed_count(&self.pool).await
    }

    /// The keys that seal personal data.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }
}
