//! The server writes events of a newer format only when every running process can read that format. All events of today
//! have format 1. So here the database begins with format 0, and an older process reads format 0 only.

use std::time::Duration;

use commands::event_store::Lease;
use commands::{CommandError, Commands, EventStore, StoreError};
use domain::StreamId;
use domain::catalogue::EVENTS;
use domain::format::EventFormat;
use domain::ids::UserId;
use futures::future::join;
use projections::{RELATIONAL, RebuildOptions};
use serde_json::{Value, json};
use sqlx::PgPool;
use stores::release::{Outdated, Release};
use tests::other_release::{OtherEvent, append};
use tests::person::PASSWORD;
use tests::release::Release as Kept;
use tests::{Team, TestApp, TestDatabase, eventually, program};
use uuid::Uuid;

use super::set_floor;
use crate::support::{asked, registration, sign_up};

/// How often an older process starts while a newer one writes.
const ROUNDS: usize = 30;

/// A release that does not read format 1.
fn older() -> Release {
    Release { reads: EventFormat(0), ..Release::this() }
}

/// Starts another process with this database.
async fn start(database: &TestDatabase, release: Release, lease: Lease) -> Result<EventStore, StoreError> {
    let pool = database.pool(4).await;
    EventStore::start_as(pool.clone(), tests::keyring(&pool).await, release, lease).await
}

/// Lists an older process that renewed its entry this number of seconds ago.
async fn list_an_older_one(pool: &PgPool, seconds_ago: i32) {
    let list = "INSERT INTO nodes (node_id, holder, release, event_format, seen_at)
        VALUES ($1, 'elsewhere:7', '0.0.9', 0, clock_timestamp() - make_interval(secs => $2))";
    sqlx::query(list).bind(Uuid::now_v7()).bind(f64::from(seconds_ago)).execute(pool).await.expect("a process");
}

async fn min_format(pool: &PgPool) -> i32 {
    sqlx::query_scalar("SELECT min_format FROM release_floor").fetch_one(pool).await.expect("the floor")
}

fn new_user(name: &str) -> Value {
    json!({"email": format!("{name}@example.org"), "username": name, "display_name": name, "password": PASSWORD})
}

/// A server with a database that has no event of format 1 yet, while an older process runs.
async fn beside_an_older_one(seconds_ago: i32) -> (TestApp, PgPool) {
    let mut app = TestApp::not_started(&[]).await;
    let pool = app.database.pool(2).await;
    set_floor(&pool, "min_format = 0").await;
    list_an_older_one(&pool, seconds_ago).await;
    app.start_again().await;
    (app, pool)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_an_older_process_cannot_read_waits_until_that_process_has_ended() {
    let (app, pool) = beside_an_older_one(0).await;
    let refused = app.post("/v1/users", &new_user("ann")).await;
    assert_eq!(refused.header("retry-after"), Some("10"));
    refused.expect_problem(503, "release.upgrade_under_way");
    assert_eq!(min_format(&pool).await, 0);

    sqlx::query("DELETE FROM nodes WHERE holder = 'elsewhere:7'").execute(&pool).await.expect("the older process is removed from the list");
    eventually("the event is written", async || app.post("/v1/users", &new_user("ann")).await.status == 201).await;
    assert_eq!(min_format(&pool).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_process_whose_lease_has_expired_blocks_nothing() {
    let (app, pool) = beside_an_older_one(31).await;
    app.post("/v1/users", &new_user("ann")).await.expect(201);
    assert_eq!(min_format(&pool).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_blocks_nothing() {
    let mut app = TestApp::start().await;
    let pool = app.database.pool(1).await;
    let listed = "SELECT holder, release, event_format FROM nodes";
    let listed = async || sqlx::query_as::<_, (String, String, i32)>(listed).fetch_all(&pool).await.expect("the processes");
    let [(holder, release, format)] = listed().await.try_into().expect("one process");
    assert!(holder.ends_with(&format!(":{}", std::process::id())), "{holder}");
    assert_eq!((release.as_str(), format), (env!("CARGO_PKG_VERSION"), EventFormat::CURRENT.0));
    app.stop().await;
    assert!(listed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_binary_that_starts_after_a_newer_format_was_written_stops_with_the_reason() {
    let app = TestApp::not_started(&[]).await;
    let newer = EventFormat::CURRENT.0 + 1;
    set_floor(&app.database.pool(1).await, &format!("min_format = {newer}, format_written_by = '9.1.2'")).await;
    for verb in ["serve", "import slack /nowhere.zip --workspace nowhere.example.org", "audit rotate-key"] {
        let output = program::output(&verb.split(' ').collect::<Vec<_>>(), &app.environment).await;
        let (code, said) = program::said(&output);
        assert_eq!((code, said.lines().count()), (Some(4), 1), "{verb}: {said}");
        for part in
            [env!("CARGO_PKG_VERSION"), &format!("has events of format {newer}, written by backscroll 9.1.2"), "install that release"]
        {
            assert!(said.contains(part), "{verb}: {said}");
        }
    }
}

/// In every order, an older process never runs while the log has an event that it cannot read.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_process_that_starts_during_the_first_write_is_noticed_or_refused() {
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    let mut seen = 0;
    for round in 0..ROUNDS {
        set_floor(&pool, "min_format = 0").await;
        sqlx::query("DELETE FROM nodes").execute(&pool).await.expect("the list of processes is empty");
        let newer = Commands::new(start(&database, Release::this(), Lease::default()).await.expect("a newer process"));
        let user_id = UserId(Uuid::now_v7());
        let (asked, registration) = (asked(user_id), registration(&format!("user-{round}")));
        let write = newer.register_user(&asked, user_id, registration);
        match join(start(&database, older(), Lease::default()), write).await {
            (Ok(_), Err(CommandError::Unavailable(StoreError::UpgradeUnderWay(EventFormat(1))))) => seen += 1,
            (Err(StoreError::Outdated(outdated)), Ok(_)) => assert!(matches!(*outdated, Outdated::Format { .. }), "{outdated}"),
            (older, written) => panic!("an older process: {:?}, and an event: {written:?}", older.map(drop)),
        }
    }
    println!("{seen} of {ROUNDS} older processes came first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_cannot_renew_its_lease_appends_nothing_until_it_can() {
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    let moment = Duration::from_millis(200);
    let store =
        start(&database, Release::this(), Lease { renew_every: moment / 4, own: moment, others: moment * 2 }).await.expect("a process");
    let commands = Commands::new(store);
    sign_up(&commands, "before").await;
    let mut tx = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE nodes IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await.expect("no lease can be renewed");
    let mut n = 0;
    let mut register = async || {
        n += 1;
        let user_id = UserId(Uuid::now_v7());
        commands.register_user(&asked(user_id), user_id, registration(&format!("user-{n}"))).await.map(drop)
    };
    eventually("nothing is appended", async || matches!(register().await, Err(CommandError::Unavailable(StoreError::Busy)))).await;
    assert!(register().await.is_err(), "the second attempt is refused, too");
    tx.rollback().await.expect("the lock ends");
    register().await.expect("the process renews its lease and appends");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_later_release_parks_nothing_and_the_projector_waits_before_it() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let read = team.post(&team.owner, team.general, "hello").await.position();
    app.app().progress.wait_for(RELATIONAL, read, Duration::from_secs(20)).await.expect("the projector keeps up");
    app.stop().await;
    let muted = OtherEvent {
        stream: StreamId::channel(team.general),
        workspace_id: team.id,
        actor: team.owner.id,
        event_type: "channel.muted_by_a_later_release",
        version: "1",
        payload: json!({"channel.muted_by_a_later_release": {"by": team.owner.id}}),
    };
    let position = append(&app.database.pool(1).await, &muted).await;
    app.start_again().await;
    let stores = &app.app().stores;
    let waited = app.app().progress.wait_for(RELATIONAL, position, Duration::from_secs(2)).await;
    assert!(waited.is_err(), "no projector can apply the event");
    let state = projections::states(&stores.pool).await.expect("states").remove(0);
    assert_eq!((state.position, state.parked), (position - 1, vec![]));
    let replayed = projections::rebuild(stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("a rebuild up to the event");
    assert_eq!((replayed.position, replayed.differences), (position - 1, vec![]));
    let unread = stores::log::read_log(&stores.pool, &stores.keys, drop).await.expect_err("the log cannot be read to its end");
    let said = format!("{:#}", anyhow::Error::new(unread));
    assert!(said.contains(&format!("a later release wrote the event at position {position}")), "{said}");
}

/// Every event type of the catalogue, in each of its versions.
fn catalogue() -> impl Iterator<Item = (&'static str, String)> {
    EVENTS.iter().flat_map(|event| {
        let newest = event.version.parse::<u32>().expect("a number");
        (1..=newest).map(|version| (event.wire_name, version.to_string()))
    })
}

#[test]
fn an_event_that_an_earlier_release_did_not_write_has_a_newer_format_than_it_reads() {
    for Kept { manifest, .. } in Kept::all() {
        let written =
            |event_type: &str, version: &String| manifest.log.get(event_type).is_some_and(|versions| versions.contains_key(version));
        for (event_type, version) in catalogue() {
            let format = EventFormat::of(event_type, &version);
            let is_newer = format > EventFormat(manifest.event_format);
            assert_eq!(
                is_newer,
                !written(event_type, &version),
                "{event_type} of version {version} has the format {format}, and release {} reads up to {}: domain/src/format.rs",
                manifest.release,
                manifest.event_format
            );
        }
    }
}
