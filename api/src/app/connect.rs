//! Connects to the stores.

use std::num::NonZeroUsize;
use std::sync::Arc;

use commands::StoreError;
use identity::AuthError;
use keyring::{KeyError, Keyring, MasterKeys};
use projections::search::BackendName;
use projections::search::elasticsearch::Elastic;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use stores::elasticsearch::ElasticError;
use stores::nats::{self, NatsError};
use stores::objects::ObjectStoreError;
use stores::postgres::{self, WORK_STATEMENT_MAX, WRITE_STATEMENT_MAX};
use stores::redis::Redis;
use stores::release::{self, Outdated, ReleaseError};

use crate::config::Settings;

/// The reason why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Postgres cannot be reached.
    #[error("postgres cannot be reached (postgres_url)")]
    Postgres(#[source] sqlx::Error),
    /// The schema is not the one that this release needs.
    #[error("the database lacks the migrations {0}: run `backscroll migrate`")]
    NotMigrated(String),
    /// The address of Redis is invalid.
    #[error("the address of redis is invalid (redis_url)")]
    Redis(#[from] redis::RedisError),
    /// NATS cannot be used.
    #[error("nats cannot be used (nats_url)")]
    Nats(#[from] NatsError),
    /// Elasticsearch cannot be used with these settings.
    #[error("elasticsearch cannot be used (elasticsearch_url)")]
    Elasticsearch(#[from] ElasticError),
    /// The object store cannot be used with these settings.
    #[error(transparent)]
    ObjectStore(#[from] ObjectStoreError),
    /// The users' keys cannot be used.
    #[error("the users' keys cannot be used (master_key)")]
    Keys(#[from] KeyError),
    /// The event store does not start.
    #[error("the event store does not start")]
    Store(#[source] StoreError),
    /// A later release has claimed the database.
    #[error(transparent)]
    Outdated(Arc<Outdated>),
    /// The system gives no random numbers for passwords.
    #[error("passwords cannot be hashed")]
    Passwords(#[from] AuthError),
    /// Two metrics have the same name.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// The server cannot listen at the address.
    #[error("the server cannot listen at {address} ({setting})")]
    Listen {
        /// The setting of the address.
        setting: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
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
    /// Whether a store does not answer, as opposed to an error in the settings or in this program.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Nats(NatsError::Connect(_)) | Self::Store(_) | Self::Keys(KeyError::Postgres(_)))
    }
}

/// The pool of the queries of requests.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn read_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let connections = settings.postgres_connections.saturating_sub(connections_of_writers(settings)).max(1);
    let options = postgres::connect_options(options(settings)?);
    postgres::pool(connections, options, settings.statement_timeout).await.map_err(StartError::Postgres)
}

/// The pool of background work and of the command line. Its statements may take long. It has its own connections, so
/// that no query waits for them.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn work_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let options = postgres::connect_options(options(settings)?).application_name("backscroll work");
    postgres::pool(connections_of_work(settings), options, WORK_STATEMENT_MAX).await.map_err(StartError::Postgres)
}

/// The pool of the write side. It has its own connections, so that an append never waits for queries.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn write_pool(settings: &Settings) -> Result<PgPool, StartError> {
    postgres::pool(connections_of_writers(settings), options(settings)?, WRITE_STATEMENT_MAX).await.map_err(StartError::Postgres)
}

/// The pool of the write side on the command line. One statement may restore a month of the log.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn long_write_pool(settings: &Settings) -> Result<PgPool, StartError> {
    postgres::pool(connections_of_writers(settings), options(settings)?, WORK_STATEMENT_MAX).await.map_err(StartError::Postgres)
}

fn options(settings: &Settings) -> Result<PgConnectOptions, StartError> {
    postgres::options_of(settings.postgres_url.expose()).map_err(StartError::Postgres)
}

/// The keys that encrypt personal data.
///
/// # Errors
/// Postgres cannot be reached, or its keys were encrypted with another master key.
pub async fn keyring(settings: &Settings, pool: PgPool) -> Result<Keyring, StartError> {
    let master = MasterKeys::new(&settings.master_key, settings.master_key_previous.as_ref());
    Ok(Keyring::open(pool, master).await?)
}

/// A third of all connections, but at least four: for the appender, the relay, and concurrent loads of streams.
fn connections_of_writers(settings: &Settings) -> u32 {
    (settings.postgres_connections / 3).max(4)
}

/// A quarter as many as for requests, but at least four. They come on top of those for requests, and few are open at
/// most times.
fn connections_of_work(settings: &Settings) -> u32 {
    (settings.postgres_connections / 4).max(4)
}

/// Connects to NATS. If NATS is unreachable, the client connects as soon as it can.
///
/// # Errors
/// The address is invalid.
pub async fn nats_client(settings: &Settings) -> Result<async_nats::Client, StartError> {
    Ok(nats::connect(settings.nats_url.expose()).await?)
}

/// Prepares the connection to Redis. The first command opens it.
///
/// # Errors
/// The address is invalid.
pub fn redis_connection(settings: &Settings) -> Result<Redis, StartError> {
    let connect = if settings.redis_cluster { Redis::cluster } else { Redis::single };
    Ok(connect(settings.redis_url.expose(), &settings.redis_key_prefix)?)
}

/// Prepares the connection to Elasticsearch, if the settings name it as the search backend.
///
/// # Errors
/// The address or the certificate authority is invalid.
pub fn elasticsearch(settings: &Settings) -> Result<Option<Elastic>, StartError> {
    match settings.search.backend {
        BackendName::Postgres => Ok(None),
        BackendName::Elasticsearch => Ok(Some(Elastic::new(settings.search.elasticsearch.resolved()?)?)),
    }
}

/// Refuses a database that this release cannot use: a later release has claimed it, or it lacks migrations.
///
/// # Errors
/// The database is refused, or Postgres cannot be reached.
pub async fn check_database(pool: &PgPool) -> Result<(), StartError> {
    release::check(pool).await?;
    let missing = postgres::missing_migrations(pool).await.map_err(StartError::Postgres)?;
    if missing.is_empty() { Ok(()) } else { Err(StartError::NotMigrated(missing.join(", "))) }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
