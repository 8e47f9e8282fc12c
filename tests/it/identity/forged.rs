//! An attacker who can write to Redis cannot sign in as a user. The server trusts a copy of a session in Redis only
//! under its own key, exactly as the server wrote it, and until the session has ended.

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde_json::json;
use state::token::Token;
use tests::{Person, TestApp};

use super::{ME, NEW_PASSWORD, another_session, change_password, is_refused};

/// An attacker with access to Redis.
struct Attacker {
    redis: MultiplexedConnection,
    prefix: String,
}

impl Attacker {
    async fn of(app: &TestApp) -> Self {
        Self { redis: app.redis().await.expect("Redis"), prefix: app.redis_prefix.clone() }
    }

    fn key(&self, token: &str) -> String {
        format!("{}session:{}", self.prefix, Token::parse_session(token).expect("a token").hash())
    }

    async fn read(&mut self, person: &Person) -> String {
        self.redis.get(self.key(&person.token)).await.expect("the copy of the session")
    }

    async fn write(&mut self, token: &str, value: &str) {
        self.redis.set::<_, _, ()>(self.key(token), value).await.expect("Redis");
    }
}

async fn who_is(person: &Person) -> String {
    person.get(ME).await.expect(200)["user_id"].as_str().expect("a user").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_an_attacker_invents_in_redis_signs_no_user_in() {
    let app = TestApp::start().await;
    let (operator, mallory) = (app.sign_up("operator").await, app.sign_up("mallory").await);
    let mut attacker = Attacker::of(&app).await;
    let made_up = format!("bs_{}", "A".repeat(43));
    let theirs = attacker.read(&mallory).await;
    let now = chrono::Utc::now();
    let bare = json!({
        "session_id": mallory.id, "user_id": operator.id, "workspace_id": null, "device_type": "x", "ip_address": null, "user_agent": null,
        "created_at": now, "last_activity": now, "permissions": ["read", "write"],
    });
    let values = [
        // The format of release 0.1.0.
        bare.to_string(),
        json!({"session": bare, "at": {"generation": 0, "revision": 0}, "expires_at": now + chrono::TimeDelta::hours(1)}).to_string(),
        theirs.clone(),
        theirs.replace(&mallory.id.to_string(), &operator.id.to_string()),
    ];
    for value in values {
        attacker.write(&made_up, &value).await;
        is_refused(&operator.with_token(made_up.clone())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_changed_or_moved_in_redis_is_read_from_postgres() {
    let app = TestApp::start().await;
    let (operator, mallory) = (app.sign_up("operator").await, app.sign_up("mallory").await);
    let mut attacker = Attacker::of(&app).await;
    let (of_operator, own) = (attacker.read(&operator).await, attacker.read(&mallory).await);
    for value in [of_operator, own.replace(&mallory.id.to_string(), &operator.id.to_string()), "rubbish".into()] {
        attacker.write(&mallory.token, &value).await;
        assert_eq!(who_is(&mallory).await, mallory.id.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_in_redis_does_not_restore_an_ended_session() {
    let app = TestApp::start().await;
    let (operator, ann) = (app.sign_up("operator").await, app.sign_up("ann").await);
    let mut attacker = Attacker::of(&app).await;
    let [signed_out, ended, other] =
        [another_session(&app, &ann).await, another_session(&app, &ann).await, another_session(&app, &ann).await];
    let mut recorded = Vec::new();
    for session in [&signed_out, &ended, &other] {
        session.get(ME).await.expect(200);
        recorded.push((session, attacker.read(session).await));
    }
    signed_out.delete("/v1/sessions/current").await.expect(204);
    attacker.write(&signed_out.token, &recorded[0].1).await;
    is_refused(&signed_out).await;

    let listed = ann.get("/v1/sessions").await.expect(200);
    let name = listed["items"][1]["session_id"].as_str().expect("a session").to_owned();
    ann.delete(&format!("/v1/sessions/{name}")).await.expect(204);
    attacker.write(&ended.token, &recorded[1].1).await;
    is_refused(&ended).await;

    change_password(&ann, NEW_PASSWORD).await.expect(204);
    attacker.write(&other.token, &recorded[2].1).await;
    is_refused(&other).await;

    let last = attacker.read(&operator).await;
    let another = another_session(&app, &operator).await;
    another.put(&format!("/v1/users/{}/suspension", ann.id), json!({})).await.expect(204);
    operator.delete("/v1/sessions/current").await.expect(204);
    attacker.write(&operator.token, &last).await;
    is_refused(&operator).await;
}
