//! The connection to Redis, to a single server or to a cluster. Everything that Backscroll keeps in Redis goes through
//! it.
//!
//! Redis may be unreachable at any time. Then no request waits for it, and the caller goes on without it.

mod script;
mod settings;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::retry;
use backon::Retryable;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, TlsCertificates};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::breaker::{Breaker, TOO_LONG};
use crate::diagnosis::Diagnosis;
use crate::restored::identity::CopyId;
pub use script::Script;
pub use settings::RedisSettings;

/// How long Redis may take to answer, or to accept a connection.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// How long a call may take in total: connecting, asking, and asking again.
const CALL_MAX: Duration = Duration::from_millis(500);
/// How long to ask Redis to rewrite its files while it is already writing them.
const REWRITE_MAX: Duration = Duration::from_secs(5);
/// How often a cluster is asked again: another node may have the key by now.
const CLUSTER_RETRIES: u32 = 2;

/// How many keys are scanned, or removed, in one call.
const SCANNED_KEYS: usize = 1_000;

/// Redis does not answer at the moment.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("redis does not answer")]
pub struct RedisDown;

/// A connection to Redis, made at the first call. Clones share it.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
    key_prefix: Arc<str>,
}

struct Shared {
    server: Server,
    /// The server with its address, without the password.
    subject: String,
    breaker: Breaker,
    /// Digests of the scripts that this process has sent.
    sent: Mutex<HashSet<String>>,
    losses: AtomicU64,
}

enum Server {
    Single(ConnectionManager),
    Cluster { client: Box<ClusterClient>, connection: OnceCell<ClusterConnection> },
}

impl Redis {
    /// Uses the server or the cluster of these settings.
    ///
    /// # Errors
    /// The address or a file is not valid.
    pub fn open(settings: &RedisSettings) -> Result<Self, Diagnosis> {
        let certificates = settings.certificates()?;
        let (urls, subject) = (settings.urls.expose(), settings.subject());
        let server = if settings.is_cluster { Server::cluster(urls, certificates) } else { Server::single(urls, certificates) };
        let server = server.map_err(|error| settings::wrong(&subject, &error))?;
        Ok(Self::of(server, subject, &settings.key_prefix))
    }

    /// Uses the server at this address.
    ///
    /// # Errors
    /// The address is not a Redis address.
    pub fn single(url: &str, key_prefix: &str) -> RedisResult<Self> {
        Ok(Self::of(Server::single(url, None)?, settings::subject_of(url), key_prefix))
    }

    fn of(server: Server, subject: String, key_prefix: &str) -> Self {
        let (breaker, sent, losses) = (Breaker::of("redis"), Mutex::default(), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { server, subject, breaker, sent, losses }), key_prefix: key_prefix.into() }
    }

    /// The same connection, for a restored copy of the database: it has keys of its own, so that it takes nothing for its
    /// own which another history has left here.
    #[must_use]
    pub fn of_copy(self, copy_id: CopyId) -> Self {
        Self { key_prefix: format!("{}{}", self.key_prefix, copy_id.prefix(':')).into(), ..self }
    }

    /// A key of this installation. In a cluster, keys with the same `{…}` in their names are on the same node.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.key_prefix)
    }

    /// Whether Redis answered the last call.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.shared.breaker.is_well()
    }

    /// Why Redis did not answer the last call. `None` if it answered.
    #[must_use]
    pub fn diagnosis(&self) -> Option<String> {
        self.shared.breaker.reason()
    }

    /// How often a server had lost a script that this process had sent: it may have lost its last writes too. Data that
    /// was read while this number increased must not be used. A lost connection alone does not count.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.shared.losses.load(Ordering::SeqCst)
    }

    /// Sends one command.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisDown> {
        if self.shared.breaker.is_open() {
            return Err(RedisDown);
        }
        self.observed(self.shared.server.ask(command)).await
    }

    /// Calls a script ([`Script::on`]), and sends the script if the server does not know it.
    ///
    /// # Errors
    /// Redis does not answer, or the script failed there.
    pub async fn run<T: FromRedisValue>(&self, script: &Script, call: &Cmd) -> Result<T, RedisDown> {
        if self.shared.breaker.is_open() {
            return Err(RedisDown);
        }
        self.observed(self.call(script, call)).await
    }

    /// Sends scripts that were not sent yet, so that a server that lacks one later has lost data.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn send(&self, scripts: &[&Script]) -> Result<(), RedisDown> {
        for script in scripts {
            if !self.sent().contains(&script.digest) {
                self.observed(self.load(script)).await?;
            }
        }
        Ok(())
    }

    /// Removes every key whose name matches a pattern. In a cluster, all matching keys must be on one node. It scans
    /// all keys, so it is only for rare use.
    ///
    /// # Errors
    /// Redis does not answer; some of the keys may be gone.
    pub async fn remove_matching(&self, pattern: &str) -> Result<(), RedisDown> {
        let mut cursor = 0_u64;
        loop {
            let (next, keys) = match &self.shared.server {
                Server::Single(_) => {
                    let mut scan = redis::cmd("SCAN");
                    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED_KEYS);
                    self.ask::<(u64, Vec<String>)>(&scan).await?
                }
                // A cursor belongs to one node; this command goes to all nodes.
                Server::Cluster { .. } => (0, self.ask(redis::cmd("KEYS").arg(pattern)).await?),
            };
            for keys in keys.chunks(SCANNED_KEYS) {
                self.ask::<i64>(redis::cmd("UNLINK").arg(keys)).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Asks Redis to rewrite its files, because the old files still contain removed data. If Redis is already writing,
    /// it is asked again afterwards, because that writing may have begun before the removal. A managed Redis may
    /// refuse: then it rewrites them at its own time.
    pub async fn rewrite_files(&self) {
        let mut save = redis::cmd("BGSAVE");
        save.arg("SCHEDULE");
        for command in [redis::cmd("BGREWRITEAOF"), save] {
            // A refusal does not mean that Redis fails.
            match timeout(REWRITE_MAX, self.when_done(&command)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::info!(%error, "redis refuses to rewrite its files now"),
                Err(_) => tracing::info!("redis did not answer whether it rewrites its files"),
            }
        }
    }

    async fn when_done(&self, command: &Cmd) -> Result<(), RedisError> {
        let is_at_it = |error: &RedisError| error.to_string().contains("already in progress");
        (|| self.shared.server.send_to_all(command)).retry(retry::REDIS_FILES).when(is_at_it).await
    }

    /// Checks that Redis answers.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn ping(&self) -> Result<(), RedisDown> {
        self.ask(&redis::cmd("PING")).await
    }

    async fn observed<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, RedisDown> {
        match timeout(CALL_MAX, answer).await {
            Ok(Ok(answer)) => {
                self.shared.breaker.worked();
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.failed(&settings::reason_of(&error));
                Err(RedisDown)
            }
            Err(_) => {
                self.failed(TOO_LONG);
                Err(RedisDown)
            }
        }
    }

    fn failed(&self, reason: &str) {
        self.shared.breaker.failed(&settings::diagnose(&self.shared.subject, reason));
    }

    async fn call<T: FromRedisValue>(&self, script: &Script, call: &Cmd) -> RedisResult<T> {
        match self.shared.server.ask(call).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                if self.sent().contains(&script.digest) {
                    // Counted before the script is sent again: the next caller must notice that data was lost.
                    self.shared.losses.fetch_add(1, Ordering::SeqCst);
                    tracing::warn!("redis has lost its scripts: it was restarted");
                }
                self.load(script).await?;
                self.shared.server.ask(call).await
            }
            answer => answer,
        }
    }

    async fn load(&self, script: &Script) -> RedisResult<()> {
        self.shared.server.ask::<redis::Value>(redis::cmd("SCRIPT").arg("LOAD").arg(&script.text)).await?;
        self.sent().insert(script.digest.clone());
        Ok(())
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    fn single(url: &str, certificates: Option<TlsCertificates>) -> RedisResult<Self> {
        let client = match certificates {
            Some(certificates) => redis::Client::build_with_tls(url, certificates)?,
            None => redis::Client::open(url)?,
        };
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER_MAX))
            .set_response_timeout(Some(ANSWER_MAX))
            .set_number_of_retries(1)
            .set_max_delay(ANSWER_MAX);
        Ok(Self::Single(ConnectionManager::new_lazy_with_config(client, config)?))
    }

    /// The addresses, separated by commas, are those of some nodes of the cluster.
    fn cluster(urls: &str, certificates: Option<TlsCertificates>) -> RedisResult<Self> {
        let builder = ClusterClient::builder(urls.split(',').map(str::trim))
            .connection_timeout(ANSWER_MAX)
            .response_timeout(ANSWER_MAX)
            .retries(CLUSTER_RETRIES);
        let client = certificates.into_iter().fold(builder, redis::cluster::ClusterClientBuilder::certs).build()?;
        Ok(Self::Cluster { client: Box::new(client), connection: OnceCell::new() })
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Single(connection) => command.query_async(&mut connection.clone()).await,
            Self::Cluster { client, connection } => {
                let connection = connection.get_or_try_init(|| client.get_async_connection()).await?;
                command.query_async(&mut connection.clone()).await
            }
        }
    }

    /// Sends a command without a key to every node of a cluster. Without this it would go to one node.
    async fn send_to_all(&self, command: &Cmd) -> Result<(), RedisError> {
        let Self::Cluster { client, connection } = self else { return self.ask::<redis::Value>(command).await.map(drop) };
        let connection = connection.get_or_try_init(|| client.get_async_connection()).await?;
        let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, Some(ResponsePolicy::AllSucceeded)));
        connection.clone().route_command(command.clone(), everywhere).await.map(drop)
    }
}

/// Without the address, which may contain a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}
