//! A separate database for each test: a copy of a template that has every migration.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use uuid::Uuid;

use crate::servers::address;

/// The prefix of the names of test databases.
const PREFIX: &str = "backscroll_test";
/// The advisory lock under which the first test process makes the template.
const LOCK: i64 = 4_799;

/// A database that is dropped with this value.
pub struct TestDatabase {
    name: String,
    /// The address of the database.
    pub url: String,
}

impl TestDatabase {
    /// Creates a database with every migration.
    pub async fn create() -> Self {
        let name = format!("{PREFIX}_{}", Uuid::now_v7().simple());
        let mut server = connect().await;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut server).await.expect("the template's lock");
        let template = template(&mut server).await;
        execute(&mut server, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(&mut server).await.expect("the template's lock");
        let url = url_of(&name);
        Self { name, url }
    }

    /// Creates an empty database.
    pub async fn empty() -> Self {
        let name = format!("{PREFIX}_{}", Uuid::now_v7().simple());
        execute(&mut connect().await, format!("CREATE DATABASE {name}")).await;
        let url = url_of(&name);
        Self { name, url }
    }

    /// A pool for the event store, of at most `max` connections.
    pub async fn pool(&self, max: u32) -> PgPool {
        let options = self.options().options([("search_path", "public")]);
        connect_pool(max, options).await
    }

    /// A pool for the projections, of at most `max` connections.
    pub async fn read_pool(&self, max: u32) -> PgPool {
        connect_pool(max, stores::postgres::connect_options(self.options())).await
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.url).expect("an address")
    }
}

async fn connect_pool(max: u32, options: PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(max).acquire_timeout(Duration::from_secs(10)).test_before_acquire(false);
    pool.connect_with(options).await.expect("the test's database")
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut server = PgConnection::connect(&address("BACKSCROLL_POSTGRES_URL")).await.map_err(std::io::Error::other)?;
                server
                    .execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)").as_str())
                    .await
                    .map(|_| ())
                    .map_err(std::io::Error::other)
            })
        });
        // A failed test must not fail a second time because its database could not be dropped.
        let _ = dropped.join();
    }
}

async fn connect() -> PgConnection {
    PgConnection::connect(&address("BACKSCROLL_POSTGRES_URL")).await.expect("Postgres: run `make services` first")
}

async fn execute(server: &mut PgConnection, statement: String) {
    server.execute(statement.as_str()).await.expect("a statement of the tests' set-up");
}

/// The name of the template. It contains a hash of the migrations that the template has.
async fn template(server: &mut PgConnection) -> String {
    let checksums = migrations::POSTGRES.iter().flat_map(|m| m.checksum.iter().copied()).collect::<Vec<_>>();
    let name = format!("{PREFIX}_template_{}", Uuid::new_v5(&Uuid::nil(), &checksums).simple());
    let there = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)");
    if !there.bind(&name).fetch_one(&mut *server).await.expect("the list of databases") {
        let making = format!("{name}_making");
        execute(server, format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await;
        execute(server, format!("CREATE DATABASE {making}")).await;
        let mut database = PgConnection::connect(&url_of(&making)).await.expect("the template");
        migrations::POSTGRES.run(&mut database).await.expect("every migration");
        database.close().await.expect("the template's connection closes");
        execute(server, format!("ALTER DATABASE {making} RENAME TO {name}")).await;
    }
    name
}

fn url_of(database: &str) -> String {
    let server = address("BACKSCROLL_POSTGRES_URL");
    let (server, _) = server.rsplit_once('/').expect("an address with a database");
    format!("{server}/{database}")
}
