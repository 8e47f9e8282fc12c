//! A place for servers: a database, a stream of NATS and keys of Redis of its own, which go when it goes.

use std::collections::BTreeMap;

use api::app::App;
use api::config::Settings;
use keyring::{Keyring, MasterKey, MasterKeys};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::PgPool;
use uuid::Uuid;

use crate::TestDatabase;
use crate::servers::{address, nats};

/// 32 zeros: what is sealed here need not be secret.
const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The keys in a test's database, as one process has them.
///
/// # Panics
/// The database is not there.
pub async fn keyring(pool: &PgPool) -> Keyring {
    Keyring::open(pool.clone(), MasterKeys::new(&MasterKey::from([0; 32]), None)).await.expect("the keys")
}

/// What servers need, and nobody else uses.
pub struct Place {
    /// The settings of a server here, as its environment; what it does not name is as the product has it.
    pub environment: BTreeMap<String, String>,
    /// The database.
    pub database: TestDatabase,
    /// The name of the stream.
    pub stream: String,
    /// What the keys in Redis begin with.
    pub redis_prefix: String,
    /// What the names of indices in Elasticsearch begin with, where the settings want it.
    pub elastic_prefix: String,
}

/// The setting with which searches are answered by Elasticsearch.
pub const WITH_ELASTICSEARCH: (&str, &str) = ("BACKSCROLL_SEARCH", "elasticsearch");

/// Small indices: each test makes some.
fn elastic_settings(prefix: &str) -> Vec<(&'static str, String)> {
    vec![
        ("BACKSCROLL_ELASTICSEARCH_URL", address("BACKSCROLL_ELASTICSEARCH_URL")),
        ("BACKSCROLL_ELASTICSEARCH_INDEX_PREFIX", prefix.to_owned()),
        ("BACKSCROLL_ELASTICSEARCH_SHARDS", "1".to_owned()),
        ("BACKSCROLL_ELASTICSEARCH_REPLICAS", "0".to_owned()),
        ("BACKSCROLL_ELASTICSEARCH_POOLS", "2".to_owned()),
        ("BACKSCROLL_ELASTICSEARCH_REFRESH_MS", "200".to_owned()),
    ]
}

impl Place {
    /// A fresh one, with settings of the environment changed.
    pub async fn create(changes: &[(&str, &str)]) -> Self {
        Self::on(TestDatabase::create().await, changes)
    }

    /// One with that database.
    #[must_use]
    pub fn on(database: TestDatabase, changes: &[(&str, &str)]) -> Self {
        let name = Uuid::now_v7().simple();
        let (redis_prefix, stream) = (format!("test:{name}:"), format!("test-{name}"));
        let elastic_prefix = format!("test_{name}_");
        let (redis, nats) = (address("BACKSCROLL_REDIS_URL"), address("BACKSCROLL_NATS_URL"));
        let needed = [
            ("BACKSCROLL_POSTGRES_URL", database.url.as_str()),
            ("BACKSCROLL_REDIS_URL", &redis),
            ("BACKSCROLL_NATS_URL", &nats),
            ("BACKSCROLL_MASTER_KEY", MASTER_KEY),
            ("BACKSCROLL_LISTEN", "127.0.0.1:0"),
            ("BACKSCROLL_OPERATORS_LISTEN", "127.0.0.1:0"),
            ("BACKSCROLL_REDIS_KEY_PREFIX", &redis_prefix),
            ("BACKSCROLL_NATS_STREAM", &stream),
            // Counted as ever, and never refused: whoever tests or measures here comes from one address.
            ("BACKSCROLL_RATE_LIMITS", "all=1000000/60"),
            ("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "1000000"),
        ];
        let elastic = if changes.contains(&WITH_ELASTICSEARCH) { elastic_settings(&elastic_prefix) } else { Vec::new() };
        let elastic = elastic.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
        let settings = needed.iter().chain(&elastic).chain(changes);
        let environment = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { environment, database, stream, redis_prefix, elastic_prefix }
    }

    /// The parts of a server here, in this process, none of which does anything by itself.
    ///
    /// # Panics
    /// A setting is wrong, or a server is not there.
    pub async fn app(&self) -> App {
        let settings = Settings::from_sources(&self.environment, None).expect("the settings");
        App::connect(settings).await.expect("the servers that this needs: run `make services` first")
    }

    /// A connection to Redis.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn redis(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(address("BACKSCROLL_REDIS_URL"))?.get_multiplexed_async_connection().await
    }

    /// Forgets everything that Redis knows here; returns how many keys that were.
    ///
    /// # Panics
    /// Redis does not answer.
    pub async fn empty_redis(&self) -> usize {
        empty_redis(&self.redis_prefix).await.expect("Redis")
    }
}

async fn empty_redis(prefix: &str) -> redis::RedisResult<usize> {
    let mut connection = redis::Client::open(address("BACKSCROLL_REDIS_URL"))?.get_multiplexed_async_connection().await?;
    let keys = connection.keys::<_, Vec<String>>(format!("{prefix}*")).await?;
    if !keys.is_empty() {
        connection.del::<_, ()>(&keys).await?;
    }
    Ok(keys.len())
}

/// Leaves nothing behind in NATS and Redis; the database goes by itself.
impl Drop for Place {
    fn drop(&mut self) {
        let (stream, prefix) = (self.stream.clone(), self.redis_prefix.clone());
        let elastic_prefix = self.environment.contains_key("BACKSCROLL_ELASTICSEARCH_URL").then(|| self.elastic_prefix.clone());
        let emptied = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let _ = async_nats::jetstream::new(nats().await).delete_stream(&stream).await;
                let _ = empty_redis(&prefix).await;
                if let Some(prefix) = elastic_prefix {
                    crate::elastic::clean_up(&prefix).await;
                }
            });
            Ok::<(), std::io::Error>(())
        });
        // What has failed is not to fail once more for what it leaves behind.
        let _ = emptied.join();
    }
}
