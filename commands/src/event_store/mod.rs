//! The event store: one append-only log in Postgres, and the only truth.
//!
//! What holds, whatever is killed when: an append that was answered is in the log exactly once; positions have no gap and are in order of
//! commit; `recorded_at` increases with them; a decision is appended only while every stream that it rested on stands as it was read.
//!
//! | room | what |
//! |---|---|
//! | [`request`] | what a caller wants appended, and what comes of it |
//! | `append` | group commit: one task gathers, judges, and writes a batch in one round trip |
//! | `recover` | what is done when a batch does not go through |
//! | `memory` | what the writer remembers of the log, so that judging costs no query |
//! | `prepared` | a request, written as it is to be stored, and what it touches |
//! | `batch` | the call of the database's function |
//! | [`claim`], [`idempotency`] | names that must be unique; keys under which a request counts once |
//! | `load`, `cache`, `snapshot`, `stored` | folding a stream into an aggregate; which aggregates there are |
//! | `versions` | up to which event streams go |
//! | `freshness` | how a reader knows that what it holds in memory is right now |
//! | `seal` | the bytes that are stored |
//! | `node` | the processes that run on a database, and which events they may write together |

mod append;
mod batch;
mod cache;
pub mod claim;
mod error;
mod freshness;
pub mod idempotency;
mod load;
mod memory;
mod node;
mod prepared;
mod recover;
pub mod request;
mod seal;
mod snapshot;
mod stored;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;

use domain::StreamId;
use keyring::Keyring;
use sqlx::PgPool;
use stores::release::{Outdated, Release};
use tokio::sync::watch;

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
use node::Node;

/// A handle on the store; clones share everything.
#[derive(Clone)]
pub struct EventStore {
    pool: PgPool,
    keys: Keyring,
    node: Node,
    writer: append::Handle,
    freshness: Freshness,
    caches: Arc<Caches>,
    head: watch::Receiver<i64>,
}

impl EventStore {
    /// Lists this process among those that run, and starts the writer's task over `pool`, sealing what is personal with
    /// `keys`. Both end when the last handle is dropped.
    ///
    /// # Errors
    /// The database cannot be reached, or was not migrated, or a later release has claimed it.
    pub async fn start(pool: PgPool, keys: Keyring) -> Result<Self, StoreError> {
        Self::start_as(pool, keys, Release::this(), Lease::default()).await
    }

    /// The same for a process of another release, or with other times: tests run several beside each other.
    ///
    /// # Errors
    /// As [`EventStore::start`].
    pub async fn start_as(pool: PgPool, keys: Keyring, release: Release, lease: Lease) -> Result<Self, StoreError> {
        let node = Node::join(pool.clone(), release, lease).await?;
        claim::blind_old(&pool, &keys).await?;
        let caches = Arc::new(Caches::default());
        let (writer, head) = Writer::start(pool.clone(), Arc::clone(&caches), keys.clone()).await?;
        let freshness = Freshness::start(pool.clone(), writer.clone(), head.clone());
        Ok(Self { pool, keys, node, writer, freshness, caches, head })
    }

    /// Appends all of it, or nothing, and says which. Cancelling the future does not take the request back.
    ///
    /// # Errors
    /// The outcome is not known, or nothing was done; asking again with the same idempotency key is safe in either case.
    pub async fn append(&self, request: Append) -> Result<Outcome, StoreError> {
        self.node.admit(request.format()).await?;
        self.writer.append(request).await
    }

    /// Why this process must stop, once a later release has claimed the database.
    #[must_use]
    pub fn outdated(&self) -> watch::Receiver<Option<Arc<Outdated>>> {
        self.node.outdated()
    }

    /// Takes this process off the list of those that run, so that nothing waits for it. It must not append afterwards.
    pub async fn leave(&self) {
        self.node.leave().await;
    }

    /// Where the log ends, as far as this process knows. Changes wake whoever waits on it.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// The database that the log is in.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// What the writer has done so far.
    #[must_use]
    pub fn stats(&self) -> &WriterStats {
        self.writer.stats()
    }

    /// Returns once everything that was acknowledged before the call, by any node, is known here, and says where the log then ended.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn catch_up(&self) -> Result<i64, StoreError> {
        self.freshness.catch_up().await
    }

    /// How often this process has called [`EventStore::catch_up`] so far. One query may have answered several calls.
    #[must_use]
    pub fn catch_ups(&self) -> u64 {
        self.freshness.asked()
    }

    /// The versions of those streams that are there.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn versions(&self, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
        versions::versions(&self.pool, streams).await
    }

    /// Who holds those of the claims that are held.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn holders(&self, claims: &[Claim]) -> Result<HashMap<Claim, uuid::Uuid>, StoreError> {
        claim::holders(&self.pool, &self.keys, claims).await
    }

    /// What came of the request that `actor` made under a key, if they made one; another request under that key is [`Outcome::KeyReused`].
    ///
    /// # Errors
    /// The database, or the actor's key, cannot be reached.
    pub async fn remembered(&self, actor: domain::ids::UserId, used: &Idempotency) -> Result<Option<Outcome>, StoreError> {
        let Some(remembered) = idempotency::remembered(&self.pool, actor, &used.key).await? else { return Ok(None) };
        let stored = self.keys.of(&[actor.0]).await?.first().map(|key| key.blind(&used.fingerprint));
        Ok(Some(append::replay(&remembered, &used.fingerprint, stored)))
    }

    /// The keys that seal what is personal.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }
}
