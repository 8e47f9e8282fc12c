//! Connecting to the stores.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keyring::{KeyError, Keyring, MasterKeys};
use object_store::aws::AmazonS3Builder;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};
use projections::cache::Redis;
use projections::proof::Objects;
use projections::search::BackendName;
use projections::search::elasticsearch::{Elastic, ElasticError};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::auth::AuthError;
use crate::config::{ObjectStoreSettings, ObjectUrl, Settings};

/// How long a request waits for a connection to Postgres before it is told to try again.
pub(crate) const ACQUIRE_MAX: Duration = Duration::from_secs(3);

/// How long the object store may take to take a connection.
const OBJECT_STORE_CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long the object store may take for one request: a part of a large object is 10 MiB.
const OBJECT_STORE_ANSWER_MAX: Duration = Duration::from_secs(30);

/// How often a request to the object store is tried again, where it may be.
const OBJECT_STORE_RETRIES: usize = 3;

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
    /// The address of NATS is not one.
    #[error("the address of nats is wrong (nats_url)")]
    NatsAddress,
    /// NATS refuses us.
    #[error("nats cannot be reached (nats_url)")]
    Nats(#[from] async_nats::ConnectError),
    /// Elasticsearch cannot be used so.
    #[error("elasticsearch cannot be used (elasticsearch_url)")]
    Elasticsearch(#[from] ElasticError),
    /// The object store cannot be used so.
    #[error("the object store cannot be used (object_store_url)")]
    ObjectStore(#[from] object_store::Error),
    /// The certificate authority of the object store cannot be read.
    #[error("{path} cannot be read (object_store_ca_file)", path = path.display())]
    ObjectStoreAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The keys of people cannot be used.
    #[error("the keys of people cannot be used (master_key)")]
    Keys(#[from] KeyError),
    /// The event store does not start.
    #[error("the event store does not start")]
    Store(#[from] commands::StoreError),
    /// There is no randomness for passwords.
    #[error("passwords cannot be hashed")]
    Passwords(#[from] AuthError),
    /// Two metrics have one name.
    #[error("the metrics are wrong")]
    Metrics(#[from] prometheus::Error),
    /// The address to serve at cannot be had.
    #[error("{address} cannot be listened at (listen)")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl StartError {
    /// Whether a server that we need does not answer, rather than something of ours being wrong.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Nats(_) | Self::Store(_) | Self::Keys(KeyError::Postgres(_)))
    }
}

/// For queries, and for whatever else is not the write side.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn read_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let writers = connections_of_writers(settings);
    let options = projections::connect_options(connect_options(settings)?);
    pool_options(settings.postgres_connections.saturating_sub(writers).max(1)).connect_with(options).await.map_err(StartError::Postgres)
}

/// For the write side: its own, so that an append never waits behind queries.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn write_pool(settings: &Settings) -> Result<PgPool, StartError> {
    let options = connect_options(settings)?;
    pool_options(connections_of_writers(settings)).connect_with(options).await.map_err(StartError::Postgres)
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

fn connect_options(settings: &Settings) -> Result<PgConnectOptions, StartError> {
    let options = PgConnectOptions::from_str(settings.postgres_url.expose()).map_err(StartError::Postgres)?;
    Ok(options.application_name("backscroll"))
}

fn pool_options(connections_max: u32) -> PgPoolOptions {
    // A dead connection is found out by its use: asking each one first would cost every query a round trip.
    PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_MAX).test_before_acquire(false)
}

/// NATS, now or as soon as it is there.
///
/// # Errors
/// The address is not one.
pub async fn nats_client(settings: &Settings) -> Result<async_nats::Client, StartError> {
    let server = settings.nats_url.expose().parse::<async_nats::ServerAddr>().map_err(|_| StartError::NatsAddress)?;
    let options = async_nats::ConnectOptions::new().name("backscroll").retry_on_initial_connect();
    // The client does not take them from the address by itself.
    let options = match (server.username(), server.password()) {
        (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        _ => options,
    };
    Ok(options.connect(server).await?)
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

/// A bucket of the object store, as soon as it is asked.
///
/// # Errors
/// The address, or the certificate authority, is not one.
pub fn bucket(settings: &ObjectStoreSettings, name: &str) -> Result<Arc<dyn ObjectStore>, StartError> {
    // Its client takes what the process has by default, and the others bring their own: whoever comes first has set the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = ClientOptions::new().with_connect_timeout(OBJECT_STORE_CONNECT_MAX).with_timeout(OBJECT_STORE_ANSWER_MAX);
    if let Some(path) = &settings.ca_file {
        let authority = std::fs::read(path).map_err(|source| StartError::ObjectStoreAuthority { path: path.clone(), source })?;
        client = Certificate::from_pem_bundle(&authority)?.into_iter().fold(client, ClientOptions::with_root_certificate);
    }
    let retry = RetryConfig { max_retries: OBJECT_STORE_RETRIES, retry_timeout: OBJECT_STORE_ANSWER_MAX, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new().with_bucket_name(name).with_region(&settings.region).with_retry(retry);
    if let Some(url) = &settings.url {
        builder = builder.with_endpoint(url);
        client = client.with_allow_http(url.starts_with("http://"));
    }
    if let Some((name, key)) = &settings.key {
        builder = builder.with_access_key_id(name).with_secret_access_key(key.expose());
    }
    Ok(Arc::new(builder.with_client_options(client).build()?))
}

/// A folder of the object store, as the proof takes it.
pub(super) fn objects(settings: &ObjectStoreSettings, url: &ObjectUrl) -> Result<Objects, StartError> {
    Ok(Objects { url: url.to_string(), bucket: bucket(settings, &url.bucket)?, folder: url.path.clone() })
}

/// The migrations of this release that the database lacks.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn missing_migrations(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let applied = sqlx::query_scalar::<_, i64>("SELECT version FROM public._sqlx_migrations WHERE success").fetch_all(pool).await;
    let applied = match applied {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
        applied => applied?,
    };
    let missing = migrations::POSTGRES.iter().filter(|migration| !applied.contains(&migration.version));
    Ok(missing.map(|migration| format!("{} ({})", migration.version, migration.description)).collect())
}

pub(super) async fn check_migrations(pool: &PgPool) -> Result<(), StartError> {
    let missing = missing_migrations(pool).await.map_err(StartError::Postgres)?;
    if missing.is_empty() { Ok(()) } else { Err(StartError::NotMigrated(missing.join(", "))) }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
