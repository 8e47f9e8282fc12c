//! HEAD answers as GET, without the body.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::HeaderMap;
use tests::answer::Answer;
use tests::person::{Person, send};
use tests::{Team, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Headers that differ from request to request. Processes append events of their own, so the log's end moves too.
const CHANGING: [&str; 4] = ["backscroll-position", "date", "ratelimit", "x-request-id"];

fn lasting(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap_or_default().to_owned())
    };
    headers.iter().map(text).filter(|(name, _)| !CHANGING.contains(&name.as_str())).collect()
}

async fn ask(app: &TestApp, by: Option<&Person>, method: Method, path: &str) -> Answer {
    let request = match by {
        Some(person) => person.request(method, path),
        None => reqwest::Client::new().request(method, format!("{}{path}", app.url)),
    };
    // A compressed answer has no length.
    send(request.header("Accept-Encoding", "identity")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_the_status_and_the_headers_of_the_get_and_no_body() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    crate::cache::settled(&app).await;
    let (workspace, members, messages) = (team.path(""), team.path("/members?limit=1"), team.general("/messages"));
    let not_a_member = [(Some(&team.stranger), workspace.as_str())];
    let others = ["/healthz", "/readyz", "/openapi.json", "/docs/", "/docs/swagger-ui.css", "/docs", "/docs/nothing", "/v1/nothing"];
    let as_anybody = ["/v1/users/me", "/v1/proof/keys", "/v1/workspaces/7"];
    let as_owner =
        ["/v1/users/me", &workspace, &members, &messages, "/v1/workspaces/current", "/v1/sessions/current", "/v1/workspaces?limit=x"];
    let all = others.into_iter().chain(as_anybody).map(|path| (None, path));
    let all =
        all.chain(as_owner.map(|path| (Some(&team.owner), path))).chain(not_a_member).chain([(Some(&team.operator), "/v1/projections")]);
    for (by, path) in all {
        let get = ask(&app, by, Method::GET, path).await;
        let head = ask(&app, by, Method::HEAD, path).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(lasting(&head.headers), lasting(&get.headers), "{path}");
        assert!(get.headers.contains_key("content-length"), "{path}: {:?}", get.headers);
        assert_eq!(head.body, serde_json::Value::Null, "{path}");
    }
    let of_operators = reqwest::Client::new().head(format!("{}/metrics", app.operators_url)).send().await.expect("an answer");
    assert_eq!(of_operators.status(), 200);
    let counted = app.as_operator("/metrics").await.expect(200);
    let counted = counted.as_str().expect("text").contains(r#"_count{method="HEAD",route="/v1/users/me",status="200"}"#);
    assert!(counted, "the metrics count a HEAD as a HEAD");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_between_other_requests_of_a_connection_ends_with_its_headers() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    let request = |method: &str, more: &str| format!("{method} /v1/users/me HTTP/1.1\r\nHost: backscroll\r\n{more}\r\n");
    // The server has read all three before it answers the first.
    let all = [request("HEAD", ""), request("HEAD", ""), request("GET", "Connection: close\r\n")].concat();
    stream.write_all(all.as_bytes()).await.expect("requests");
    let mut received = String::new();
    stream.read_to_string(&mut received).await.expect("the answers");
    let parts = received.split("HTTP/1.1 401").collect::<Vec<_>>();
    assert_eq!(parts.len(), 4, "{received}");
    assert!(parts[1].ends_with("\r\n\r\n") && parts[2].ends_with("\r\n\r\n"), "{received}");
    assert!(parts[3].contains("auth.token_missing"), "{received}");
}
