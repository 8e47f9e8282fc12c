//! A whole archive: the import, the live projection, and the rebuild. The reference of the rebuild is a plain `COPY` of
//! the same rows with the same indexes.
//!
//! The row uses the large archive, if it is in the folder beside the project. Otherwise it uses the sample, which is
//! too small for useful figures.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::Utc;
use commands::{Commands, EventStore};
use domain::ids::{UserId, WorkspaceId};
use futures::TryStreamExt;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use slack::import::{self, Limits, Settings};
use sqlx::PgPool;
use sqlx::postgres::PgPoolCopyExt;
use tests::TestDatabase;
use tests::app::TestApp;
use tests::servers::checkout;
use uuid::Uuid;

use crate::furnish::Furnished;
use crate::report::{Goal, Report};
use crate::runs::{Runs, is_trial, runs};

/// The longest time that the projection may take to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(600);

pub async fn measure(report: &mut Report) {
    let archive = archive();
    let [mut rebuilds, mut copies, mut imports, mut projections] = [const { Runs(Vec::new()) }; 4];
    for _ in 0..runs() {
        let app = TestApp::start().await;
        let (appended, import_took, projection_took) = import(&app, &archive).await;
        let rate = |took: Duration| appended as f64 / took.as_secs_f64();
        imports.push(rate(import_took));
        projections.push(rate(projection_took));
        report.over(format!("{}: {appended} events; projected by NATS while it is being imported", name(&archive)));
        let began = Instant::now();
        let rebuilt = rebuild(&app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("a rebuild");
        rebuilds.push(rebuilt.events as f64 / began.elapsed().as_secs_f64());
        let copy = plain_copy(&app.app().pool).await;
        copies.push(rebuilt.events as f64 / copy.as_secs_f64());
    }
    report.compare("archive, rebuild and comparison", "events/s", &rebuilds, ("COPY, then the indexes", &copies), Goal::AtLeast(0.5));
    report.state("archive, rebuild and comparison", "events/s", &rebuilds, Goal::AtLeast(100_000.0));
    report.compare("archive, import while projecting", "events/s", &imports, ("rebuild", &rebuilds), Goal::Stated);
    report.compare("archive, live projection", "events/s", &projections, ("rebuild", &rebuilds), Goal::AtLeast(0.25));
}

/// The archive in `ARCHIVE`, or else the largest available one: beside the checkout, or the project's sample.
pub fn archive() -> PathBuf {
    if let Some(named) = std::env::var_os("ARCHIVE").filter(|name| !name.is_empty()) {
        return named.into();
    }
    let beside = ["gitter-slack-export.zip", "gitter-slack-export-small.zip"].map(|name| checkout().join("../shared/data").join(name));
    let wanted = beside.into_iter().skip(usize::from(is_trial()));
    wanted.chain([checkout().join("tests/fixtures/sample-export.zip")]).find(|file| file.exists()).expect("the sample")
}

pub fn name(archive: &Path) -> &str {
    archive.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The number of events, the duration of the import, and the time until all events were projected.
async fn import(app: &TestApp, archive: &Path) -> (u64, Duration, Duration) {
    let commands = &app.app().commands;
    let workspace_id = workspace(commands).await;
    let began = Instant::now();
    let appended = import_into(commands, workspace_id, archive).await;
    let imported = began.elapsed();
    let head = commands.store().catch_up().await.expect("the head");
    app.app().progress.wait_for(RELATIONAL, head, CATCH_UP_MAX).await.expect("the projection catches up");
    (appended, imported, began.elapsed())
}

/// Imports the archive without a projector.
pub async fn import_only(database: &TestDatabase, archive: &Path) {
    let pool = database.pool(8).await;
    let commands = Commands::new(EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the store"));
    let workspace_id = workspace(&commands).await;
    import_into(&commands, workspace_id, archive).await;
}

/// Creates a workspace for an archive.
pub async fn workspace(commands: &Commands) -> WorkspaceId {
    Furnished::with(commands.store(), 1).await.workspace_id
}

pub async fn import_into(commands: &Commands, workspace_id: WorkspaceId, archive: &Path) -> u64 {
    let importer = UserId::SYSTEM;
    let settings = Settings { workspace_id, importer, at: Utc::now(), correlation_id: Uuid::now_v7(), limits: Limits::default() };
    import::slack(commands.store(), archive, &settings, &()).await.expect("an import").events_appended()
}

/// Copies every read table that has rows into an empty table, and builds its indexes. Returns the duration.
async fn plain_copy(pool: &PgPool) -> Duration {
    sqlx::raw_sql("DROP SCHEMA IF EXISTS reference CASCADE; CREATE SCHEMA reference").execute(pool).await.expect("a schema");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'read'::regnamespace AND relkind = 'r' AND NOT relname LIKE '\\_%'",
    )
    .fetch_all(pool)
    .await
    .expect("the tables");
    let mut took = Duration::ZERO;
    for table in tables {
        let out = format!("COPY read.{table} TO STDOUT (FORMAT binary)");
        let chunks = pool.copy_out_raw(&out).await.expect("a copy").try_collect::<Vec<_>>().await.expect("the rows");
        let create = format!("CREATE TABLE reference.{table} (LIKE read.{table} INCLUDING DEFAULTS INCLUDING GENERATED)");
        sqlx::raw_sql(&create).execute(pool).await.expect("a table");
        let began = Instant::now();
        let mut copy = pool.copy_in_raw(&format!("COPY reference.{table} FROM STDIN (FORMAT binary)")).await.expect("a copy");
        for chunk in chunks {
            copy.send(chunk).await.expect("rows");
        }
        copy.finish().await.expect("the rows");
        for index in indexes(pool, &table).await {
            sqlx::raw_sql(&index).execute(pool).await.expect("an index");
        }
        took += began.elapsed();
    }
    took
}

async fn indexes(pool: &PgPool, table: &str) -> Vec<String> {
    let live: Vec<String> = sqlx::query_scalar("SELECT indexdef FROM pg_indexes WHERE schemaname = 'read' AND tablename = $1")
        .bind(table)
        .fetch_all(pool)
        .await
        .expect("the indexes");
    live.into_iter().map(|definition| definition.replacen(" ON read.", " ON reference.", 1)).collect()
}
