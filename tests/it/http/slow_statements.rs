//! Statements have limits: a slow one is cancelled, and so is one that nothing waits for any more.

use sqlx::{Executor, PgPool, Postgres, Transaction};
use tests::{TestApp, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Blocks every query of the table `users` until it is dropped.
async fn block_users(app: &TestApp) -> Transaction<'static, Postgres> {
    let mut blocker = app.database.pool(1).await.begin().await.expect("a transaction");
    blocker.execute("LOCK TABLE read.users IN ACCESS EXCLUSIVE MODE").await.expect("the lock");
    blocker
}

/// The number of statements of requests that wait for a lock.
async fn waiting(pool: &PgPool) -> i64 {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'backscroll' AND state = 'active' AND wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(pool).await.expect("the activity")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_is_cancelled_and_says_so() {
    let app = TestApp::start_with(&[("BACKSCROLL_STATEMENT_SECONDS", "1")]).await;
    let ann = app.sign_up("ann").await;
    ann.get("/v1/users/me").await.expect(200);
    let blocker = block_users(&app).await;
    ann.get("/v1/users/me").await.expect_problem(503, "service.query_too_slow");
    drop(blocker);
    ann.get("/v1/users/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_client_has_gone_is_cancelled() {
    let app = TestApp::start_with(&[("BACKSCROLL_STATEMENT_SECONDS", "3600")]).await;
    let ann = app.sign_up("ann").await;
    ann.get("/v1/users/me").await.expect(200);
    let (_blocker, observer) = (block_users(&app).await, app.database.pool(1).await);
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    let request = format!("GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", ann.token);
    stream.write_all(request.as_bytes()).await.expect("a request");
    eventually("the query waits", async || waiting(&observer).await > 0).await;
    drop(stream);
    eventually("postgres has cancelled the query", async || waiting(&observer).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_a_dropped_future_is_cancelled() {
    let app = TestApp::start_with(&[("BACKSCROLL_STATEMENT_SECONDS", "3600")]).await;
    let _blocker = block_users(&app).await;
    let (observer, pool) = (app.database.pool(1).await, app.app().pool.clone());
    let asking = tokio::spawn(async move { sqlx::query("SELECT count(*) FROM read.users").execute(&pool).await });
    eventually("the statement waits", async || waiting(&observer).await > 0).await;
    asking.abort();
    eventually("postgres has cancelled the statement", async || waiting(&observer).await == 0).await;
}
