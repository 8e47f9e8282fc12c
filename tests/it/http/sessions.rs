//! Sessions.

use serde_json::{Value, json};
use tests::TestApp;
use tests::person::PASSWORD;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_by_username_or_email_and_signs_out() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let by_name = ann.with_token(app.sign_in(&ann.username.to_uppercase()).await);
    by_name.get("/v1/users/me").await.expect(200);
    by_name.delete("/v1/sessions/current").await.expect(204);
    by_name.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
    by_name.delete("/v1/sessions/current").await.expect(204);
    ann.get("/v1/users/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_login_are_refused_alike() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let sign_in = |login: String, password: &str| json!({"login": login, "password": password});
    let wrong = app.post("/v1/sessions", &sign_in(ann.email.clone(), "wrong horse battery")).await;
    assert_eq!(wrong.header("www-authenticate").map(|text| text.starts_with("Bearer")), Some(true));
    let wrong = wrong.expect_problem(401, "session.wrong_credentials");
    let unknown =
        app.post("/v1/sessions", &sign_in("nobody@example.org".into(), PASSWORD)).await.expect_problem(401, "session.wrong_credentials");
    assert_eq!(wrong["detail"], unknown["detail"]);
    app.post("/v1/sessions", &sign_in("a\0b".into(), PASSWORD)).await.expect_problem(422, "input.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_their_sessions_and_ends_one() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.sign_up("ann").await, app.sign_up("ben").await);
    let phone = app.post("/v1/sessions", &json!({"login": ann.email, "password": PASSWORD, "device_type": "phone"})).await.expect(201);
    let sessions = ann.get("/v1/sessions").await.expect(200);
    let shown = sessions["items"]
        .as_array()
        .expect("sessions")
        .iter()
        .map(|s| (s["device_type"].clone(), s["current"].clone()))
        .collect::<Vec<_>>();
    assert_eq!(shown, [(json!("phone"), json!(false)), (json!("unknown"), json!(true))]);
    assert!(!sessions.to_string().contains("bs_"), "no token is shown");

    let path = format!("/v1/sessions/{}", phone["session_id"].as_str().expect("a session"));
    ben.delete(&path).await.expect_problem(404, "session.not_found");
    ann.delete(&path).await.expect(204);
    let ended = ann.with_token(phone["token"].as_str().expect("a token").to_owned());
    ended.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let other = ann.with_token(app.sign_in(&ann.email).await);
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let wrong = ann.put("/v1/users/me/password", change("wrong", "another horse")).await.expect_problem(422, "password.wrong");
    assert_eq!(wrong["field"], "current_password");
    let short = ann.put("/v1/users/me/password", change(PASSWORD, "short")).await.expect_problem(422, "input.invalid");
    assert_eq!(short["field"], "new_password");

    ann.put("/v1/users/me/password", change(PASSWORD, "another horse")).await.expect(204);
    ann.get("/v1/users/me").await.expect(200);
    other.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
    app.post("/v1/sessions", &json!({"login": ann.email, "password": PASSWORD})).await.expect_problem(401, "session.wrong_credentials");
    app.post("/v1/sessions", &json!({"login": ann.email, "password": "another horse"})).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_signs_no_user_out() {
    // The limiter writes keys as well, so it is off.
    let app = TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", "off")]).await;
    let people = [app.sign_up("ann").await, app.sign_up("ben").await];
    assert_eq!(app.empty_redis().await, 2);
    for person in &people {
        person.get("/v1/users/me").await.expect(200);
    }
    assert_eq!(app.empty_redis().await, 2, "the sessions are cached again");

    people[0].delete("/v1/sessions/current").await.expect(204);
    people[0].get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_users_stay_signed_in_and_can_sign_out() {
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")]).await;
    let ann = app.sign_up("ann").await;
    ann.get("/v1/users/me").await.expect(200);
    let ready = app.as_operator("/readyz").await.expect(200);
    assert_eq!((&ready["status"], &ready["redis"]["ok"]), (&json!("degraded"), &json!(false)));

    ann.delete("/v1/sessions/current").await.expect(204);
    ann.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_store_holds_a_token() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let row = sqlx::query_scalar::<_, String>("SELECT string_agg(s::text, ' ') FROM secret.sessions s")
        .fetch_one(&app.app().pool)
        .await
        .expect("rows");
    let events = sqlx::query_scalar::<_, Value>("SELECT json_agg(e) FROM events e").fetch_one(&app.app().pool).await.expect("events");
    assert!(!row.contains(&ann.token) && !events.to_string().contains(&ann.token));
}
