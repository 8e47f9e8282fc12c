//! A server is killed while it erases a user. The next server completes the erasure, and no data of the user is found.

use chrono::{TimeDelta, Utc};
use commands::{CommandRequest, ErasureCandidates};
use domain::Context;
use domain::ids::{UserId, WorkspaceId};
use projections::{CACHE, RELATIONAL, SEARCH};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tests::place::WITH_ELASTICSEARCH;
use tests::{Place, Program, Team, TestApp, eventually};
use uuid::Uuid;

use super::{ALONE, found_in_database, found_in_elasticsearch, found_in_redis, settled, somebody};

/// The step at which the server is killed. A lock of the test makes the server wait there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The server is about to append the event and destroy the keys in the same transaction.
    Appending,
    /// The server has appended the event, and is about to delete the password and end the sessions.
    SigningOut,
    /// The server removes the user from the read tables.
    Projecting,
    /// The server has removed the user from the cache, and is about to store its checkpoint.
    Caching,
    /// The server has removed the user from the search documents, and is about to store its checkpoint.
    Indexing,
}

impl Moment {
    /// The statement that takes the lock.
    fn gate(self) -> String {
        match self {
            Self::Appending => "SELECT pg_advisory_xact_lock(4701)".into(),
            Self::SigningOut => "LOCK TABLE secret.credentials IN ACCESS EXCLUSIVE MODE".into(),
            Self::Projecting => "LOCK TABLE read.messages IN SHARE MODE".into(),
            Self::Caching => checkpoint(CACHE),
            Self::Indexing => checkpoint(SEARCH),
        }
    }

    /// A pattern of the server's statement that waits for the lock.
    fn waiting(self) -> &'static str {
        match self {
            Self::Appending => "%append_events%",
            Self::SigningOut => "%DELETE FROM secret.credentials%",
            Self::Projecting => "%UPDATE messages%",
            Self::Caching | Self::Indexing => "%UPDATE projection_checkpoints%",
        }
    }
}

fn checkpoint(projection: &str) -> String {
    format!("SELECT FROM public.projection_checkpoints WHERE projection = '{projection}' FOR UPDATE")
}

/// A transaction that holds the lock until the connection is dropped.
async fn locked(place: &Place, statement: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&place.database.url).await.expect("the database");
    connection.execute("BEGIN").await.expect("a transaction");
    connection.execute(statement).await.expect("a lock");
    connection
}

async fn count(pool: &PgPool, statement: &str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.expect("a count")
}

/// Requests an erasure that is due at once. Returns the log's last position.
async fn request(place: &Place, person: Uuid, workspace: Uuid) -> i64 {
    let app = place.app().await;
    let user_id = UserId(person);
    let asked = CommandRequest { context: Context::of(user_id, Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None };
    let around = ErasureCandidates { workspaces: &[WorkspaceId(workspace)], operators: &[] };
    let wanted = app.commands.request_erasure(&asked, user_id, TimeDelta::zero(), around).await;
    wanted.expect("a request").position
}

/// Waits until every projection of the running server has reached this position.
async fn all_are_at(pool: &PgPool, position: i64) {
    let reached =
        format!("SELECT min(position) FROM public.projection_checkpoints WHERE projection IN ('{RELATIONAL}', '{CACHE}', '{SEARCH}')");
    eventually("the projections keep up", async || count(pool, &reached).await >= position).await;
}

/// Everything that is found of the user, in every store.
async fn found(app: &TestApp, pool: &PgPool) -> Vec<String> {
    [found_in_database(pool).await, found_in_redis(app).await, found_in_elasticsearch(app).await].concat()
}

async fn kill_at(moment: Moment) {
    let _alone = ALONE.lock().await;
    let mut app = TestApp::start_with(&[WITH_ELASTICSEARCH, ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let team = Team::found(&app).await;
    let (person, _) = somebody(&app, &team).await;
    let position = settled(&app).await;
    eventually("the cache is filled", async || {
        team.owner.get_at(position, &team.general("/messages")).await.expect(200);
        !found_in_redis(&app).await.is_empty()
    })
    .await;
    app.stop().await;
    let pool = app.database.pool(4).await;

    // No process erases a user until the set-up is complete and the lock is held.
    let held = locked(&app, "SELECT pg_advisory_xact_lock(hashtextextended('backscroll erasures', 0))").await;
    let (killed, _) = Program::serve(&app.environment);
    all_are_at(&pool, request(&app, person.id, team.id).await).await;
    let gate = locked(&app, &moment.gate()).await;
    drop(held);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1";
    let is_erased = "SELECT count(*) FROM public.events WHERE event_type = 'user.erased'";
    eventually("the server waits for the lock", async || {
        let waiting = sqlx::query_scalar::<_, i64>(waits).bind(moment.waiting());
        // A projection may also wait for it with an event before the erasure.
        waiting.fetch_one(&pool).await.expect("the activity") > 0 && count(&pool, is_erased).await == i64::from(moment != Moment::Appending)
    })
    .await;
    drop(killed);
    drop(gate);

    let (_next, url) = Program::serve(&app.environment);
    eventually("the user is erased", async || count(&pool, is_erased).await == 1).await;
    let head = count(&pool, "SELECT max(position) FROM public.events").await;
    all_are_at(&pool, head).await;
    let what_is_left = format!(
        "SELECT (SELECT count(*) FROM secret.credentials WHERE user_id = '{0}') + (SELECT count(*) FROM secret.sessions WHERE user_id = '{0}')",
        person.id
    );
    eventually("the user's sessions have ended, and the password is deleted", async || count(&pool, &what_is_left).await == 0).await;
    eventually("no data of the user is found", async || found(&app, &pool).await.is_empty()).await;
    person.at_url(&url).get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
    let thread = team.owner.at_url(&url).get(&team.general("/messages")).await.expect(200);
    assert!(thread.to_string().contains("\"is_erased\":true"), "{thread}");
    assert_eq!(count(&pool, is_erased).await, 1, "{moment:?}");
    assert_eq!(found(&app, &pool).await, Vec::<String>::new(), "{moment:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_before_the_event_is_appended_erases_the_user_after_its_restart() {
    kill_at(Moment::Appending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_before_the_sessions_have_ended_ends_them_after_its_restart() {
    kill_at(Moment::SigningOut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_empties_the_read_tables_completes_it_after_its_restart() {
    kill_at(Moment::Projecting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_empties_the_cache_completes_it_after_its_restart() {
    kill_at(Moment::Caching).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_empties_the_search_completes_it_after_its_restart() {
    kill_at(Moment::Indexing).await;
}
