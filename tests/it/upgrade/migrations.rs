//! A binary and a schema that a later release has migrated.

use std::process::Stdio;

use sqlx::{Executor, PgPool};
use tests::{Program, TestApp, TestDatabase, eventually, program};

/// Writes a migration of a later release into sqlx's table.
async fn apply_a_later_migration(pool: &PgPool) {
    let apply = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (20990101000000, 'something newer', TRUE, '\\x00', 1)";
    pool.execute(apply).await.expect("sqlx's table");
}

async fn said(app: &TestApp, verb: &str) -> (Option<i32>, String) {
    program::said(&program::output(&verb.split(' ').collect::<Vec<_>>(), &app.environment).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_refuses_a_migration_that_it_does_not_know_with_a_line_that_names_both_releases() {
    let app = TestApp::not_started(&[]).await;
    let pool = app.database.pool(1).await;
    apply_a_later_migration(&pool).await;
    let refuses = async |by: &str| {
        for verb in ["serve", "migrate", "projections", "audit verify"] {
            let (code, said) = said(&app, verb).await;
            assert_eq!((code, said.lines().count()), (Some(4), 1), "{verb}: {said}");
            let ours = format!("this is backscroll {} (", env!("CARGO_PKG_VERSION"));
            for part in [ours.as_str(), "20990101000000 (something newer)", by] {
                assert!(said.contains(part), "{verb}: {said}");
            }
        }
    };
    refuses("a later release").await;
    let record = "INSERT INTO migration_records (version, applied_by) VALUES (20990101000000, '9.1.2 (0123456789ab)')";
    pool.execute(record).await.expect("the table");
    refuses("backscroll 9.1.2 (0123456789ab)").await;
    pool.execute("UPDATE migration_records SET runs_beside = '9.0.0'").await.expect("the table");
    refuses("backscroll 9.1.2 (0123456789ab)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_runs_beside_a_migration_that_says_so_and_migrates_nothing() {
    let app = TestApp::not_started(&[]).await;
    let pool = app.database.pool(1).await;
    apply_a_later_migration(&pool).await;
    let record = "INSERT INTO migration_records (version, applied_by, runs_beside) VALUES (20990101000000, '9.1.2', '0.1.0')";
    pool.execute(record).await.expect("the table");
    assert_eq!(said(&app, "migrate").await, (Some(0), "the schema is up to date\n".to_owned()));
    let (server, url) = Program::serving(&mut program::command(&["serve"], &app.environment), Stdio::null());
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.expect("an answer").status(), 200);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_records_the_release_and_what_each_migration_says() {
    let app = TestApp::not_started_on(TestDatabase::empty().await, &[]);
    let (code, text) = said(&app, "migrate").await;
    assert_eq!(code, Some(0), "{text}");
    let pool = app.database.pool(1).await;
    let applied = sqlx::query_as::<_, (i64, String, Option<String>)>("SELECT version, applied_by, runs_beside FROM migration_records");
    let applied = applied.fetch_all(&pool).await.expect("the records");
    assert_eq!(applied.len(), migrations::POSTGRES.iter().count());
    let ours = format!("{} (", env!("CARGO_PKG_VERSION"));
    assert!(applied.iter().all(|(_, by, _)| by.starts_with(&ours)), "{applied:?}");
    let beside = applied.iter().find(|(version, ..)| *version == 20_261_130_480_003).expect("a migration that says so");
    assert_eq!(beside.2.as_deref(), Some("0.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_every_process_must_know_stops_running_ones_of_earlier_releases() {
    let app = TestApp::not_started(&[]).await;
    let pool = app.database.pool(1).await;
    let (mut server, _) = Program::serving(&mut program::command(&["serve"], &app.environment), Stdio::null());
    let mut tx = pool.begin().await.expect("a transaction");
    for release in ["9.0.0", "0.1.0"] {
        stores::release::require_release(&mut tx, &release.parse().expect("a version")).await.expect("the floor");
    }
    tx.commit().await.expect("the floor");
    let floor = sqlx::query_scalar::<_, String>("SELECT min_release FROM release_floor").fetch_one(&pool).await;
    assert_eq!(floor.expect("the floor"), "9.0.0", "it is never lowered");
    eventually("the server stops", async || server.ended().is_some()).await;
    assert_eq!(server.ended(), Some(4));
}
