//! Connecting to the stores.

use std::num::NonZeroUsize;
use std::sync::Arc;

use commands::StoreError;
use identity::AuthError;
use keyring::{KeyError, Keyring, MasterKeys};
use projections::search::BackendName;
use projections::search::elasticsearch::Elastic;
use sqlx::PgPool;
use stores::elasticsearch::ElasticError;
use stores::nats::{self, NatsError};
use stores::objects::ObjectStoreError;
use stores::postgres;
use stores::redis::Redis;
use stores::release::{self, Outdated, ReleaseError};

use crate::config::Settings;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Postgres cannot be reached.
    #[error("postgres cannot be reached (postgres_url)")]
    Postgres(#[source] sqlx::Error),
    /// The schema is not the one that this release needs.
    #[error("the database lacks the migrations {0}: run `backscroll migrate`")]
    NotMigrated(String),
    /// The address of Redis is not one.
    #[error("the address of redis is wrong (redis_url)")]
    Redis(#[from] redis::RedisError),
    /// NATS cannot be used.
    #[error("nats cannot be used (nats_url)")]
    Nats(#[from] NatsError),
    /// Elasticsearch cannot be used so.
    #[error("elasticsearch cannot be used (elasticsearch_url)")]
    Elasticsearch(#[from] ElasticError),
    /// The object store cannot be used so.
    #[error(transparent)]
    ObjectStore(#[from] ObjectStoreError),
    /// The keys of people cannot be used.
    #[error("the keys of people cannot be used (master_key)")]
    Keys(#[from] KeyError),
    /// The event store does not start.
    #[error("the event store does not start")]
    Store(#[source] StoreError),
    /// A later release has claimed the database.
    #[error(transparent)]
    Outdated(Arc<Outdated>),
    /// There is no randomness for passwords.
    #[error("passwords cannot be hashed")]
    Passwords(#[from] AuthError),
    /// Two metrics have one name.
    #[error("the metrics are wrong")]
    Metrics(#[from] prometheus::Error),
    /// The address to serve at cannot be had.
    #[error("{address} cannot be listened at ({setting})")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Outdated(outdated) => Self::Outdated(outdated),
            error => Self::Store(error),
        }
    }
}

impl From<ReleaseError> for StartError {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::Outdated(outdated) => Self::Outdated(Arc::new(outdated)),
            ReleaseError::Postgres(error) => Self::Postgres(error),
        }
    }
}

impl StartError {
    /// Whether a server that we need does not answer, rather than something of ours being wrong.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Nats(NatsError::Connect(_)) | Self::Store(_) | Self::Keys(KeyError::Postgres(_)))
    }
}

/// For queries, and for whatever else is not the write side.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn read_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let writers = connections_of_writers(settings);
    let options = postgres::options_of(settings.postgres_url.expose()).map_err(StartError::Postgres)?;
    let connections = settings.postgres_connections.saturating_sub(writers).max(1);
    postgres::pool(connections, postgres::connect_options(options)).await.map_err(StartError::Postgres)
}

/// For the write side: its own, so that an append never waits behind queries.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn write_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let options = postgres::options_of(settings.postgres_url.expose()).map_err(StartError::Postgres)?;
    postgres::pool(connections_of_writers(settings), options).await.map_err(StartError::Postgres)
}

/// The keys that seal what is personal.
///
/// # Errors
/// Postgres cannot be reached, or its keys were wrapped with another master key.
pub async fn keyring(settings: &Settings, pool: PgPool) -> Result<Keyring, StartError> {
    let master = MasterKeys::new(&settings.master_key, settings.master_key_previous.as_ref());
    Ok(Keyring::open(pool, master).await?)
}

/// A third of all, but at least four: the appender, the relay, and those who load.
fn connections_of_writers(settings: &Settings) -> u32 {
    (settings.postgres_connections / 3).max(4)
}

/// NATS, now or as soon as it is there.
///
/// # Errors
/// The address is not one.
pub async fn nats_client(settings: &Settings) -> Result<async_nats::Client, StartError> {
    Ok(nats::connect(settings.nats_url.expose()).await?)
}

/// Redis, as soon as it is asked.
///
/// # Errors
/// The address is not one.
pub fn redis_connection(settings: &Settings) -> Result<Redis, StartError> {
    let connect = if settings.redis_cluster { Redis::cluster } else { Redis::single };
    Ok(connect(settings.redis_url.expose(), &settings.redis_key_prefix)?)
}

/// Elasticsearch, where searches are to be answered by it.
///
/// # Errors
/// The address, or the certificate authority, is not one.
pub fn elasticsearch(settings: &Settings) -> Result<Option<Elastic>, StartError> {
    match settings.search.backend {
        BackendName::Postgres => Ok(None),
        BackendName::Elasticsearch => Ok(Some(Elastic::new(settings.search.elasticsearch.resolved()?)?)),
    }
}

/// Refuses a database that this release cannot run on: a later one has claimed it, or it lacks migrations.
///
/// # Errors
/// It is one, or Postgres cannot be reached.
pub async fn check_database(pool: &PgPool) -> Result<(), StartError> {
    release::check(pool).await?;
    let missing = postgres::missing_migrations(pool).await.map_err(StartError::Postgres)?;
    if missing.is_empty() { Ok(()) } else { Err(StartError::NotMigrated(missing.join(", "))) }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
