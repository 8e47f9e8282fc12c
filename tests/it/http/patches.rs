//! `null` in a merge patch (RFC 7396): it clears a property, or is refused. It is never ignored.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tests::person::send;
use tests::{Person, Team, TestApp};

async fn patch(person: &Person, path: &str, body: Value) -> tests::answer::Answer {
    send(person.request(Method::PATCH, path).header(CONTENT_TYPE, "application/merge-patch+json").body(body.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_property_that_can_be_empty_is_cleared() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (workspace, settings) = (team.path(""), team.path("/settings"));
    let all = [
        (
            "/v1/users/me",
            "/v1/users/me",
            "",
            json!({"avatar_url": "https://x.org/a.png", "title": "T", "phone": "1", "bio": "B", "pronouns": "p"}),
        ),
        ("/v1/users/me/preferences", "/v1/users/me", "", json!({"notification_settings": {"a": 1}, "theme_preferences": {"b": 2}})),
        (workspace.as_str(), workspace.as_str(), "", json!({"description": "D", "avatar_url": "https://x.org/a.png"})),
        (
            settings.as_str(),
            workspace.as_str(),
            "/settings",
            json!({"retention_policy": {"days": 30}, "upload_max_bytes": 9, "edit_window_minutes": 5}),
        ),
    ];
    for (path, shown_at, within, set) in all {
        let before = patch(&team.owner, path, set.clone()).await;
        let shown = team.owner.get_at(before.position(), shown_at).await.expect(200);
        for (name, value) in set.as_object().expect("properties") {
            assert_eq!(shown.pointer(&format!("{within}/{name}")), Some(value), "{path}");
            let cleared = patch(&team.owner, path, json!({ name: null })).await;
            assert_eq!(cleared.status, 200, "{path} {name}: {}", cleared.body);
            let shown = team.owner.get_at(cleared.position(), shown_at).await.expect(200);
            let left = shown.pointer(&format!("{within}/{name}"));
            assert!(left.is_none() || left == Some(&json!({})), "{path} {name}: {shown}");
        }
    }
    // These have a default.
    patch(&team.owner, "/v1/users/me/preferences", json!({"timezone": "Europe/Zurich", "language": "de"})).await.expect(200);
    let position = patch(&team.owner, "/v1/users/me/preferences", json!({"timezone": null, "language": null})).await.position();
    let me = team.owner.get_at(position, "/v1/users/me").await.expect(200);
    assert_eq!((&me["timezone"], &me["language"]), (&json!("UTC"), &json!("en")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_that_cannot_be_empty_is_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for (path, field) in [("/v1/users/me", "display_name"), (&*team.path(""), "name")] {
        let refused = patch(&team.owner, path, json!({ field: null })).await.expect_problem(422, "input.required");
        assert_eq!(refused["field"], field);
        // The other properties of the same patch stay too.
        let refused = patch(&team.owner, path, json!({ field: null, "avatar_url": "nowhere" })).await.expect_problem(422, "input.required");
        assert_eq!(refused["errors"].as_array().map(Vec::len), Some(2), "{refused}");
    }
    let message = team.message(&team.owner, team.general, "hello").await;
    patch(&team.owner, &format!("/v1/messages/{message}"), json!({"content": null})).await.expect_problem(400, "request.body_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_merged_and_null_removes_their_members() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let preferences = "/v1/users/me/preferences";
    patch(&team.owner, preferences, json!({"notification_settings": {"sounds": true, "days": {"mon": 1, "tue": 2}}})).await.expect(200);
    let change = json!({"notification_settings": {"sounds": null, "days": {"mon": null, "wed": 3}, "new": null}});
    let position = patch(&team.owner, preferences, change).await.position();
    let me = team.owner.get_at(position, "/v1/users/me").await.expect(200);
    assert_eq!(me["notification_settings"], json!({"days": {"tue": 2, "wed": 3}}));

    let settings = team.path("/settings");
    patch(&team.owner, &settings, json!({"retention_policy": {"days": 30, "action": "purge"}})).await.expect(200);
    let position = patch(&team.owner, &settings, json!({"retention_policy": {"days": 60, "keep_pinned": false}})).await.position();
    let shown = team.owner.get_at(position, &team.path("")).await.expect(200);
    assert_eq!(shown["settings"]["retention_policy"], json!({"days": 60, "action": "purge", "keep_pinned": false}));
    let change = json!({"retention_policy": {"days": null, "action": null}});
    let position = patch(&team.owner, &settings, change).await.position();
    let shown = team.owner.get_at(position, &team.path("")).await.expect(200);
    assert_eq!(shown["settings"]["retention_policy"], json!({"keep_pinned": false}), "for ever, and without a null");
}
