//! A problem of the input names every mistake.

use std::collections::BTreeMap;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::person::{PASSWORD, send};
use tests::{Team, TestApp};
use uuid::Uuid;

/// The details of the mistakes, by field.
fn errors(problem: &Value) -> BTreeMap<&str, &str> {
    let text = |error: &'_ Value, name: &str| error[name].as_str().map(str::to_owned);
    let all = problem["errors"].as_array().expect("the mistakes");
    assert_eq!((&problem["code"], &problem["detail"], &problem["field"]), (&all[0]["code"], &all[0]["detail"], &all[0]["field"]));
    assert!(all.iter().all(|error| text(error, "code").is_some()), "{problem}");
    all.iter().filter_map(|error| Some((error["field"].as_str()?, error["detail"].as_str()?))).collect()
}

fn with_body(request: RequestBuilder, body: &str) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_refused_with_all_of_its_mistakes() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channels = team.path("/channels");
    let body = json!({"type": "pubic", "nmae": "random", "topic": 7, "members": [team.member.id, "bob"]});
    let refused = team.owner.post(&channels, body).await.expect_problem(400, "request.body_invalid");
    let errors = errors(&refused);
    assert_eq!(errors.keys().copied().collect::<Vec<_>>(), ["members[1]", "nmae", "topic", "type"]);
    assert!(errors["type"].contains("public, private, dm, group_dm") && errors["type"].contains("did you mean public?"), "{refused}");
    assert!(errors["nmae"].contains("did you mean name?"), "{refused}");
    assert!(errors["members[1]"].contains("an identifier (a UUID)"), "{refused}");

    let refused = team.owner.post(&channels, json!({})).await.expect_problem(400, "request.body_invalid");
    assert_eq!((&refused["field"], refused["errors"].as_array().map(Vec::len)), (&json!("type"), Some(1)), "{refused}");
    // A body that is no JSON has no fields.
    let broken = send(with_body(team.owner.request(Method::POST, &channels), "{")).await.expect_problem(400, "request.body_invalid");
    assert!(broken.get("field").is_none() && broken.get("errors").is_none(), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_the_rules_refuse_are_all_named() {
    let app = TestApp::start().await;
    let ann = json!({"email": "ann", "username": "a b", "display_name": "", "password": "short", "timezone": "Mars/Base"});
    let refused = app.post("/v1/users", &ann).await.expect_problem(422, "input.invalid");
    let fields = errors(&refused).into_keys().collect::<Vec<_>>();
    assert_eq!(fields, ["display_name", "email", "password", "timezone", "username"], "{refused}");

    let team = Team::found(&app).await;
    let profile = json!({"avatar_url": "ftp://x", "pronouns": "x".repeat(60)});
    let refused = team.owner.patch("/v1/users/me", profile).await.expect_problem(422, "input.invalid");
    assert_eq!(errors(&refused).into_keys().collect::<Vec<_>>(), ["avatar_url", "pronouns"]);
    let workspace = json!({"name": " ", "domain": "not a domain", "max_members": 0});
    let refused = team.owner.post("/v1/workspaces", workspace).await.expect_problem(422, "input.invalid");
    assert_eq!(errors(&refused).into_keys().collect::<Vec<_>>(), ["domain", "max_members", "name"]);
    // One mistake is in the list too, and a search has the place of its mistake.
    let refused = team.owner.get(&team.path("/search/messages?q=from:@nobody-here")).await.expect_problem(400, "search.query_invalid");
    assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["place"]), (&json!("q"), &refused["place"]), "{refused}");
    assert!(refused["place"]["length"].is_u64(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_what_is_wanted_for_each_type() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let time = "a time with its offset from UTC, such as 2026-11-30T12:00:00Z";
    for wrong in [json!("2026-11-30T12:00:00"), json!("tomorrow"), json!(1_796_000_000)] {
        let refused =
            team.owner.put("/v1/users/me/custom-status", json!({"expires_at": wrong})).await.expect_problem(400, "request.body_invalid");
        assert_eq!(refused["field"], "expires_at");
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(time)), "{refused}");
    }
    let (settings, role) = (format!("/v1/channels/{}/settings", team.general), format!("/members/{}/role", team.member.id));
    let settings_of = json!({"allow_threads": "yes", "allow_file_upload": true, "allow_external_sharing": null});
    let refused = team.owner.put(&settings, settings_of).await.expect_problem(400, "request.body_invalid");
    let errors_of = errors(&refused);
    assert!(errors_of["allow_threads"].contains("must be true or false"), "{refused}");
    assert!(errors_of["allow_external_sharing"].contains("must be true or false, not null"), "{refused}");
    let refused = team.owner.put(&team.path(&role), json!({"role": "king"})).await.expect_problem(400, "request.body_invalid");
    assert!(errors(&refused)["role"].contains("one of guest, member, admin, owner"), "{refused}");

    let audit = team.path("/audit?from=2026-11-30T12:00:00&actor=ann&order=random&limit=many&form=csv");
    let refused = team.owner.get(&audit).await.expect_problem(400, "request.query_invalid");
    let errors_of = errors(&refused);
    assert!(errors_of["from"].contains(time) && errors_of["actor"].contains("an identifier"), "{refused}");
    assert!(errors_of["limit"].contains("a whole number from 1"), "{refused}");
    assert!(errors_of["order"].contains("one of newest, oldest") && errors_of["form"].contains("did you mean from?"), "{refused}");

    let refused = app.get("/v1/proof/inclusion?position=first").await.expect_problem(400, "request.query_invalid");
    assert!(errors(&refused)["position"].contains("a whole number from 1"), "{refused}");

    let path = format!("/v1/workspaces/acme/members/{}/presence", Uuid::nil());
    let refused = team.owner.get(&path).await.expect_problem(400, "request.path_invalid");
    assert_eq!(errors(&refused).into_keys().collect::<Vec<_>>(), ["workspace_id"]);
    let refused = team.owner.get("/v1/workspaces/acme/members/ann").await.expect_problem(400, "request.path_invalid");
    assert_eq!(errors(&refused).into_keys().collect::<Vec<_>>(), ["user_id", "workspace_id"]);
    assert!(errors(&refused)["user_id"].contains("an identifier (a UUID)"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_and_a_secret_are_in_no_answer() {
    let app = TestApp::start().await;
    let secret = "correct horse battery staple";
    let body = json!({"email": 7, "username": "ann", "display_name": "Ann", "password": [secret], "invitation_token": {"x": secret}});
    let refused = app.post("/v1/users", &body).await.expect_problem(400, "request.body_invalid");
    assert!(!refused.to_string().contains(secret), "{refused}");
    let body = json!({"login": 7, "password": PASSWORD, "device_token": PASSWORD});
    let refused = app.post("/v1/sessions", &body).await.expect_problem(400, "request.body_invalid");
    assert!(!refused.to_string().contains(PASSWORD), "{refused}");
}
