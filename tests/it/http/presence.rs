//! Presence.

use chrono::{TimeDelta, Utc};
use redis::AsyncCommands;
use serde_json::{Value, json};
use tests::{Person, Team, TestApp, eventually};
use uuid::Uuid;

async fn announce(team: &Team, person: &Person, status: &str, device_type: &str) {
    person.put(&team.path("/presence"), json!({"presence": status, "device_type": device_type})).await.expect(204);
}

async fn shown(team: &Team, person: &Person) -> Value {
    team.owner.get(&team.path(&format!("/members/{}/presence", person.id))).await.expect(200)
}

async fn presence(team: &Team, person: &Person) -> String {
    shown(team, person).await["presence"].as_str().expect("a word").to_owned()
}

/// The Redis key of a user's devices.
fn key(app: &TestApp, team: &Team, person: &Person) -> String {
    format!("{}presence:{}:{{{}}}", app.redis_prefix, person.id, team.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_the_highest_presence_of_a_users_devices_and_each_device_ends_separately() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (desktop, phone) = (&team.member, team.member.with_token(app.sign_in(&team.member.email).await));
    assert_eq!(presence(&team, desktop).await, "offline");

    announce(&team, &phone, "away", "phone").await;
    announce(&team, desktop, "online", "desktop").await;
    let both = shown(&team, desktop).await;
    assert_eq!((&both["presence"], &both["device_type"], &both["timezone"]), (&json!("online"), &json!("desktop"), &json!("UTC")));
    assert!(both["last_seen"].is_string(), "{both}");
    announce(&team, &phone, "dnd", "phone").await;
    assert_eq!(presence(&team, desktop).await, "dnd", "do-not-disturb on one device applies to all");
    announce(&team, &phone, "away", "phone").await;

    desktop.delete(&team.path("/presence")).await.expect(204);
    assert_eq!(presence(&team, desktop).await, "away");
    phone.delete("/v1/sessions/current").await.expect(204);
    assert_eq!(presence(&team, desktop).await, "offline", "a device that signs out is offline");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_heartbeat_for_five_minutes_is_not_counted() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (key, mut redis) = (key(&app, &team, &team.member), app.redis().await.expect("Redis"));
    announce(&team, &team.member, "away", "phone").await;
    assert!((290_000..=300_000).contains(&redis.pttl::<_, i64>(&key).await.expect("the time to live")));

    let moment = Utc::now().timestamp_millis();
    let silent = format!("{} {} online desktop", moment - 1, moment - 300_001);
    redis.hset::<_, _, _, ()>(&key, Uuid::now_v7().to_string(), silent).await.expect("a device that was silent too long");
    assert_eq!(presence(&team, &team.member).await, "away");

    for n in 0..30 {
        let other = format!("{} {moment} online desktop", moment + 100_000 + n);
        redis.hset::<_, _, _, ()>(&key, Uuid::now_v7().to_string(), other).await.expect("one of many devices");
    }
    for _ in 0..15 {
        announce(&team, &team.member, "online", "phone").await;
    }
    assert!(redis.hlen::<_, usize>(&key).await.expect("the devices") <= 20, "the number of devices has a limit");
    assert_eq!(shown(&team, &team.member).await["device_type"], "phone");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_members_see_the_presence_of_members() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    announce(&team, &team.member, "online", "desktop").await;
    let list = |users: String| team.path(&format!("/presence?users={users}"));
    let three = list([&team.owner, &team.member, &team.stranger].map(|person| person.id.to_string()).join(","));
    let position = team.post(&team.owner, team.general, "hello").await.position();
    let page = team.guest.get_at(position, &three).await.expect(200);
    let mut seen =
        page["items"].as_array().expect("people").iter().map(|row| row["presence"].as_str().expect("a word")).collect::<Vec<_>>();
    seen.sort_unstable();
    assert_eq!(seen, ["offline", "online"], "users outside the workspace are left out");

    team.stranger.get(&three).await.expect_problem(404, "workspace.not_found");
    team.stranger.put(&team.path("/presence"), json!({"presence": "online"})).await.expect_problem(404, "workspace.not_found");
    let unknown = team.path(&format!("/members/{}/presence", team.stranger.id));
    team.owner.get(&unknown).await.expect_problem(404, "workspace.member_not_found");
    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.member.id))).await.expect(200);
    let gone = team.path(&format!("/members/{}/presence", team.member.id));
    team.owner.get(&gone).await.expect_problem(404, "workspace.member_not_found");
    team.member.put(&team.path("/presence"), json!({"presence": "online"})).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_an_invalid_presence_names_the_field() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let path = team.path("/presence");
    team.owner.put(&path, json!({"presence": "offline"})).await.expect_problem(400, "request.body_invalid");
    let long = json!({"presence": "online", "device_type": "x".repeat(51)});
    assert_eq!(team.owner.put(&path, long).await.expect_problem(422, "input.invalid")["field"], "device_type");
    for users in ["", "7", &vec![team.owner.id.to_string(); 101].join(",")] {
        let refused = team.owner.get(&format!("{path}?users={users}")).await.expect_problem(400, "request.query_invalid");
        assert_eq!(refused["field"], "users");
    }
    team.owner.get(&path).await.expect_problem(400, "request.query_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_every_presence_is_unknown() {
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")]).await;
    let team = Team::found(&app).await;
    team.member.put(&team.path("/presence"), json!({"presence": "online"})).await.expect_problem(503, "presence.unavailable");
    assert_eq!(presence(&team, &team.member).await, "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_status_is_shown_nowhere() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let expires_at = Utc::now() + TimeDelta::seconds(2);
    let status = json!({"text": "In a meeting", "emoji": "calendar", "expires_at": expires_at});
    let position = team.member.put("/v1/users/me/custom-status", status).await.position();
    let id = team.member.id;
    let places =
        ["/v1/users/me".to_owned(), format!("/v1/users/{id}"), team.path(&format!("/members/{id}/presence")), team.path("/directory")];
    for place in &places {
        let seen = team.member.get_at(position, place).await.expect(200).to_string();
        assert!(seen.contains("In a meeting") || Utc::now() > expires_at, "{place}: {seen}");
    }
    eventually("the status has expired", async || Utc::now() > expires_at).await;
    for place in &places {
        let seen = team.member.get(place).await.expect(200).to_string();
        assert!(!["In a meeting", "📆"].iter().any(|word| seen.contains(word)), "{place}: {seen}");
        assert!(!seen.contains("custom_status"), "{place}: {seen}");
    }
}
