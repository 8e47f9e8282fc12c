//! Bytes that are not HTTP, and HTTP that no client should send.

use tests::{Team, TestApp};

use super::raw::{ask, ask_and_end, head, others_are_served};

/// Requests that never reach the routes, and the status of the refusal, if the server answers at all.
fn invalid() -> Vec<(&'static str, Vec<u8>, Option<u16>)> {
    let with = |headers: &str| format!("POST /v1/sessions HTTP/1.1\r\nHost: backscroll\r\n{headers}\r\n\r\n").into_bytes();
    let chunked = |body: &str| [&with("Content-Type: application/json\r\nTransfer-Encoding: chunked")[..], body.as_bytes()].concat();
    let many = (0..200).map(|n| format!("X-{n}: x")).collect::<Vec<_>>().join("\r\n");
    vec![
        ("nothing", Vec::new(), None),
        ("noise", (0..=255).cycle().take(10_000).collect(), Some(400)),
        ("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(50), Some(400)),
        ("no version", b"GET /healthz\r\n\r\n".to_vec(), Some(400)),
        ("an unknown version", b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n".to_vec(), Some(400)),
        ("a space in the address", b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Some(400)),
        ("a NUL in a header", with("X-Nul: a\0b"), Some(400)),
        ("a header without a name", with(": x"), Some(400)),
        ("a folded header", with("X-Folded: a\r\n b"), Some(400)),
        ("a header of 200 kB", with(&format!("X-Long: {}", "x".repeat(200_000))), Some(431)),
        ("an address of 200 kB", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(200_000)).into_bytes(), Some(431)),
        ("200 headers", with(&many), Some(431)),
        ("two lengths", with("Content-Length: 2\r\nContent-Length: 3"), Some(400)),
        ("a length and chunks", with("Content-Length: 2\r\nTransfer-Encoding: chunked"), Some(400)),
        ("no host", b"GET /healthz HTTP/1.1\r\n\r\n".to_vec(), Some(400)),
        // The server detects these errors while it handles the request, so it may close the connection instead.
        ("a chunk that is none", chunked("zz\r\n{}\r\n0\r\n\r\n"), Some(400)),
        ("a chunk beyond counting", chunked("ffffffffffffffffff\r\n{}"), Some(400)),
        ("a negative length", with("Content-Length: -1"), Some(400)),
        ("a length with a sign", with("Content-Length: +2"), Some(400)),
        ("a length beyond counting", with("Content-Length: 99999999999999999999999"), Some(400)),
        ("an unknown encoding of the transfer", with("Transfer-Encoding: secret"), Some(400)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_http_are_refused_and_other_clients_do_not_notice() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut wrong = Vec::new();
    for (what, bytes, expected) in invalid() {
        let status = ask_and_end(&app, &bytes).await.map(|reply| reply.status);
        let broke_off = what.contains("chunk ") && status.is_none();
        if status != expected && !broke_off {
            wrong.push((what, status, expected));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    others_are_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_requests_that_make_no_sense_are_answered_with_a_problem() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let close = "Connection: close\r\n";
    let json = format!("{close}Content-Type: application/json\r\n");
    let post = |more: &str, body: &str| head(&team.owner, "POST", &team.general("/messages"), &format!("{json}{more}")) + body;
    let get = |path: &str| head(&team.owner, "GET", path, close);
    let cases = [
        ("a compressed body", post("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"), 415, "request.content_encoding"),
        ("an address of 60 kB", get(&format!("/v1/channels/{}", "x".repeat(60_000))), 400, "request.path_invalid"),
        ("an address that climbs", get("/v1/../../etc/passwd"), 404, "request.no_such_route"),
        ("broken percents", get("/v1/channels/%ff%fe%00"), 400, "request.path_invalid"),
        ("a query of 60 kB", get(&team.general(&format!("/messages?before={}", "x".repeat(60_000)))), 400, "request.cursor_invalid"),
        ("an unknown method", head(&team.owner, "BREW", "/v1/users/me", close), 405, "request.method_not_allowed"),
        ("the old HTTP", "GET /v1/nothing HTTP/1.0\r\n\r\n".to_owned(), 404, "request.no_such_route"),
    ];
    let mut wrong = Vec::new();
    for (what, request, status, code) in cases {
        let reply = ask(&app, request.as_bytes()).await;
        if reply.as_ref().map(|reply| (reply.status, reply.code())) != Some((status, Some(code.to_owned()))) {
            wrong.push((what, reply));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let ends_early = post("Content-Length: 100\r\n", "{\"content\":");
    // The server closes the connection at once, or after the handler has noticed that the body ended.
    if let Some(reply) = ask_and_end(&app, ends_early.as_bytes()).await {
        assert_eq!((reply.status, reply.code().as_deref()), (400, Some("request.body_unreadable")), "{reply:?}");
    }
    others_are_served(&team).await;
}
