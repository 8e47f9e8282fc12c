//! Replays over HTTP: start, progress, cancellation and list; views; parked events.

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tests::{Team, TestApp, eventually};

const RELATIONAL: &str = "/v1/projections/relational/replays";
const CURRENT: &str = "/v1/projections/relational/replays/current";

/// Blocks a rebuild from creating its tables, until the connection is dropped.
async fn held_up(app: &TestApp) -> PgConnection {
    let mut connection = PgConnection::connect(&app.database.url).await.expect("the database");
    connection.execute("BEGIN").await.expect("a transaction");
    connection.execute("LOCK TABLE read.mentions IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
    connection
}

async fn ended(team: &Team, projection: &str) -> Value {
    let current = format!("/v1/projections/{projection}/replays/current");
    eventually("the replay ends", async || team.operator.get(&current).await.expect(200)["state"] != "running").await;
    team.operator.get(&current).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_its_progress_and_leaves_nothing_when_it_is_cancelled() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.operator.delete(CURRENT).await.expect_problem(409, "replay.not_running");
    let gate = held_up(&app).await;
    let begun = team.operator.post(RELATIONAL, json!({})).await.expect(202);
    assert_eq!((&begun["state"], &begun["projection"]), (&json!("running"), &json!("relational")));
    team.operator.post(RELATIONAL, json!({})).await.expect_problem(409, "replay.under_way");

    let watching = team.operator.request(reqwest::Method::GET, &format!("{CURRENT}/progress"));
    let mut watching = watching.send().await.expect("an answer");
    let first = watching.chunk().await.expect("an event").expect("an event");
    assert!(first.starts_with(b"event: progress\ndata: {"), "{first:?}");
    team.owner.delete(CURRENT).await.expect_problem(403, "server.operators_only");
    assert_eq!(team.operator.delete(CURRENT).await.expect(202)["cancel_asked"], true);
    assert_eq!(ended(&team, "relational").await["state"], "cancelled");
    team.operator.delete(CURRENT).await.expect(202);
    drop(gate);
    let events = watching.text().await.expect("the rest of the events");
    assert!(events.contains("event: end\ndata: {"), "{events}");
    assert!(events.contains("\"state\":\"cancelled\""), "{events}");

    let mut database = PgConnection::connect(&app.database.url).await.expect("the database");
    let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_namespace WHERE nspname IN ('read_next', 'read_old')");
    assert_eq!(left.fetch_one(&mut database).await.expect("the catalog"), 0);
    team.operator.post(RELATIONAL, json!({})).await.expect(202);
    assert_eq!(ended(&team, "relational").await["state"], "switched");
    let metrics = app.as_operator("/metrics").await;
    let metrics = metrics.body.as_str().unwrap_or_default().to_owned();
    assert!(metrics.contains(r#"backscroll_replay_last_outcome{outcome="switched",projection="relational"} 1"#), "{metrics}");
    let listed = team.operator.get(RELATIONAL).await.expect(200);
    let states = listed["items"].as_array().expect("a list").iter().map(|run| run["state"].clone()).collect::<Vec<_>>();
    assert_eq!(states, ["switched", "cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_projections_are_replayed_one_after_another_and_the_log_has_the_actor() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "hello").await;
    team.operator.post("/v1/projections/all/replays", json!({"dry_run": true})).await.expect(202);
    eventually("both replays have ended", async || {
        let listed = team.operator.get("/v1/projections/all/replays").await.expect(200);
        let runs = listed["items"].as_array().expect("a list");
        runs.len() == 2 && runs.iter().all(|run| run["state"] == "checked")
    })
    .await;
    let mut database = PgConnection::connect(&app.database.url).await.expect("the database");
    let actors = "SELECT DISTINCT metadata ->> 'actor' FROM events WHERE event_type LIKE 'installation.replay%'";
    let actors = sqlx::query_scalar::<_, String>(actors).fetch_all(&mut database).await.expect("the log");
    assert_eq!(actors, [team.operator.id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_repaired_and_a_view_is_built_listed_and_dropped() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    team.owner.get_at(position, "/v1/users/me").await.expect(200);
    team.operator.post(RELATIONAL, json!({"workspace_id": team.id})).await.expect(202);
    assert_eq!(ended(&team, "relational").await["state"], "repaired");
    team.operator.post(RELATIONAL, json!({"until_position": position, "view": "then"})).await.expect(202);
    assert_eq!(ended(&team, "relational").await["state"], "built");
    let views = team.operator.get("/v1/replay-views").await.expect(200);
    assert_eq!((&views["items"][0]["name"], &views["items"][0]["position"]), (&json!("then"), &json!(position)));
    team.owner.delete("/v1/replay-views/then").await.expect_problem(403, "server.operators_only");
    team.operator.delete("/v1/replay-views/then").await.expect(204);
    team.operator.delete("/v1/replay-views/then").await.expect(204);
    team.operator.delete("/v1/replay-views/never").await.expect_problem(404, "replay.view_not_found");

    for (body, field) in [
        (json!({"until_position": 1, "until_time": "2026-11-25T12:00:00Z"}), "until_time"),
        (json!({"until_position": 1, "view": "No good"}), "view"),
        (json!({"view": "of_nothing"}), "view"),
        (json!({"until_position": 1, "workspace_id": team.id}), "workspace_id"),
    ] {
        assert_eq!(team.operator.post(RELATIONAL, body).await.expect_problem(422, "replay.plan_invalid")["field"], field);
    }
    let cache = team.operator.post("/v1/projections/cache/replays", json!({"workspace_id": team.id})).await;
    cache.expect_problem(422, "replay.relational_only");
    let cache = team.operator.post("/v1/projections/cache/replays", json!({"until_position": 1})).await;
    cache.expect_problem(422, "replay.no_view");
    let all = team.operator.post("/v1/projections/all/replays", json!({"until_position": 1})).await;
    assert_eq!(all.expect_problem(422, "replay.plan_invalid")["field"], "name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_is_listed_with_its_payload_and_skipped_or_retried() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    // The constraint refuses the text: the event can be read, but its row cannot be written.
    let mut database = PgConnection::connect(&app.database.url).await.expect("the database");
    let narrow = "ALTER TABLE read.messages ADD CONSTRAINT no_poison CHECK (content <> 'poison')";
    database.execute(narrow).await.expect("the database's owner may do this");
    let first = team.post(&team.owner, team.general, "poison").await.position();
    let parked = "/v1/projections/relational/parked";
    eventually("the event is parked", async || team.operator.get(parked).await.expect(200)["items"] != json!([])).await;
    let listed = team.operator.get(parked).await.expect(200);
    let waits = &listed["items"][0];
    assert_eq!((&waits["first_position"], &waits["event_type"]), (&json!(first), &json!("message.posted")));
    assert!(waits["payload"]["message.posted"].is_object() && waits["error"].as_str().is_some_and(|e| e.contains("no_poison")), "{waits}");

    let key = format!("{parked}/workspace:{}", team.id);
    team.owner.post(&format!("{key}/retry"), json!({})).await.expect_problem(403, "server.operators_only");
    team.operator.post(&format!("{key}/retry"), json!({})).await.expect_problem(409, "parked.still_not_applied");
    team.operator.post(&format!("{parked}/workspace:{}/retry", team.owner.id), json!({})).await.expect_problem(404, "parked.not_found");
    let other = json!({"position": first + 1, "reason": "of no use"});
    team.operator.post(&format!("{key}/skip"), other).await.expect_problem(409, "parked.other_event");
    let without = json!({"position": first, "reason": " "});
    assert_eq!(team.operator.post(&format!("{key}/skip"), without).await.expect_problem(422, "input.invalid")["field"], "reason");
    team.operator.post(&format!("{key}/skip"), json!({"position": first, "reason": "of no use"})).await.expect(200);
    assert_eq!(team.operator.get(parked).await.expect(200)["items"], json!([]));

    let second = team.post(&team.owner, team.general, "poison").await.position();
    eventually("the event is parked", async || team.operator.get(parked).await.expect(200)["items"] != json!([])).await;
    database.execute("ALTER TABLE read.messages DROP CONSTRAINT no_poison").await.expect("the database's owner may do this");
    let applied = team.operator.post(&format!("{key}/retry"), json!({})).await.expect(200);
    assert!(applied["applied"].as_i64() >= Some(1), "{applied}");
    team.owner.get_at(second, "/v1/users/me").await.expect(200);
}
