//! The resources of one test's servers: a database, a NATS stream and Redis keys. They are removed when the place is
//! dropped.

use std::collections::BTreeMap;

use api::app::App;
use api::config::Settings;
use keyring::{Keyring, MasterKey, MasterKeys};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::PgPool;
use stores::clock::Clock;
use uuid::Uuid;

use crate::TestDatabase;
use crate::servers::{address, nats};

/// 32 zeros: data that tests seal need not be secret.
pub(crate) const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The keys in a test's database, as one process loads them.
///
/// # Panics
/// Panics if the database does not exist.
pub async fn keyring(pool: &PgPool) -> Keyring {
    Keyring::open(pool.clone(), MasterKeys::new(&MasterKey::from([0; 32]), None)).await.expect("the keys")
}

/// The resources of the servers of one test.
pub struct Place {
    /// The environment of a server of this test. A setting that is not here has the product's default.
    pub environment: BTreeMap<String, String>,
    /// The database of this test.
    pub database: TestDatabase,
    /// The name of the NATS stream.
    pub stream: String,
    /// The prefix of the keys in Redis.
    pub redis_prefix: String,
    /// The prefix of the indices in Elasticsearch, if the settings use Elasticsearch.
    pub elastic_prefix: String,
}

/// The setting that makes Elasticsearch answer searches.
pub const WITH_ELASTICSEARCH: (&str, &str) = ("BACKSCROLL_SEARCH", "elasticsearch");

/// Settings for small indices, because each test creates some.
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
    /// Creates a place with these changes to the environment.
    pub async fn create(changes: &[(&str, &str)]) -> Self {
        Self::on(TestDatabase::create().await, changes)
    }

    /// Creates a place with an existing database.
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
            // Without a name, the first head of the log would wait for one.
            ("BACKSCROLL_PROOF_ORIGIN", "chat.example.org/v1/proof"),
            ("BACKSCROLL_LISTEN", "127.0.0.1:0"),
            ("BACKSCROLL_OPERATORS_LISTEN", "127.0.0.1:0"),
            ("BACKSCROLL_REDIS_KEY_PREFIX", &redis_prefix),
            ("BACKSCROLL_NATS_STREAM", &stream),
            // Requests are counted as usual but never refused: all requests of a test or a benchmark come from one
            // address.
            ("BACKSCROLL_RATE_LIMITS", "all=1000000/60"),
            ("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "1000000"),
        ];
        let elastic = if changes.contains(&WITH_ELASTICSEARCH) { elastic_settings(&elastic_prefix) } else { Vec::new() };
        let elastic = elastic.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
        let settings = needed.iter().chain(&elastic).chain(changes);
        let environment = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { environment, database, stream, redis_prefix, elastic_prefix }
    }

    /// The parts of a server in this process. None of them is started.
    ///
    /// # Panics
    /// Panics if a setting is wrong, or if a server cannot be reached.
    pub async fn app(&self) -> App {
        self.app_at(Clock::SYSTEM).await
    }

    /// The same with another clock for the events that it appends.
    ///
    /// # Panics
    /// Panics if a setting is wrong, or if a server cannot be reached.
    pub async fn app_at(&self, clock: Clock) -> App {
        let settings = Settings::from_sources(&self.environment, None).expect("the settings");
        App::connect_at(settings, clock).await.expect("the servers that this needs: run `make services` first")
    }

    /// A connection to Redis.
    ///
    /// # Errors
    /// Fails if Redis does not answer.
    pub async fn redis(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(address("BACKSCROLL_REDIS_URL"))?.get_multiplexed_async_connection().await
    }

    /// Deletes every key of this place in Redis, and returns the number of deleted keys.
    ///
    /// # Panics
    /// Panics if Redis does not answer.
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

/// Removes the place's stream from NATS and its keys from Redis. The database is dropped separately.
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
        // A failed test must not fail a second time because something could not be removed.
        let _ = emptied.join();
    }
}
