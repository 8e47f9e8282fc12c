//! The rules that hold for every request.

use domain::{DecodeError, Event, Metadata, Recorded};
use reqwest::{Method, header};
use serde_json::json;
use tests::person::send;
use tests::{TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_404_and_a_wrong_method_is_405_with_the_allowed_ones() {
    let app = TestApp::start().await;
    app.get("/v1/nothing").await.expect_problem(404, "request.no_such_route");
    app.get("/").await.expect_problem(404, "request.no_such_route");
    let wrong = app.request(Method::POST, "/v1/users/me", None).await;
    assert_eq!(wrong.header("allow"), Some("DELETE, GET, HEAD, PATCH"));
    wrong.expect_problem(405, "request.method_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_refused_by_its_type_its_size_or_a_wrong_field() {
    let app = TestApp::start_with(&[("BACKSCROLL_BODY_BYTES_MAX", "1024")]).await;
    let ann = app.sign_up("ann").await;
    let post = |content_type: &str, body: String| {
        let request = ann.request(Method::POST, "/v1/workspaces").header(header::CONTENT_TYPE, content_type).body(body);
        send(request)
    };
    post("text/plain", "{}".into()).await.expect_problem(415, "request.media_type");
    post("application/json; charset=utf-8", r#"{"name": "Acme"}"#.into()).await.expect(201);
    post("application/json", "{".into()).await.expect_problem(400, "request.body_invalid");
    post("application/json", String::new()).await.expect_problem(400, "request.body_invalid");
    post("application/json", format!(r#"{{"name": "{}"}}"#, "x".repeat(2000))).await.expect_problem(413, "request.too_large");
    let extra = post("application/json", r#"{"name": "Acme", "nmae": 1}"#.into()).await.expect_problem(400, "request.body_invalid");
    assert!(extra["detail"].as_str().is_some_and(|detail| detail.contains("nmae")), "{extra}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_patch_is_a_body_of_a_patch_and_of_no_other_method() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let patch = |content_type: &str, body: &str| {
        let request = ann.request(Method::PATCH, "/v1/users/me").header(header::CONTENT_TYPE, content_type).body(body.to_owned());
        send(request)
    };
    for content_type in ["application/merge-patch+json", "Application/Merge-Patch+JSON; charset=utf-8", "application/json"] {
        let position = patch(content_type, r#"{"title": "Captain", "bio": "At sea"}"#).await.position();
        let shown = ann.get_at(position, "/v1/users/me").await.expect(200);
        assert_eq!((&shown["title"], &shown["bio"]), (&json!("Captain"), &json!("At sea")), "{content_type}");
        // `null` removes a member, and an absent member stays.
        let position = patch(content_type, r#"{"title": null}"#).await.position();
        let shown = ann.get_at(position, "/v1/users/me").await.expect(200);
        assert_eq!((&shown["title"], &shown["bio"]), (&json!(null), &json!("At sea")), "{content_type}");
    }
    for content_type in ["application/json-patch+json", "application/merge-patch", "text/plain", "application/vnd.api+json"] {
        patch(content_type, "{}").await.expect_problem(415, "request.media_type");
    }
    let post = ann.request(Method::POST, "/v1/workspaces").header(header::CONTENT_TYPE, "application/merge-patch+json");
    send(post.body(r#"{"name": "Acme"}"#)).await.expect_problem(415, "request.media_type");
}

/// The unsealed metadata of the first event of this type.
async fn metadata_of(app: &TestApp, event_type: &str) -> Metadata {
    let (pool, mut found) = (&app.app().pool, None);
    let each = |event: Result<Recorded<Event>, DecodeError>| {
        let event = event.expect("an event");
        found = found.take().or((event.event.wire_name() == event_type).then_some(event.metadata));
    };
    stores::log::read_log(pool, &tests::keyring(pool).await, each).await.expect("the log");
    found.expect("the event")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identifier_of_a_request_is_in_the_answer_and_in_the_log() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let request = ann.request(Method::POST, "/v1/workspaces").header("X-Request-Id", "order-17").header("User-Agent", "a test");
    let answer = send(request.json(&json!({"name": "Acme"}))).await;
    assert_eq!(answer.header("x-request-id"), Some("order-17"));
    answer.expect(201);
    let metadata = metadata_of(&app, "workspace.created").await;
    assert_eq!(
        (metadata.request_id.as_deref(), metadata.user_agent.as_deref(), metadata.address.as_deref()),
        (Some("order-17"), Some("a test"), Some("127.0.0.1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_address_is_that_of_the_peer_unless_a_proxy_is_trusted() {
    for (trusted, expected) in [("", "127.0.0.1"), ("127.0.0.0/8", "198.51.100.7")] {
        let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", trusted)]).await;
        let ann = app.sign_up("ann").await;
        let request =
            ann.request(Method::PUT, "/v1/users/me/custom-status").header("X-Forwarded-For", "198.51.100.7").json(&json!({"text": "here"}));
        send(request).await.expect(200);
        assert_eq!(metadata_of(&app, "user.status_changed").await.address.as_deref(), Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_reads_their_own_writes() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for n in 0..20 {
        let title = format!("title {n}");
        let position = ann.patch("/v1/users/me", json!({"title": title})).await.position();
        assert_eq!(ann.get_at(position, "/v1/users/me").await.expect(200)["title"], title);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_answers_the_running_requests_and_then_no_others() {
    let mut app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.stop().await;
    let url = format!("{}/healthz", app.url);
    eventually("the server does not answer any more", async || reqwest::get(&url).await.is_err()).await;
    drop(ann);
}
