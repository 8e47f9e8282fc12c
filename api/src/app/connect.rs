//! Connects to the stores.

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use commands::StoreError;
use commands::relay::partitions_in_use;
use identity::AuthError;
use keyring::{KeyError, Keyring, MasterKeys};
use projections::RebuildError;
use projections::search::BackendName;
use projections::search::elasticsearch::Elastic;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stores::diagnosis::{Diagnosis, Fault};
use stores::nats::{self, Link, NatsError};
use stores::objects::ObjectStoreError;
use stores::postgres::{self, ACQUIRE_MAX, WORK_STATEMENT_MAX, WRITE_STATEMENT_MAX};
use stores::redis::Redis;
use stores::release::{self, Outdated, ReleaseError};
use stores::restored::keys::MissingKeys;
use stores::restored::schemas::SchemaError;

use crate::config::Settings;

/// The reason why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A server, or a file that a setting names, cannot be used. Says why, and what to do.
    #[error(transparent)]
    Unusable(#[from] Diagnosis),
    /// Postgres cannot be reached.
    #[error("postgres cannot be reached (postgres_url)")]
    Postgres(#[source] sqlx::Error),
    /// The schema is not the one that this release needs.
    #[error("the database lacks the migrations {0}: run `backscroll migrate`")]
    NotMigrated(String),
    /// The log was published over another number of partitions.
    #[error(
        "the log of this database was published over {used} partitions, and the settings say {wanted} (partitions): set `partitions` to {used}, \
         or stop every server, run `DELETE FROM public.relay_cursor` in the database, and start them with {wanted}"
    )]
    Partitions {
        /// The number in use.
        used: usize,
        /// The number of the settings.
        wanted: u16,
    },
    /// NATS refuses the connection.
    #[error("nats cannot be used (nats_url)")]
    Nats(#[source] async_nats::ConnectError),
    /// The object store cannot be used with these settings.
    #[error(transparent)]
    ObjectStore(#[from] ObjectStoreError),
    /// The users' keys cannot be used.
    #[error("the users' keys cannot be used (master_key)")]
    Keys(#[from] KeyError),
    /// People have no keys, although the log has what they seal.
    #[error("{0}")]
    MissingKeys(MissingKeys),
    /// The schemas that a backup left out cannot be created.
    #[error(transparent)]
    Schemas(#[from] SchemaError),
    /// The read tables are missing, and cannot be built.
    #[error("the read tables cannot be built from the log")]
    ReadTables(#[source] RebuildError),
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
    #[error("the server cannot listen at {address} ({setting}): {source}: {}", listen_advice(source))]
    Listen {
        /// The setting of the address.
        setting: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
}

fn listen_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        ErrorKind::AddrNotAvailable => "this machine does not have this address: choose one that it has, or 0.0.0.0",
        ErrorKind::PermissionDenied => "choose a port from 1024 on, or give the process CAP_NET_BIND_SERVICE",
        _ => "choose another address",
    }
}

impl From<NatsError> for StartError {
    fn from(error: NatsError) -> Self {
        match error {
            NatsError::Settings(diagnosis) => Self::Unusable(diagnosis),
            NatsError::Connect(error) => Self::Nats(error),
        }
    }
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
        self.fault() == Some(Fault::Unreachable)
    }

    /// Whether the settings are wrong, a server is unreachable, or it refuses. `None` for other errors.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Unusable(diagnosis) => Some(diagnosis.fault),
            Self::Postgres(_) | Self::Nats(_) | Self::Store(_) | Self::Keys(KeyError::Postgres(_)) => Some(Fault::Unreachable),
            Self::Partitions { .. } | Self::ObjectStore(_) => Some(Fault::Setting),
            Self::Outdated(_) | Self::MissingKeys(_) | Self::Schemas(SchemaError::UnknownVersion { .. }) => Some(Fault::Refused),
            _ => None,
        }
    }

    /// An error of Postgres, with the address of the pool and what to do.
    #[must_use]
    pub fn of_postgres(pool: &PgPool, error: &sqlx::Error) -> Self {
        Self::Unusable(postgres::diagnose(&pool.connect_options(), error))
    }

    /// An error of the event store. One of Postgres is explained.
    #[must_use]
    pub fn of_store(pool: &PgPool, error: StoreError) -> Self {
        match error {
            StoreError::Postgres(error) => Self::of_postgres(pool, &error),
            error => error.into(),
        }
    }
}

/// The pool of the queries of requests.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn read_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let connections = settings.postgres_connections.saturating_sub(connections_of_writers(settings)).max(1);
    let options = postgres::connect_options(options(settings)?);
    open(connections, options, settings.statement_timeout).await
}

/// The pool of background work and of the command line. Its statements may take long. It has its own connections, so
/// that no query waits for them.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn work_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let options = postgres::connect_options(options(settings)?).application_name("backscroll work");
    open(connections_of_work(settings), options, WORK_STATEMENT_MAX).await
}

/// The pool of the write side. It has its own connections, so that an append never waits for queries.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn write_pool(settings: &Settings) -> Result<PgPool, StartError> {
    open(connections_of_writers(settings), options(settings)?, WRITE_STATEMENT_MAX).await
}

/// The pool of the write side on the command line. One statement may restore a month of the log.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn long_write_pool(settings: &Settings) -> Result<PgPool, StartError> {
    open(connections_of_writers(settings), options(settings)?, WORK_STATEMENT_MAX).await
}

fn options(settings: &Settings) -> Result<PgConnectOptions, StartError> {
    Ok(postgres::options_of(settings.postgres_url.expose())?)
}

async fn open(connections: u32, options: PgConnectOptions, statement_max: Duration) -> Result<PgPool, StartError> {
    match postgres::pool(connections, options.clone(), statement_max).await {
        Ok(pool) => Ok(pool),
        Err(error) => Err(StartError::Unusable(postgres::explain(&options, error).await)),
    }
}

/// A pool of one connection, so that migrations run in the order of their names.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn migration_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let options = options(settings)?.application_name("backscroll migrate");
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_MAX);
    match pool.connect_with(options.clone()).await {
        Ok(pool) => Ok(pool),
        Err(error) => Err(StartError::Unusable(postgres::explain(&options, error).await)),
    }
}

/// The keys that encrypt personal data.
///
/// # Errors
/// Postgres cannot be reached, its keys were encrypted with another master key, or people have no keys although the log
/// has what they seal.
pub async fn keyring(settings: &Settings, pool: PgPool) -> Result<Keyring, StartError> {
    // Before the keyring opens, because it makes the installation's key if there is none.
    if let Some(missing) = stores::restored::keys::missing(&pool).await.map_err(StartError::Postgres)? {
        return Err(StartError::MissingKeys(missing));
    }
    let master = MasterKeys::new(&settings.master_key, settings.master_key_previous.as_ref());
    let opened = Keyring::open(pool.clone(), master).await;
    opened.map_err(|error| match error {
        KeyError::Postgres(error) => StartError::of_postgres(&pool, &error),
        KeyError::WrongMasterKey => StartError::Unusable(wrong_master_key(&pool)),
        error => StartError::Keys(error),
    })
}

fn wrong_master_key(pool: &PgPool) -> Diagnosis {
    let options = pool.connect_options();
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let subject = format!("the database {database} of postgres at {}", postgres::at(&options));
    let advice = "set the key with which this database was first started as master_key; after a change of the key, set the old one as \
                  master_key_previous";
    Diagnosis::new(subject, "master_key", "the keys of people were wrapped with another master key", advice, Fault::Setting)
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

/// Connects to NATS. If NATS is unreachable, the client connects as soon as it can. The link says why it cannot.
///
/// # Errors
/// The address or a file is invalid.
pub async fn nats_client(settings: &Settings) -> Result<(async_nats::Client, Link), StartError> {
    Ok(nats::connect(&settings.nats).await?)
}

/// Prepares the connection to Redis. The first command opens it.
///
/// # Errors
/// The address or a file is invalid.
pub fn redis_connection(settings: &Settings) -> Result<Redis, StartError> {
    Ok(Redis::open(&settings.redis)?)
}

/// Prepares the connection to Elasticsearch, if the settings name it as the search backend.
///
/// # Errors
/// The address or the certificate authority is invalid.
pub fn elasticsearch(settings: &Settings) -> Result<Option<Elastic>, StartError> {
    let elastic = &settings.search.elasticsearch;
    match settings.search.backend {
        BackendName::Postgres => Ok(None),
        BackendName::Elasticsearch => {
            Ok(Some(Elastic::new(elastic.resolved()?).map_err(|error| stores::elasticsearch::diagnose(elastic.url().expose(), &error))?))
        }
    }
}

/// Refuses a database that this release cannot use: a later release has claimed it, or it lacks migrations.
///
/// # Errors
/// The database is refused, or Postgres cannot be reached.
pub async fn check_database(pool: &PgPool) -> Result<(), StartError> {
    check_release(pool).await?;
    let missing = postgres::missing_migrations(pool).await.map_err(|error| StartError::of_postgres(pool, &error))?;
    let names = || missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if missing.is_empty() { Ok(()) } else { Err(StartError::NotMigrated(names())) }
}

/// Refuses a database that a later release has claimed.
///
/// # Errors
/// The database is refused, or Postgres cannot be reached.
pub async fn check_release(pool: &PgPool) -> Result<(), StartError> {
    release::check(pool).await.map_err(|error| match error {
        ReleaseError::Postgres(error) => StartError::of_postgres(pool, &error),
        error => error.into(),
    })
}

/// Refuses another number of partitions than the one that the log was published over. Otherwise the events of a
/// workspace would go on in another partition, where no reader looks for them.
///
/// # Errors
/// The number differs, or Postgres cannot be reached.
pub async fn check_partitions(settings: &Settings, pool: &PgPool) -> Result<(), StartError> {
    let wanted = settings.partitions;
    match partitions_in_use(pool).await.map_err(|error| StartError::of_postgres(pool, &error))? {
        Some(used) if used != usize::from(wanted) => Err(StartError::Partitions { used, wanted }),
        _ => Ok(()),
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
