//! Health, metrics and the pages of the documentation.

use serde_json::json;
use tests::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_everything_is_ready() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/healthz").await.expect(200), json!({"status": "ok"}));
    tests::eventually("the server is ready", async || app.as_operator("/readyz").await.expect(200)["status"] == "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_count_requests_by_route() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    let text = app.as_operator("/metrics").await.expect(200);
    let text = text.as_str().expect("text");
    assert!(text.contains(r#"backscroll_http_request_seconds_count{method="POST",route="/v1/users",status="201"} 1"#), "{text}");
    // The user's registration and sign-in.
    assert!(text.contains(r#"backscroll_position{part="log"} 2"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_documentation_loads_nothing_from_other_hosts() {
    let app = TestApp::start().await;
    for path in ["/docs/", "/docs/swagger-initializer.js"] {
        let page = app.get(path).await.expect(200);
        let page = page.as_str().expect("text");
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src=\"//"), "{path}: {page}");
    }
    assert!(app.get("/docs/swagger-initializer.js").await.expect(200).as_str().is_some_and(|script| script.contains("/openapi.json")));
    assert_eq!(app.get("/openapi.json").await.expect(200)["openapi"].as_str().map(|version| version.starts_with("3.1")), Some(true));
}
