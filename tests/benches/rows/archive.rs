//! A whole archive: the import, the live projection, and the rebuild against a plain `COPY` of the same rows with the same indexes.
//!
//! The large archive, where it lies beside the project; else the sample, whose figures say little.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::Utc;
use commands::import::{self, Limits, Settings};
use commands::{Asked, NewWorkspace};
use domain::Context;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::text::WorkspaceName;
use domain::workspace::Details;
use futures::TryStreamExt;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use sqlx::PgPool;
use sqlx::postgres::PgPoolCopyExt;
use tests::app::TestApp;
use tests::servers::checkout;
use uuid::Uuid;

use crate::harness::{RUNS, Runs};
use crate::report::Report;

/// How long the projection may take to have caught up.
const CATCH_UP_MAX: Duration = Duration::from_secs(600);

pub async fn rows(report: &mut Report, wanted: &str) {
    if !"archive".starts_with(wanted) {
        return;
    }
    let app = TestApp::start().await;
    let (appended, import_took, projection_took) = import(&app, &archive()).await;
    let (mut rebuilds, mut copies) = (Runs::default(), Runs::default());
    for _ in 0..RUNS {
        let began = Instant::now();
        let rebuilt = rebuild(&app.app().pool, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("a rebuild");
        rebuilds.0.push(rebuilt.events as f64 / began.elapsed().as_secs_f64());
        let copy = plain_copy(&app.app().pool).await;
        copies.0.push(rebuilt.events as f64 / copy.as_secs_f64());
    }
    let rate = |took: Duration| Runs(vec![appended as f64 / took.as_secs_f64()]);
    report.compare("archive, rebuild and comparison", "events/s", &rebuilds, ("COPY, then the indexes", &copies), Some(0.5));
    report.compare("archive, import while projecting", "events/s", &rate(import_took), ("rebuild", &rebuilds), None);
    report.compare("archive, live projection", "events/s", &rate(projection_took), ("rebuild", &rebuilds), Some(0.25));
}

fn archive() -> PathBuf {
    let large = checkout().join("../shared/data/gitter-slack-export.zip");
    let used = if large.exists() { large } else { checkout().join("tests/fixtures/sample-export.zip") };
    println!("archive: {}", used.display());
    used
}

/// How many events, how long the import took, and how long until all was projected.
async fn import(app: &TestApp, archive: &std::path::Path) -> (u64, Duration, Duration) {
    let owner = app.sign_up("owner").await;
    let (commands, importer) = (&app.app().commands, UserId(owner.id));
    let workspace_id = WorkspaceId(Uuid::now_v7());
    let details = Details { name: WorkspaceName::parse("Archive").expect("a name"), description: None, avatar_url: None };
    let new = NewWorkspace { workspace_id, general_channel_id: ChannelId(Uuid::now_v7()), details, domain: None, max_members: 100_000 };
    let asked = Asked { context: Context::of(importer, Utc::now(), Uuid::now_v7()), idempotency: None };
    commands.create_workspace(&asked, new).await.expect("a workspace");
    let settings = Settings { workspace_id, importer, at: Utc::now(), correlation_id: Uuid::now_v7(), limits: Limits::default() };
    let began = Instant::now();
    let report = import::slack(commands.store(), archive, &settings, &()).await.expect("an import");
    let imported = began.elapsed();
    let head = commands.store().catch_up().await.expect("the head");
    app.app().progress.wait_for(RELATIONAL, head, CATCH_UP_MAX).await.expect("the projection catches up");
    (report.events_appended(), imported, began.elapsed())
}

/// Copies every read table that has rows of its own into an empty one, and makes its indexes: how long that takes.
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
        let create = format!("CREATE TABLE reference.{table} (LIKE read.{table} INCLUDING DEFAULTS)");
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
