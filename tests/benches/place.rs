//! A place to measure in: a database, a stream of NATS and keys of Redis of its own, which go when it goes.

use std::collections::BTreeMap;

use api::app::App;
use api::config::Settings;
use redis::AsyncCommands;
use tests::TestDatabase;
use tests::servers::{address, nats};
use uuid::Uuid;

/// 32 zeros: what is sealed in a benchmark need not be secret.
const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

pub struct Place {
    /// The settings of a server here, as its environment; what it does not name is as the product has it.
    pub environment: BTreeMap<String, String>,
    pub database: TestDatabase,
    stream: String,
    redis_prefix: String,
}

impl Place {
    pub async fn create() -> Self {
        let database = TestDatabase::create().await;
        let name = Uuid::now_v7().simple().to_string();
        let (redis_prefix, stream) = (format!("bench:{name}:"), format!("bench-{name}"));
        let environment = [
            ("BACKSCROLL_POSTGRES_URL", database.url.clone()),
            ("BACKSCROLL_REDIS_URL", address("BACKSCROLL_REDIS_URL")),
            ("BACKSCROLL_NATS_URL", address("BACKSCROLL_NATS_URL")),
            ("BACKSCROLL_MASTER_KEY", MASTER_KEY.to_owned()),
            ("BACKSCROLL_LISTEN", "127.0.0.1:0".to_owned()),
            ("BACKSCROLL_REDIS_KEY_PREFIX", redis_prefix.clone()),
            ("BACKSCROLL_NATS_STREAM", stream.clone()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Self { environment, database, stream, redis_prefix }
    }

    /// The parts of a server here, in this process, none of which does anything by itself.
    pub async fn app(&self) -> App {
        let settings = Settings::from_sources(&self.environment, None).expect("the settings");
        App::connect(settings).await.expect("the servers")
    }
}

/// Leaves nothing behind in NATS and Redis; the database goes by itself.
impl Drop for Place {
    fn drop(&mut self) {
        let (stream, prefix) = (self.stream.clone(), self.redis_prefix.clone());
        let emptied = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let _ = async_nats::jetstream::new(nats().await).delete_stream(&stream).await;
                let _ = forget(&prefix).await;
            });
            Ok::<(), std::io::Error>(())
        });
        // What has failed is not to fail once more for what it leaves behind.
        let _ = emptied.join();
    }
}

async fn forget(prefix: &str) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(address("BACKSCROLL_REDIS_URL"))?.get_multiplexed_async_connection().await?;
    let keys = connection.keys::<_, Vec<String>>(format!("{prefix}*")).await?;
    if keys.is_empty() { Ok(()) } else { connection.del(keys).await }
}
