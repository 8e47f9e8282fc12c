//! Projections and replays.

use api::app::Roles;
use serde_json::json;
use tests::{Team, TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_projections_and_replay_one() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    let states = team.operator.get_at(position, "/v1/projections").await.expect(200);
    assert_eq!((&states["items"][0]["name"], &states["items"][0]["parked"]), (&json!("relational"), &json!([])));
    team.owner.get("/v1/projections").await.expect_problem(403, "server.operators_only");

    let current = "/v1/projections/relational/replays/current";
    team.operator.get(current).await.expect_problem(404, "replay.not_found");
    team.owner.post("/v1/projections/relational/replays", json!({})).await.expect_problem(403, "server.operators_only");
    team.operator.post("/v1/projections/nothing/replays", json!({})).await.expect_problem(404, "projection.not_found");
    let started = team.operator.post("/v1/projections/relational/replays", json!({})).await;
    assert_eq!(started.header("location"), Some(current));
    started.expect(202);
    eventually("the replay ends", async || team.operator.get(current).await.expect(200)["state"] != "running").await;
    let ended = team.operator.get(current).await.expect(200);
    assert_eq!(ended["state"], "switched", "{ended}");
    assert!(ended["report"]["position"].as_i64() >= Some(position), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_waits_for_its_position_and_fails_if_it_is_not_reached_in_time() {
    let http_only = Roles { http: true, relay: false, projectors: false };
    let app = TestApp::start_as(http_only, &[]).await;
    let ann = app.sign_up("ann").await;
    let behind = ann.get_at(1, "/v1/projections").await;
    assert!(behind.header("retry-after").is_some());
    behind.expect_problem(503, "projection.behind");
    ann.get("/v1/projections").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_beyond_the_log_is_refused_at_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let beyond = ann.get_at(1_000_000, "/v1/users/me").await.expect_problem(400, "request.position_unknown");
    assert_eq!(beyond["field"], "Backscroll-Min-Position");
    let wrong = tests::person::send(ann.request(reqwest::Method::GET, "/v1/users/me").header("Backscroll-Min-Position", "soon")).await;
    assert_eq!(wrong.expect_problem(400, "request.header_invalid")["field"], "Backscroll-Min-Position");
}
