//! Two requests with the same key are one command.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::Executor;
use tests::answer::Answer;
use tests::person::send;
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

/// Posts a text of JSON with a key.
async fn post_text(team: &Team, key: &str, path: &str, text: &str) -> Answer {
    let request = team.owner.request(Method::POST, path).header("Idempotency-Key", key).header("Content-Type", "application/json");
    send(request.body(text.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_the_same_however_its_json_is_written() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let root = team.message(&team.owner, team.general, "the root").await;
    let messages = team.general("/messages");
    let first = post_text(&team, "key", &messages, &format!(r#"{{"content": "é/😀", "thread_id": "{root}"}}"#)).await.expect(201);
    let others = [
        format!(r#"{{"thread_id": "{root}", "content": "é/😀"}}"#),
        format!("{{\n  \"thread_id\" : \"{root}\",\t\"content\":\"é/😀\"}}\n"),
        format!(r#"{{"thread_id":"{root}","content":"\u00e9\/\ud83d\ude00"}}"#),
        format!(r#"{{"thread\u005fid":"{root}","content":"é/😀"}}"#),
    ];
    for text in others {
        let again = post_text(&team, "key", &messages, &text).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{text}");
        assert_eq!(again.expect(201), first, "{text}");
    }
    // The same letter, composed of two characters, is another text.
    let other = format!(r#"{{"content": "e\u0301/😀", "thread_id": "{root}"}}"#);
    post_text(&team, "key", &messages, &other).await.expect_problem(422, "idempotency.key_reused");
    post_text(&team, "key", &messages, r#"{"content": "é/😀"}"#).await.expect_problem(422, "idempotency.key_reused");
}

/// The fingerprint that earlier releases stored: over the bytes of the request.
fn fingerprint_of_bytes(team: &Team, path: &str, body: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [b"POST", path.as_bytes(), team.owner.id.as_bytes(), body.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_an_earlier_release_recorded_is_recognised_by_its_bytes() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let messages = team.general("/messages");
    // Its canonical form is different.
    let text = r#"{ "content" : "once" }"#;
    let plain = fingerprint_of_bytes(&team, &messages, text);
    let key = app.app().keys.of(&[team.owner.id]).await.expect("the key of the owner").pop().expect("a key");
    for (name, stored) in [("blinded", key.blind(&plain)), ("plain", plain)] {
        let first = post_text(&team, name, &messages, text).await.expect(201);
        // A node that has not seen the request reads the stored fingerprint.
        let mut tx = app.app().pool.begin().await.expect("a transaction");
        tx.execute("ALTER TABLE idempotency_keys DISABLE TRIGGER USER").await.expect("the database's owner may do this");
        let update = "UPDATE idempotency_keys SET fingerprint = $1 WHERE actor_id = $2 AND key = $3";
        let update = sqlx::query(update).bind(stored.as_slice()).bind(team.owner.id).bind(name).execute(&mut *tx).await;
        assert_eq!(update.expect("the key").rows_affected(), 1);
        tx.execute("ALTER TABLE idempotency_keys ENABLE TRIGGER USER").await.expect("as before");
        tx.commit().await.expect("the key");
        let (url, stream) = (app.database.url.clone(), app.stream.clone());
        let second = TestApp::start_with(&[("BACKSCROLL_POSTGRES_URL", &url), ("BACKSCROLL_NATS_STREAM", &stream)]).await;
        let owner = team.owner.at(&second);
        let request = |body: &'static str| {
            let request = owner.request(Method::POST, &messages).header("Idempotency-Key", name);
            send(request.header("Content-Type", "application/json").body(body))
        };
        assert_eq!(request(text).await.expect(201), first, "{name}");
        request(r#"{ "content" : "twice" }"#).await.expect_problem(422, "idempotency.key_reused");
    }
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
        send(request.json(&body)).await
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
        send(request.json(&body)).await
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
