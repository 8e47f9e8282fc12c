//! Two requests with the same key are one command.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{Team, TestApp};

async fn posted(app: &TestApp) -> i64 {
    let count = "SELECT count(*) FROM events WHERE event_type = 'message.posted' AND payload->'message.posted'->>'kind' IS NULL";
    sqlx::query_scalar::<_, i64>(count).fetch_one(&app.app().pool).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_from_fifty_callers_makes_one_event_and_one_answer() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let before = posted(&app).await;
    let messages = team.general("/messages");
    let answers = join_all((0..50).map(|_| team.owner.post_once("once", &messages, json!({"content": "once"})))).await;
    let first = answers[0].position();
    let bodies = answers.into_iter().map(|answer| (answer.position(), answer.expect(201))).collect::<Vec<_>>();
    assert!(bodies.iter().all(|body| body.0 == first && body.1 == bodies[0].1), "{bodies:?}");
    assert_eq!(posted(&app).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_its_request_and_to_its_user() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let messages = team.general("/messages");
    team.owner.post_once("key", &messages, json!({"content": "one"})).await.expect(201);
    team.owner.post_once("key", &messages, json!({"content": "two"})).await.expect_problem(422, "idempotency.key_reused");
    team.owner.post_once("key", "/v1/workspaces", json!({"name": "Acme"})).await.expect_problem(422, "idempotency.key_reused");
    team.member.post_once("key", &messages, json!({"content": "one"})).await.expect(201);
    let wrong = team.owner.post_once("a b", &messages, json!({"content": "one"})).await.expect_problem(400, "idempotency.key_invalid");
    assert_eq!(wrong["field"], "Idempotency-Key");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_identifier_of_a_message_counts_as_its_key() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[]).await;
    let message = json!({"content": "once", "client_msg_id": "my message 1 ✉"});
    let (here, there) = (team.general("/messages"), format!("/v1/channels/{channel}/messages"));
    let first = team.owner.post(&here, message.clone()).await.expect(201);
    let again = team.owner.post(&here, message.clone()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    assert_ne!(team.owner.post(&there, message).await.expect(201), first, "another channel gets another message");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_registrations_with_one_key_create_one_user() {
    let app = TestApp::start().await;
    let body = json!({"email": "ann@example.org", "username": "ann", "display_name": "Ann", "password": "correct horse"});
    let register = || async {
        let request = reqwest::Client::new().post(format!("{}/v1/users", app.url)).header("Idempotency-Key", "me");
        tests::person::send(request.json(&body)).await
    };
    let (first, second) = tokio::join!(register(), register());
    let (first, second): (Value, Value) = (first.expect(201), second.expect(201));
    assert_eq!(first, second);
    app.post("/v1/sessions", &json!({"login": "ann", "password": "correct horse"})).await.expect(201);
}

/// The fingerprint of a request is stored. A fast digest that contains a password could be guessed.
#[tokio::test(flavor = "multi_thread")]
async fn the_fingerprint_of_a_registration_does_not_contain_the_password() {
    let app = TestApp::start().await;
    let register = async |password: &str, username: &str| {
        let body = json!({"email": "ann@example.org", "username": username, "display_name": "Ann", "password": password});
        let request = reqwest::Client::new().post(format!("{}/v1/users", app.url)).header("Idempotency-Key", "me");
        tests::person::send(request.json(&body)).await
    };
    let first: Value = register("correct horse battery", "ann").await.expect(201);
    let again: Value = register("another horse battery", "ann").await.expect(201);
    assert_eq!(first, again, "the password is no part of the request's fingerprint");
    register("correct horse battery", "anna").await.expect_problem(422, "idempotency.key_reused");
    app.post("/v1/sessions", &json!({"login": "ann", "password": "correct horse battery"})).await.expect(201);
    app.post("/v1/sessions", &json!({"login": "ann", "password": "another horse battery"}))
        .await
        .expect_problem(401, "session.wrong_credentials");
}
