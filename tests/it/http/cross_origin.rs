//! Web pages of other origins.

use reqwest::Method;
use serde_json::json;
use tests::answer::Answer;
use tests::person::send;
use tests::{Team, TestApp};

const PAGE: &str = "https://app.example.org";
/// The headers that a page reads.
const EXPOSED: [&str; 9] = [
    "backscroll-position",
    "etag",
    "idempotency-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];
/// Every header of ours that an answer may have, and that no browser shows by itself.
const OURS: [&str; 11] = [
    "allow",
    "backscroll-export-key",
    "backscroll-position",
    "etag",
    "idempotency-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];
const OTHERS: [&str; 4] = ["https://evil.example.org", "http://app.example.org", "https://app.example.org.evil.example", "null"];

/// The request by which a browser asks whether a page may send a request.
async fn preflight(app: &TestApp, origin: &str, method: &str, headers: &str) -> Answer {
    let request = reqwest::Client::new().request(Method::OPTIONS, format!("{}/v1/users/me", app.url)).header("Origin", origin);
    send(request.header("Access-Control-Request-Method", method).header("Access-Control-Request-Headers", headers)).await
}

fn list(answer: &Answer, name: &str) -> Vec<String> {
    let text = answer.header(name).unwrap_or_default().to_lowercase();
    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_sends_requests_and_reads_answers() {
    let app = TestApp::start_with(&[("BACKSCROLL_ALLOWED_ORIGINS", "http://localhost:3000, https://app.example.org")]).await;
    let team = Team::found(&app).await;
    let headers = "authorization,content-type,idempotency-key,backscroll-min-position,x-request-id,if-match,if-none-match,last-event-id";
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let allowed = preflight(&app, PAGE, method, headers).await;
        assert_eq!(allowed.status, 200, "{method}: {}", allowed.body);
        assert_eq!(allowed.header("access-control-allow-origin"), Some(PAGE));
        assert!(list(&allowed, "access-control-allow-methods").contains(&method.to_lowercase()));
        assert!(headers.split(',').all(|name| list(&allowed, "access-control-allow-headers").contains(&name.to_owned())));
        assert_eq!(allowed.header("access-control-max-age"), Some("3600"));
        assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"), "its pages may send the cookie");
        assert!(list(&allowed, "vary").contains(&"origin".to_owned()));
    }

    let post = team.owner.request(Method::POST, &team.general("/messages")).header("Origin", PAGE).json(&json!({"content": "hello"}));
    let wrong = reqwest::Client::new().get(format!("{}/v1/nothing", app.url)).header("Origin", PAGE);
    for (answer, status) in [(send(post).await, 201), (send(wrong).await, 404)] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        let exposed = list(&answer, "access-control-expose-headers");
        for name in EXPOSED {
            assert!(exposed.contains(&name.to_owned()), "{name}: {exposed:?}");
        }
        assert!(list(&answer, "vary").contains(&"origin".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_reads_problems_and_the_headers_of_a_head_too() {
    let settings = [
        ("BACKSCROLL_ALLOWED_ORIGINS", PAGE),
        ("BACKSCROLL_BODY_BYTES_MAX", "1024"),
        ("BACKSCROLL_RATE_LIMITS", "all=1000000/60 search=1/60"),
    ];
    let app = TestApp::start_with(&settings).await;
    let team = Team::found(&app).await;
    let by = |method: Method, path: &str| team.owner.request(method, path).header("Origin", PAGE);
    let search = team.path("/search/messages?q=x");
    send(by(Method::GET, &search)).await.expect(200);
    let large = by(Method::POST, &team.general("/messages")).json(&json!({"content": "x".repeat(2000)}));
    let nobody = reqwest::Client::new().get(format!("{}/v1/users/me", app.url)).header("Origin", PAGE);
    for (request, status) in [
        (by(Method::GET, &search), 429),
        (large, 413),
        (nobody, 401),
        (by(Method::HEAD, "/v1/users/me"), 200),
        (by(Method::GET, &team.path("/members?limit=0")), 400),
        (by(Method::TRACE, "/v1/users/me"), 405),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{status}");
        let exposed = list(&answer, "access-control-expose-headers");
        for name in answer.headers.keys().map(|name| name.as_str()).filter(|name| OURS.contains(name)) {
            assert!(exposed.contains(&name.to_owned()), "{name} of {status} is not exposed: {exposed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_may_neither_send_requests_nor_read_answers() {
    let app = TestApp::start_with(&[("BACKSCROLL_ALLOWED_ORIGINS", PAGE)]).await;
    for origin in OTHERS {
        let refused = preflight(&app, origin, "PATCH", "authorization").await;
        assert_eq!(refused.header("access-control-allow-origin"), None, "{origin}");
        refused.expect_problem(403, "request.origin_refused");
        let read = send(reqwest::Client::new().get(format!("{}/healthz", app.url)).header("Origin", origin)).await;
        assert_eq!(read.header("access-control-allow-origin"), None, "{origin}");
        assert!(list(&read, "vary").contains(&"origin".to_owned()), "a cache must not answer an allowed origin with this");
        read.expect(200);
    }
    preflight(&app, PAGE, "TRACE", "").await.expect_problem(403, "request.origin_refused");
    preflight(&app, PAGE, "PATCH", "x-unknown").await.expect_problem(403, "request.origin_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_origin_is_allowed() {
    let app = TestApp::start().await;
    let refused = preflight(&app, PAGE, "PATCH", "authorization").await;
    assert_eq!(refused.header("access-control-allow-origin"), None);
    refused.expect_problem(405, "request.method_not_allowed");
    let read = send(reqwest::Client::new().get(format!("{}/healthz", app.url)).header("Origin", PAGE)).await;
    assert_eq!(read.header("access-control-allow-origin"), None);
    assert!(!list(&read, "vary").contains(&"origin".to_owned()), "the answer does not depend on the origin");
}
