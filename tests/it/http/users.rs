//! Users.

use serde_json::{Value, json};
use tests::person::PASSWORD;
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_registers_signs_in_and_reads_their_profile() {
    let app = TestApp::start().await;
    let registration =
        json!({"email": "Ann@Example.org", "username": "ann", "display_name": "Ann", "password": PASSWORD, "timezone": "Europe/Zurich"});
    let registered = app.post("/v1/users", &registration).await;
    let position = registered.position();
    let user_id = registered.expect(201)["user_id"].clone();

    let token = app.sign_in("ann@example.ORG").await;
    let ann = app.sign_up("somebody").await.with_token(token);
    let me = ann.get_at(position, "/v1/users/me").await.expect(200);
    assert_eq!((&me["user_id"], &me["timezone"], &me["is_operator"]), (&user_id, &json!("Europe/Zurich"), &json!(true)));
    assert!(me.get("password_hash").is_none(), "{me}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_user_is_an_operator() {
    let app = TestApp::start().await;
    let (first, second) = (app.sign_up("first").await, app.sign_up("second").await);
    first.get("/v1/projections").await.expect(200);
    second.get("/v1/projections").await.expect_problem(403, "server.operators_only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_username_or_email_is_refused_and_the_password_is_not_stored() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let credentials = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM secret.credentials").fetch_one(&app.app().pool).await.expect("a count")
    };
    let before = credentials().await;

    let with = |email: &str, username: &str| json!({"email": email, "username": username, "display_name": "B", "password": PASSWORD});
    let taken = app.post("/v1/users", &with(&ann.email.to_uppercase(), "other")).await.expect_problem(409, "user.email_taken");
    assert_eq!(taken["field"], "email");
    app.post("/v1/users", &with("other@example.org", &ann.username)).await.expect_problem(409, "user.username_taken");
    assert_eq!(credentials().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_registration_names_the_field() {
    let app = TestApp::start().await;
    let with = |field: &str, value: Value| {
        let mut body = json!({"email": "ann@example.org", "username": "ann", "display_name": "Ann", "password": PASSWORD});
        body[field] = value;
        body
    };
    for (field, value) in
        [("email", json!("nowhere")), ("username", json!("a b")), ("display_name", json!(" ")), ("password", json!("1234567"))]
    {
        let problem = app.post("/v1/users", &with(field, value)).await.expect_problem(422, "input.invalid");
        assert_eq!(problem["field"], field);
    }
    let problem = app.post("/v1/users", &with("email", json!(7))).await.expect_problem(400, "request.body_invalid");
    assert_eq!(problem["field"], "email");
    app.post("/v1/users", &with("is_operator", json!(true))).await.expect_problem(400, "request.body_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_change_of_the_profile_keeps_the_other_fields() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    ann.patch("/v1/users/me", json!({"title": "Engineer", "pronouns": "she/her"})).await.expect(200);
    let changed = ann.patch("/v1/users/me", json!({"title": null, "bio": "Hello"})).await;
    let me = ann.get_at(changed.position(), "/v1/users/me").await.expect(200);
    assert_eq!(
        (&me["title"], &me["pronouns"], &me["bio"], &me["display_name"]),
        (&Value::Null, &json!("she/her"), &json!("Hello"), &json!("ann"))
    );

    let problem = ann.patch("/v1/users/me", json!({"avatar_url": "ftp://x"})).await.expect_problem(422, "input.invalid");
    assert_eq!(problem["field"], "avatar_url");
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_and_the_status_are_changed_and_cleared() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    ann.patch("/v1/users/me/preferences", json!({"language": "de", "theme_preferences": {"dark": true}})).await.expect(200);
    ann.put("/v1/users/me/custom-status", json!({"text": "Away", "emoji": "palm_tree"})).await.expect(200);
    let me =
        ann.get_at(ann.patch("/v1/users/me/preferences", json!({"timezone": "UTC"})).await.position(), "/v1/users/me").await.expect(200);
    assert_eq!(
        (&me["language"], &me["theme_preferences"], &me["custom_status"]["text"]),
        (&json!("de"), &json!({"dark": true}), &json!("Away"))
    );

    let cleared = ann.put("/v1/users/me/custom-status", json!({})).await.position();
    assert_eq!(ann.get_at(cleared, "/v1/users/me").await.expect(200)["custom_status"], Value::Null);
    ann.put("/v1/users/me/custom-status", json!({"text": "Away", "expires_at": "2001-01-01T00:00:00Z"}))
        .await
        .expect_problem(422, "user.custom_status_over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_zone_that_does_not_exist_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for zone in ["Nowhere!", "Mars/Base", "Europe/Zürich", "america/santiago", "+02:00"] {
        let refused = ann.patch("/v1/users/me/preferences", json!({"timezone": zone})).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "timezone", "{zone}");
        let bob = json!({"email": "bob@example.org", "username": "bob", "display_name": "Bob", "password": PASSWORD, "timezone": zone});
        assert_eq!(app.post("/v1/users", &bob).await.expect_problem(422, "input.invalid")["field"], "timezone", "{zone}");
    }
    ann.patch("/v1/users/me/preferences", json!({"timezone": "America/Santiago"})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_no_row_can_store_is_refused_and_not_appended() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for kept in [json!({"a\u{0}b": 1}), json!({"a": [{"b": "\u{0}"}]}), json!({"a": "x".repeat(70_000)})] {
        let refused = ann.patch("/v1/users/me/preferences", json!({"theme_preferences": kept})).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "theme_preferences");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_only_users_of_their_workspaces() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let position = team.post(&team.owner, team.general, "all are here").await.position();
    let member = format!("/v1/users/{}", team.member.id);

    let shown = team.owner.get_at(position, &member).await.expect(200);
    assert_eq!(shown["username"], team.member.username.as_str());
    assert!(shown.get("notification_settings").is_none(), "{shown}");
    team.stranger.get_at(position, &member).await.expect_problem(404, "user.not_found");

    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.member.id))).await.expect(200);
    team.owner.get(&member).await.expect_problem(404, "user.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_user_cannot_sign_in_until_the_suspension_ends() {
    let app = TestApp::start().await;
    let (operator, ann) = (app.sign_up("operator").await, app.sign_up("ann").await);
    let suspension = format!("/v1/users/{}/suspension", ann.id);

    ann.put(&suspension, json!({})).await.expect_problem(403, "server.operators_only");
    operator.put(&suspension, json!({"reason": "test"})).await.expect(204);
    ann.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
    ann.patch("/v1/users/me", json!({"title": "X"})).await.expect_problem(401, "auth.token_invalid");
    app.post("/v1/sessions", &json!({"login": ann.email, "password": PASSWORD})).await.expect_problem(403, "user.not_active");
    operator.put(&suspension, json!({})).await.expect(204);

    operator.delete(&suspension).await.expect(204);
    ann.with_token(app.sign_in(&ann.email).await).get("/v1/users/me").await.expect(200);
    operator.delete(&suspension).await.expect(204);
}
