//! What a client without a session can make the server store, reveal or hold in memory.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Team, TestApp, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::raw::{LIMIT, Reply, connect, others_are_served, until_closed};

/// The number of invented requests of a test.
const MADE_UP: usize = 3_000;
/// The number of requests that are sent before their answers are read.
const PIPELINED: usize = 100;

async fn figures(app: &TestApp) -> String {
    app.as_operator("/metrics").await.expect(200).as_str().expect("text").to_owned()
}

/// Sends pipelined requests, and reads as many answers.
async fn send_all(app: &TestApp, requests: impl Iterator<Item = String>) {
    let mut stream = connect(app).await;
    let requests = requests.collect::<Vec<_>>();
    for batch in requests.chunks(PIPELINED) {
        stream.write_all(batch.concat().as_bytes()).await.expect("requests");
        let mut text = Vec::new();
        while String::from_utf8_lossy(&text).matches("HTTP/1.1 ").count() < batch.len() {
            let read = timeout(LIMIT, stream.read_buf(&mut text)).await.expect("answers in time").expect("answers");
            assert!(read > 0, "the connection was closed: {}", String::from_utf8_lossy(&text));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_methods_paths_hosts_and_codes_add_nothing_to_the_metrics() {
    let app = TestApp::start().await;
    let one = |method: &str, n: &str| {
        format!("{method} /made-up-{n}?made-up={n} HTTP/1.1\r\nHost: made-up-{n}\r\nX-Request-Id: made-up-{n}\r\n\r\n")
    };
    // These requests create every combination of labels that can occur.
    send_all(&app, ["GET", "POST", "MADEUP"].iter().map(|method| one(method, "0"))).await;
    let before = figures(&app).await;
    send_all(&app, (0..MADE_UP).map(|n| one(["GET", "POST"].get(n % 3).unwrap_or(&&*format!("MADEUP{n}")), &n.to_string()))).await;
    let after = figures(&app).await;
    assert_eq!(after.lines().count(), before.lines().count(), "{after}");
    let made_up = |text: &str| text.to_lowercase().contains("made-up") || text.contains("MADEUP");
    assert!(!made_up(&after), "{after}");
    assert!(after.contains(r#"_count{method="other",route="none",status="404"}"#), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_the_state_of_parts_are_for_operators_only() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    app.get("/metrics").await.expect_problem(404, "request.no_such_route");
    team.operator.get("/metrics").await.expect_problem(404, "request.no_such_route");
    assert_eq!(app.get("/readyz").await.expect(200), json!({"status": "ready"}));
    let details = app.as_operator("/readyz").await.expect(200);
    assert_eq!(details["postgres"], json!({"ok": true, "state": "answers"}));
    assert_eq!(app.as_operator("/healthz").await.expect(200), json!({"status": "ok"}));
    // The operators' address serves nothing else, because nobody signs in there.
    for path in ["/v1/users/me", "/v1/proof/keys", "/openapi.json", "/docs/"] {
        let answer = reqwest::get(format!("{}{path}", app.operators_url)).await.expect("an answer");
        let (status, problem) = (answer.status(), answer.json::<Value>().await.expect("a problem"));
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("request.no_such_route")), "{path}");
    }
    let off = TestApp::start_with(&[("BACKSCROLL_OPERATORS_LISTEN", "off")]).await;
    assert_eq!(off.operators_url, "");
    off.get("/metrics").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_that_the_server_is_unavailable_but_not_why() {
    let app = TestApp::start().await;
    app.app().pool.close().await;
    app.app().stores.pool.close().await;
    let mut told = Value::Null;
    // The server uses the last result of its check for a second.
    eventually("the server is not ready", async || {
        let answer = app.get("/readyz").await;
        told = answer.body;
        answer.status == 503
    })
    .await;
    assert_eq!(told, json!({"status": "unavailable"}));
    let details = app.as_operator("/readyz").await.expect(503);
    assert_eq!((&details["status"], &details["postgres"]["ok"]), (&json!("unavailable"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_browsers_to_load_or_run_anything_of_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let answers = [
        app.get("/healthz").await,
        app.get("/openapi.json").await,
        app.get("/v1/nothing").await,
        app.get("/v1/users/me").await,
        app.request(Method::POST, "/v1/users/me", None).await,
        app.request(Method::TRACE, "/v1/users/me", None).await,
        team.owner.get("/v1/users/me").await,
        team.owner.post("/v1/workspaces", json!({"name": ""})).await,
        app.as_operator("/metrics").await,
        app.as_operator("/nothing").await,
        app.get("/docs/").await,
        app.get("/docs/swagger-ui.css").await,
        app.get("/docs/nothing").await,
    ];
    for answer in answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{}: {name}", answer.asked);
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{}: {policy}", answer.asked);
        assert!(!policy.contains("script-src 'unsafe") && !policy.contains("http"), "{}: {policy}", answer.asked);
        assert_eq!(policy.contains("script-src 'self'"), answer.asked.contains("/docs/"), "{}: {policy}", answer.asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_documentation_has_no_inline_script_and_stores_no_token() {
    let app = TestApp::start().await;
    let page = app.get("/docs/").await.expect(200);
    let page = page.as_str().expect("text");
    // Scripts are loaded only by address, so that the content policy covers them.
    let scripts = page.split("<script").skip(1).collect::<Vec<_>>();
    assert!(!scripts.is_empty() && scripts.iter().all(|script| script.split('>').next().is_some_and(|tag| tag.contains("src="))), "{page}");
    assert!(!page.contains(" onload=") && !page.contains("javascript:"), "{page}");
    let initializer = app.get("/docs/swagger-initializer.js").await.expect(200);
    let initializer = initializer.as_str().expect("text");
    assert!(initializer.contains(r#""persistAuthorization": false"#) || !initializer.contains("persistAuthorization"), "{initializer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn public_pages_without_a_limit_are_not_compressed_for_each_request() {
    let app = TestApp::start().await;
    for path in ["/openapi.json", "/docs/swagger-ui-bundle.js"] {
        let request = reqwest::Client::new().get(format!("{}{path}", app.url)).header("Accept-Encoding", "gzip, br, zstd");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.headers().get("content-encoding").map(reqwest::header::HeaderValue::as_bytes), Some(&b"identity"[..]), "{path}");
        let length = answer.content_length();
        assert_eq!(answer.bytes().await.expect("the whole").len() as u64, length.expect("a length"), "{path}");
    }
}

/// A connection from this local address.
async fn connect_from(app: &TestApp, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{from}:0").parse().expect("an address")).expect("an address of this machine");
    let to = app.url.trim_start_matches("http://").parse().expect("an address");
    socket.connect(to).await.expect("a connection")
}

/// Checks that the server has closed a connection on which nothing was sent, and that it gave the reason.
async fn is_refused(mut stream: TcpStream) {
    let reply = Reply::parse(&until_closed(&mut stream).await).expect("an answer");
    assert_eq!((reply.status, reply.code().as_deref()), (429, Some("request.too_many_connections")), "{reply:?}");
}

async fn healthz(mut stream: TcpStream) -> Option<u16> {
    // The server may close a refused connection before this write.
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: backscroll\r\nConnection: close\r\n\r\n").await;
    Reply::parse(&until_closed(&mut stream).await).map(|reply| reply.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_holds_connections_up_to_its_limit_and_others_are_served() {
    let app = TestApp::start_with(&[("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "4")]).await;
    let mut held = Vec::new();
    for n in 0..4 {
        let mut stream = connect_from(&app, "127.0.0.2").await;
        // Half of the connections are silent; the others send half a request.
        if n % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: back").await.expect("half a head");
        }
        held.push(stream);
    }
    for _ in 0..20 {
        is_refused(connect_from(&app, "127.0.0.2").await).await;
    }
    assert_eq!(healthz(connect_from(&app, "127.0.0.3").await).await, Some(200));
    assert!(figures(&app).await.contains("backscroll_connections_refused_total 20"));
    drop(held.pop());
    eventually("connections are free again", async || healthz(connect_from(&app, "127.0.0.2").await).await == Some(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_may_hold_more_connections_than_an_address() {
    let settings = [("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "2"), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.2/32")];
    let app = TestApp::start_with(&settings).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(connect_from(&app, "127.0.0.2").await);
    }
    assert_eq!(healthz(connect_from(&app, "127.0.0.2").await).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_the_operators_address_ends_soon_however_slowly_it_reads() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.operators_url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").await.expect("half a head");
    let begun = tokio::time::Instant::now();
    let received = until_closed(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(Reply::parse(&received).map(|reply| reply.status), Some(408));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_no_answers_hold_no_copies_of_the_documentation() {
    const CLIENTS: usize = 100;
    let app = TestApp::start_program(&[]).await;
    let team = Team::found(&app).await;
    app.get("/docs/swagger-ui-bundle.js").await.expect(200);
    others_are_served(&team).await;
    let before = app.program().memory();
    let mut held = Vec::new();
    for n in 0..CLIENTS {
        let mut stream = connect(&app).await;
        let path = if n % 2 == 0 { "/docs/swagger-ui-bundle.js" } else { "/openapi.json" };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(20).as_bytes()).await.expect("requests");
        held.push(stream);
    }
    others_are_served(&team).await;
    let more = app.program().memory_peak().saturating_sub(before);
    println!("{CLIENTS} clients that read nothing take {} kB each", more / 1024 / CLIENTS as u64);
    // A separate copy of the script for each client would take 1.4 MB.
    assert!(more < CLIENTS as u64 * 400 * 1024, "{more} bytes more");
}
