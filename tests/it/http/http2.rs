//! HTTP/2 without TLS, at the address of HTTP/1.1 and with its limits.

use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tests::{Person, Team, TestApp, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Short limits, so that a test can wait for them.
const QUICK: [(&str, &str); 3] =
    [("BACKSCROLL_REQUEST_HEAD_SECONDS", "2"), ("BACKSCROLL_REQUEST_BODY_SECONDS", "2"), ("BACKSCROLL_IDLE_SECONDS", "2")];
/// The longest time that a test waits for the server.
const LIMIT: Duration = Duration::from_secs(20);

/// A connection of HTTP/2.
struct Http2 {
    requests: SendRequest<Bytes>,
    /// Ends with the connection.
    driver: JoinHandle<Result<(), h2::Error>>,
    host: String,
}

impl Http2 {
    async fn connect(app: &TestApp) -> Self {
        let host = app.url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).await.expect("a connection");
        let (requests, connection) = Builder::new().handshake::<_, Bytes>(stream).await.expect("HTTP/2");
        Self { requests, driver: tokio::spawn(connection), host }
    }

    fn request(&self, by: Option<&Person>, method: &str, path: &str) -> Request<()> {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.host));
        let request = by.into_iter().fold(request, |request, by| request.header("authorization", format!("Bearer {}", by.token)));
        request.header("content-type", "application/json").body(()).expect("a request")
    }

    /// Begins a request whose body follows.
    async fn begin(&self, by: &Person, method: &str, path: &str) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let mut requests = self.requests.clone().ready().await.expect("a stream");
        requests.send_request(self.request(Some(by), method, path), false).expect("a request")
    }

    async fn ask(&self, by: Option<&Person>, method: &str, path: &str, body: Option<Value>) -> (StatusCode, HeaderMap, Value) {
        let mut requests = self.requests.clone().ready().await.expect("a stream");
        let (answer, mut stream) = requests.send_request(self.request(by, method, path), body.is_none()).expect("a request");
        if let Some(body) = body {
            stream.send_data(body.to_string().into(), true).expect("a body");
        }
        read(answer).await.expect("an answer")
    }

    /// Whether the server has ended the connection in order.
    async fn has_ended(self) -> bool {
        timeout(LIMIT, self.driver).await.expect("the connection ends").expect("no panic").is_ok()
    }
}

async fn read(answer: h2::client::ResponseFuture) -> Result<(StatusCode, HeaderMap, Value), h2::Error> {
    let (head, mut body) = timeout(LIMIT, answer).await.expect("an answer in time")?.into_parts();
    let mut received = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        received.extend_from_slice(&chunk);
    }
    Ok((head.status, head.headers, serde_json::from_slice(&received).unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_serves_both_versions_alike() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let http2 = Http2::connect(&app).await;
    let text = "x".repeat(30_000);
    let (status, headers, posted) = http2.ask(Some(&team.owner), "POST", &team.general("/messages"), Some(json!({"content": text}))).await;
    assert_eq!(status, 201, "{posted}");
    let position = headers["backscroll-position"].to_str().expect("text").parse::<i64>().expect("a position");
    let as_http1 = team.owner.get_at(position, headers["location"].to_str().expect("text")).await;
    let (status, headers, shown) = http2.ask(Some(&team.owner), "GET", headers["location"].to_str().expect("text"), None).await;
    assert_eq!((status.as_u16(), &shown), (200, &as_http1.body));
    for name in ["content-type", "cache-control", "content-security-policy", "ratelimit-policy"] {
        assert_eq!(headers.get(name).and_then(|value| value.to_str().ok()), as_http1.header(name), "{name}");
    }
    assert!(["date", "x-request-id"].iter().all(|name| headers.contains_key(*name)), "{headers:?}");
    assert!(["connection", "transfer-encoding"].iter().all(|name| !headers.contains_key(*name)), "{headers:?}");

    let (status, headers, body) = http2.ask(Some(&team.owner), "HEAD", "/v1/users/me", None).await;
    assert_eq!((status.as_u16(), body), (200, Value::Null));
    assert!(headers.contains_key("content-length"), "{headers:?}");
    let (status, headers, _) = http2.ask(Some(&team.owner), "PUT", &team.general("/topic"), Some(json!({"topic": "news"}))).await;
    assert_eq!((status.as_u16(), headers.contains_key("content-length")), (200, true));
    let (status, headers, problem) = http2.ask(None, "GET", "/v1/users/me", None).await;
    assert_eq!((status.as_u16(), &problem["code"]), (401, &json!("auth.token_missing")));
    assert!(headers.contains_key("www-authenticate"));
    let too_large = json!({"content": "x".repeat(2 * 1024 * 1024)});
    let mut requests = http2.requests.clone().ready().await.expect("a stream");
    let (answer, mut stream) =
        requests.send_request(http2.request(Some(&team.owner), "POST", &team.general("/messages")), false).expect("a request");
    stream.send_data(too_large.to_string().into(), true).expect("a body");
    let (status, _, problem) = read(answer).await.expect("an answer");
    assert_eq!((status.as_u16(), &problem["code"]), (413, &json!("request.too_large")));
    // Many requests at a time, over the same connection.
    let many = futures::future::join_all((0..80).map(|_| http2.ask(Some(&team.owner), "GET", "/v1/users/me", None))).await;
    assert!(many.iter().all(|(status, ..)| status.as_u16() == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_a_limited_number_of_requests_and_a_request_a_limited_head() {
    let app = TestApp::start().await;
    let http2 = Http2::connect(&app).await;
    http2.ask(None, "GET", "/healthz", None).await;
    assert_eq!(http2.requests.current_max_send_streams(), 100);
    let mut request = http2.request(None, "GET", "/healthz");
    request.headers_mut().insert("x-large", "x".repeat(70_000).parse().expect("a header"));
    let answer = http2.requests.clone().send_request(request, true).expect("a request").0;
    assert!(matches!(read(answer).await, Ok((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ..)) | Err(_)));
    let (status, ..) = Http2::connect(&app).await.ask(None, "GET", "/healthz", None).await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_connection_count_among_the_connections_of_their_address() {
    let app = TestApp::start_with(&[("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "6")]).await;
    let team = Team::found(&app).await;
    let http2 = Http2::connect(&app).await;
    let mut held = Vec::new();
    // Other connections of this test hold places too, so the number of requests that are let in is not exact.
    let refused = loop {
        assert!(held.len() < 7, "no request was refused");
        let (answer, stream) = http2.begin(&team.owner, "POST", &team.general("/messages")).await;
        let mut answer = Box::pin(answer);
        match timeout(Duration::from_millis(300), &mut answer).await {
            Ok(refused) => break refused.expect_err("a refusal"),
            Err(_) => held.push((answer, stream)),
        }
    };
    assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM), "{refused}");
    assert!(held.len() >= 2);
    for (answer, mut stream) in held {
        stream.send_data(json!({"content": "hello"}).to_string().into(), true).expect("a body");
        assert_eq!(answer.await.expect("an answer").status(), 201);
    }
    assert_eq!(http2.ask(Some(&team.owner), "GET", "/v1/users/me", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_or_half_a_request_is_disconnected() {
    let app = TestApp::start_with(&QUICK).await;
    let team = Team::found(&app).await;
    assert!(Http2::connect(&app).await.has_ended().await, "a connection without a request");
    let http2 = Http2::connect(&app).await;
    let (answer, _stream) = http2.begin(&team.owner, "POST", &team.general("/messages")).await;
    let (status, _, problem) = read(answer).await.expect("an answer");
    assert_eq!((status.as_u16(), &problem["code"]), (408, &json!("request.too_slow")));
    assert!(http2.has_ended().await, "an idle connection");
    // Half a preface, and half a frame.
    for begun in [&b"PRI * HTT"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x40"] {
        let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
        stream.write_all(begun).await.expect("a beginning");
        let mut received = Vec::new();
        drop(timeout(LIMIT, stream.read_to_end(&mut received)).await.expect("the server closes the connection"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_after_the_preface_ends_the_connection_and_the_server_goes_on() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("a preface");
    stream.write_all(&[0xff; 4096]).await.expect("garbage");
    let mut received = Vec::new();
    drop(timeout(LIMIT, stream.read_to_end(&mut received)).await.expect("the server closes the connection"));
    let (status, ..) = Http2::connect(&app).await.ask(None, "GET", "/healthz", None).await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_answers_the_running_requests_and_ends_the_connection_in_order() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (http2, idle) = (Http2::connect(&app).await, Http2::connect(&app).await);
    idle.ask(None, "GET", "/healthz", None).await;
    let (answer, mut stream) = http2.begin(&team.owner, "POST", &team.general("/messages")).await;
    http2.ask(None, "GET", "/healthz", None).await;
    let mut requests = http2.requests.clone();
    let rest = async {
        assert!(idle.has_ended().await, "an idle connection ends at once");
        // The server has said that it takes no further requests.
        eventually("no further request is begun", async || futures::future::poll_fn(|context| requests.poll_ready(context)).await.is_err())
            .await;
        stream.send_data(json!({"content": "the last"}).to_string().into(), true).expect("a body");
        read(answer).await.expect("an answer")
    };
    let (_, (status, _, posted)) = tokio::join!(app.stop(), rest);
    assert_eq!(status, 201, "{posted}");
    drop(requests);
    assert!(http2.has_ended().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_ends_and_gives_its_place_back() {
    let app = TestApp::start_with(&[("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "6")]).await;
    let team = Team::found(&app).await;
    let http2 = Http2::connect(&app).await;
    // More requests than an address may have at a time, one after the other. Each is cancelled before its body has ended.
    for _ in 0..12 {
        let (answer, mut stream) = http2.begin(&team.owner, "POST", &team.general("/messages")).await;
        stream.send_data(Bytes::from_static(b"{\"content\": \"never sent"), false).expect("a part of a body");
        http2.ask(None, "GET", "/healthz", None).await;
        stream.send_reset(Reason::CANCEL);
        drop(answer);
    }
    let (status, _, page) = http2.ask(Some(&team.owner), "GET", &team.general("/messages"), None).await;
    assert_eq!(status, 200, "{page}");
    assert!(!page.to_string().contains("never sent"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_cancelled_requests_ends_only_its_own_connection() {
    let app = TestApp::start_program(&[]).await;
    let team = Team::found(&app).await;
    let before = app.program().memory();
    let http2 = Http2::connect(&app).await;
    let mut requests = http2.requests.clone();
    let flood = async {
        for n in 0..50_000 {
            if futures::future::poll_fn(|context| requests.poll_ready(context)).await.is_err() {
                return n;
            }
            let Ok((_, mut stream)) = requests.send_request(http2.request(Some(&team.owner), "GET", "/v1/users/me"), false) else {
                return n;
            };
            stream.send_reset(Reason::CANCEL);
        }
        50_000
    };
    let flooded = timeout(Duration::from_secs(60), flood).await.expect("the flood ends");
    let more = app.program().memory_peak().saturating_sub(before);
    println!("{flooded} requests were cancelled at once: {} kB more", more / 1024);
    assert!(more < 50 * 1024 * 1024, "{more} bytes more");
    team.owner.get("/v1/users/me").await.expect(200);
    assert_eq!(Http2::connect(&app).await.ask(Some(&team.owner), "GET", "/v1/users/me", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_does_not_wait_for_ever_until_somebody_reads_an_answer() {
    let app = TestApp::start_with(&QUICK).await;
    let team = Team::found(&app).await;
    for _ in 0..40 {
        team.message(&team.owner, team.general, &"x".repeat(4_000)).await;
    }
    let http2 = Http2::connect(&app).await;
    let mut requests = http2.requests.clone().ready().await.expect("a stream");
    let page = http2.request(Some(&team.owner), "GET", &team.general("/messages?limit=40"));
    let (answer, _) = requests.send_request(page, true).expect("a request");
    let (head, mut body) = timeout(LIMIT, answer).await.expect("an answer in time").expect("an answer").into_parts();
    assert_eq!(head.status, 200);
    // The client takes what it has room for, and gives no room back. Then the server gives up the answer or, because the
    // client takes nothing else either, the connection.
    let given_up = async { while body.data().await.expect("the answer does not end in order").is_ok() {} };
    timeout(4 * LIMIT, given_up).await.expect("the server gives up");
}
