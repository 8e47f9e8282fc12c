//! All sessions of a user end in one step. The end is effective for each later request, whatever Redis contains.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use identity::AuthError;
use identity::sessions::Device;
use redis::AsyncCommands;
use serde_json::json;
use tests::person::PASSWORD;
use tests::{TestApp, eventually};

use super::{ME, NEW_PASSWORD, another_node, another_session, change_password, count, is_refused, items, run};

/// The token of one of many sessions that the test writes into the table.
fn token_of(number: u32) -> String {
    format!("bs_{number:0>43}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_forty_thousand_sessions_before_the_answer() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    run(
        &app,
        &format!(
            "INSERT INTO secret.sessions (token_hash, session_id, user_id, device_type, created_at, last_activity, expires_at)
             SELECT sha256(('bs_' || lpad(n::text, 43, '0'))::bytea), gen_random_uuid(), '{}', 'thief', now(), now(), now() + interval '1 hour'
             FROM generate_series(1, 40000) n",
            ann.id
        ),
    )
    .await;
    let stolen = [1, 17, 20_000, 40_000].map(|number| ann.with_token(token_of(number)));
    for session in &stolen {
        session.get(ME).await.expect(200);
    }
    change_password(&ann, NEW_PASSWORD).await.expect(204);
    for session in &stolen {
        is_refused(session).await;
    }
    ann.get(ME).await.expect(200);
    assert_eq!(items(&ann.get("/v1/sessions").await.expect(200)).len(), 1, "ended sessions are not listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_sessions_are_recorded_and_their_rows_removed() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for _ in 0..5 {
        another_session(&app, &ann).await.get(ME).await.expect(200);
    }
    change_password(&ann, NEW_PASSWORD).await.expect(204);
    let noted = "SELECT count(*) FROM events WHERE payload->'session.ended'->>'reason' = 'password_changed'";
    eventually("each end is in the log", async || count(&app, noted).await == 5).await;
    eventually("only the row of the active session is left", async || count(&app, "SELECT count(*) FROM secret.sessions").await == 1).await;
    ann.get(ME).await.expect(200);
    app.app().sessions.sweep().await.expect("a sweep");
    assert_eq!(count(&app, "SELECT count(*) FROM secret.session_generations WHERE noted < generation").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_effective_on_another_node_at_once() {
    let first = TestApp::start().await;
    let second = another_node(&first, &[]).await;
    let ann = first.sign_up("ann").await;
    let [stolen, signed_out] = [another_session(&first, &ann).await, another_session(&first, &ann).await];
    for session in [&ann, &stolen, &signed_out] {
        session.at(&second).get(ME).await.expect(200);
    }
    signed_out.delete("/v1/sessions/current").await.expect(204);
    is_refused(&signed_out.at(&second)).await;
    change_password(&ann, NEW_PASSWORD).await.expect(204);
    is_refused(&stolen.at(&second)).await;
    ann.at(&second).get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_effective_on_a_node_that_has_no_redis_and_on_one_that_still_has() {
    let first = TestApp::start().await;
    let without = another_node(&first, &[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")]).await;
    let ann = first.sign_up("ann").await;
    let stolen = another_session(&first, &ann).await;
    stolen.get(ME).await.expect(200);
    // The copy stays in the Redis that the first node reads.
    change_password(&ann.at(&without), NEW_PASSWORD).await.expect(204);
    for app in [&first, &without] {
        is_refused(&stolen.at(app)).await;
        ann.at(app).get(ME).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_stays_invalid_when_the_suspension_ends() {
    let app = TestApp::start().await;
    let (operator, ann) = (app.sign_up("operator").await, app.sign_up("ann").await);
    let suspension = format!("/v1/users/{}/suspension", ann.id);
    let stolen = another_session(&app, &ann).await;
    stolen.get(ME).await.expect(200);
    operator.put(&suspension, json!({})).await.expect(204);
    is_refused(&stolen).await;
    operator.delete(&suspension).await.expect(204);
    is_refused(&stolen).await;
    is_refused(&ann).await;
    another_session(&app, &ann).await.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_suspension_ends_no_session() {
    let app = TestApp::start().await;
    let (_operator, ann, mallory) = (app.sign_up("operator").await, app.sign_up("ann").await, app.sign_up("mallory").await);
    let suspension = format!("/v1/users/{}/suspension", ann.id);
    mallory.put(&suspension, json!({})).await.expect_problem(403, "server.operators_only");
    mallory.delete(&suspension).await.expect_problem(403, "server.operators_only");
    ann.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_row_has_ended_even_if_redis_has_a_copy() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let swept = another_session(&app, &ann).await;
    swept.get(ME).await.expect(200);
    run(&app, "DELETE FROM secret.sessions WHERE session_id = (SELECT session_id FROM secret.sessions ORDER BY created_at DESC LIMIT 1)")
        .await;
    is_refused(&swept).await;
    ann.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_does_not_restore_an_ended_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let mut password = PASSWORD.to_owned();
    for round in 0..5 {
        let other = ann.with_token(app.sign_in_with(&ann.email, &password).await);
        app.empty_redis().await;
        run(&app, "UPDATE secret.sessions SET last_activity = now() - interval '10 minutes'").await;
        let next = format!("{NEW_PASSWORD} {round}");
        let change = json!({"current_password": password, "new_password": next});
        // Each of these requests starts a renewal.
        let uses = join_all((0..4).map(|_| other.get(ME)));
        let (_, changed) = tokio::join!(uses, ann.put("/v1/users/me/password", change));
        changed.expect(204);
        is_refused(&other).await;
        password = next;
    }
    ann.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_session_is_renewed_in_its_row_too() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.empty_redis().await;
    run(&app, "UPDATE secret.sessions SET last_activity = now() - interval '10 minutes', expires_at = now() + interval '1 minute'").await;
    ann.get(ME).await.expect(200);
    let renewed =
        "SELECT count(*) FROM secret.sessions WHERE last_activity > now() - interval '1 minute' AND expires_at > now() + interval '1 hour'";
    eventually("the row of the session is renewed", async || count(&app, renewed).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_concurrent_changes_of_a_password_one_succeeds_and_the_other_session_ends() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let thief = another_session(&app, &ann).await;
    let (mine, theirs) = tokio::join!(change_password(&ann, NEW_PASSWORD), change_password(&thief, "crimson ladder walnut"));
    let done = [&mine, &theirs].map(|answer| answer.status == 204);
    assert!(done == [true, false] || done == [false, true], "{mine:?} {theirs:?}");
    let (winner, loser, password) = if done[0] { (&ann, &thief, NEW_PASSWORD) } else { (&thief, &ann, "crimson ladder walnut") };
    winner.get(ME).await.expect(200);
    is_refused(loser).await;
    app.sign_in_with(&ann.email, password).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sign_in_with_the_old_password_starts_no_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let read = app.app().credentials.of(ann.id.into()).await.expect("Postgres").expect("a password");
    change_password(&ann, NEW_PASSWORD).await.expect(204);
    let late = app.app().sessions.start_in(ann.id.into(), read.generation, Device::default()).await;
    assert!(matches!(late, Err(AuthError::WrongPassword)), "{late:?}");
    assert_eq!(items(&ann.get("/v1/sessions").await.expect(200)).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_beyond_the_limit_ends_the_users_oldest_session() {
    let app = TestApp::start_with(&[("BACKSCROLL_SESSIONS_MAX", "3")]).await;
    let ann = app.sign_up("ann").await;
    let others = [another_session(&app, &ann).await, another_session(&app, &ann).await];
    ann.get(ME).await.expect(200);
    let fourth = another_session(&app, &ann).await;
    is_refused(&ann).await;
    for session in others.iter().chain([&fourth]) {
        session.get(ME).await.expect(200);
    }
    let many = join_all((0..12).map(|_| another_session(&app, &ann))).await;
    let mut alive = 0;
    for session in &many {
        alive += usize::from(session.get(ME).await.status == 200);
    }
    assert_eq!(alive, 3, "concurrent sign-ins keep the limit, too");
    let ends = "SELECT count(*) FROM events WHERE payload->'session.ended'->>'reason' = 'expired'";
    eventually("the ends are in the log", async || count(&app, ends).await == 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_at_its_maximum_age_however_often_it_is_used() {
    let app = TestApp::start_with(&[("BACKSCROLL_SESSION_HOURS_MAX", "2")]).await;
    let ann = app.sign_up("ann").await;
    let started = app.post("/v1/sessions", &json!({"login": ann.email, "password": PASSWORD})).await.expect(201);
    let expires_at = started["expires_at"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok()).expect("a moment");
    assert!(expires_at <= Utc::now() + TimeDelta::hours(2), "{started}");
    run(&app, "UPDATE secret.sessions SET created_at = now() - interval '3 hours'").await;
    app.empty_redis().await;
    is_refused(&ann).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_expires_by_its_row_even_if_redis_keeps_its_copy() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    ann.get(ME).await.expect(200);
    let mut redis = app.redis().await.expect("Redis");
    let pattern = format!("{}session:*", app.redis_prefix);
    let keys = redis.keys::<_, Vec<String>>(&pattern).await.expect("the copies");
    redis.persist::<_, ()>(&keys[0]).await.expect("a copy that does not expire");
    run(&app, "UPDATE secret.sessions SET expires_at = now() - interval '1 second'").await;
    is_refused(&ann).await;
    app.app().sessions.sweep().await.expect("a sweep");
    assert_eq!(count(&app, "SELECT count(*) FROM secret.sessions").await, 0);
    assert_eq!(redis.keys::<_, Vec<String>>(&pattern).await.expect("the copies"), Vec::<String>::new(), "the copy is removed with its row");
}

/// Both statements lock the session and the generation of its person. In different orders they would deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_and_a_change_of_the_password_at_once_do_not_deadlock() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let mut current = PASSWORD.to_owned();
    for round in 0..12 {
        let person = ann.with_token(app.sign_in_with(&ann.email, &current).await);
        let new = format!("{NEW_PASSWORD} {round}");
        let body = json!({"current_password": current, "new_password": new});
        let (changed, ended) = tokio::join!(person.put("/v1/users/me/password", body), person.delete("/v1/sessions/current"));
        assert!([204, 401].contains(&changed.status.as_u16()), "{}", changed.body);
        assert!([204, 401].contains(&ended.status.as_u16()), "{}", ended.body);
        if changed.status.as_u16() == 204 {
            current = new;
        }
    }
}
