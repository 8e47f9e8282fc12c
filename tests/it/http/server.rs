//! `GET /v1/server`: the release, the features and the limits.

use serde_json::{Value, json};
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_learns_the_release_what_is_switched_on_and_the_limits() {
    let app = TestApp::start_with(&[("BACKSCROLL_REGISTRATION", "closed"), ("BACKSCROLL_BODY_BYTES_MAX", "100000")]).await;
    let answer = app.get("/v1/server").await;
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert!(answer.header("ratelimit").is_some(), "{:?}", answer.headers);
    let server = answer.expect(200);
    assert_eq!((&server["name"], &server["version"]), (&json!("Backscroll"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&server["registration"], &server["search_backend"]), (&json!("closed"), &json!("postgres")));
    assert_eq!((&server["limits"]["body_bytes_max"], &server["limits"]["page_rows_max"]), (&json!(100_000), &json!(100)));
    // No address, name or credential of a store is among the values.
    let is_known = |value: &Value| value.is_boolean() || value.is_number() || value.as_str().is_some_and(|text| text.len() < 20);
    let values = server.as_object().expect("an object").iter().filter(|(name, _)| *name != "limits").map(|(_, value)| value);
    assert!(values.chain(server["limits"].as_object().expect("limits").values()).all(is_known), "{server}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_are_those_that_the_server_holds() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let limits = app.get("/v1/server").await.expect(200)["limits"].clone();
    let longest = usize::try_from(limits["message_chars_max"].as_u64().expect("a number")).expect("a number");
    team.post(&team.member, team.general, &"x".repeat(longest)).await.expect(201);
    team.post(&team.member, team.general, &"x".repeat(longest + 1)).await.expect_problem(422, "input.invalid");
}
