//! Sign-in of sockets: the header, the cookie with a check of the origin, and tickets.

use redis::AsyncCommands;
use reqwest::Method;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tests::person::{PASSWORD, send};
use tests::socket::{Refused, Socket};
use tests::{Person, Team, TestApp};

const PAGE: &str = "https://app.example.org";

/// Asks for a ticket, as a page of this origin, or as a program.
async fn ticket(person: &Person, origin: Option<&str>) -> String {
    let request = person.request(Method::POST, "/v1/live/tickets");
    let answer = send(origin.into_iter().fold(request, |request, origin| request.header("Origin", origin))).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let issued = answer.expect(201);
    assert!(issued["expires_at"].is_string(), "{issued}");
    issued["ticket"].as_str().expect("a ticket").to_owned()
}

async fn open(app: &TestApp, ticket: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Refused> {
    Socket::with_headers(&app.url, &format!("?ticket={ticket}"), headers).await
}

async fn refused(app: &TestApp, ticket: &str, headers: &[(&'static str, &str)]) {
    assert_eq!(open(app, ticket, headers).await.err().map(|refused| refused.0), Some(401), "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_connection_of_its_session() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let ticket = ticket(&team.member, None).await;
    let mut redis = app.redis().await.expect("Redis");
    let keys: Vec<String> = redis.keys(format!("{}ticket:*", app.redis_prefix)).await.expect("keys");
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].contains(&ticket), "Redis has a hash of it");
    let value: String = redis.get(&keys[0]).await.expect("a value");
    assert!(!value.contains(&ticket) && !value.contains(&team.member.token), "{value}");
    assert!((1..=30).contains(&redis.ttl::<_, i64>(&keys[0]).await.expect("the time to live")));

    let mut socket = open(&app, &ticket, &[]).await.expect("a connection");
    refused(&app, &ticket, &[]).await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    assert_eq!(socket.events_to(position).await.last().expect("an event")["message"]["content"], "hello");

    team.member.delete("/v1/sessions/current").await.expect(204);
    assert_eq!(socket.end().await.0, Some(4101));
    // Even if it is put back, as by a restored Redis, its session has ended.
    let () = redis.set_ex(&keys[0], &value, 30).await.expect("set");
    refused(&app, &ticket, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_counts_for_the_origin_that_asked_for_it() {
    let app = TestApp::start_with(&[("BACKSCROLL_ALLOWED_ORIGINS", PAGE)]).await;
    let ann = app.sign_up("ann").await;
    for (asked, used) in [(Some(PAGE), None), (Some(PAGE), Some("https://evil.example.org")), (None, Some(PAGE)), (None, Some("null"))] {
        let ticket = ticket(&ann, asked).await;
        let headers = used.map(|origin| vec![("origin", origin)]).unwrap_or_default();
        refused(&app, &ticket, &headers).await;
        // It is used up, so nobody can try every origin.
        let right = asked.map(|origin| vec![("origin", origin)]).unwrap_or_default();
        refused(&app, &ticket, &right).await;
    }
    let own = app.url.clone();
    // An `EventSource` of the server's own page names no origin.
    for (asked, used) in [(PAGE, Some(PAGE)), (own.as_str(), Some(own.as_str())), (own.as_str(), None)] {
        let ticket = ticket(&ann, Some(asked)).await;
        let headers = used.map(|origin| vec![("origin", origin)]).unwrap_or_default();
        open(&app, &ticket, &headers).await.expect("a connection");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_server_did_not_write_is_refused() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.sign_up("ann").await, app.sign_up("ben").await);
    let mut redis = app.redis().await.expect("Redis");
    let of_ann = ticket(&ann, None).await;
    let keys: Vec<String> = redis.keys(format!("{}ticket:*", app.redis_prefix)).await.expect("keys");
    let value: String = redis.get_del(&keys[0]).await.expect("a value");
    let of_ben = ticket(&ben, None).await;
    let keys: Vec<String> = redis.keys(format!("{}ticket:*", app.redis_prefix)).await.expect("keys");
    let () = redis.set(&keys[0], &value).await.expect("moved");
    for text in [of_ann.as_str(), &of_ben, "bst_short", "", &ann.token] {
        refused(&app, text, &[]).await;
    }
    let stream = reqwest::Client::new().get(format!("{}/v1/live?ticket={of_ann}", app.url)).header("Accept", "text/event-stream");
    send(stream).await.expect_problem(401, "auth.ticket_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tickets_of_an_address_do_not_block_valid_ones() {
    let app = TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", "all=1000000/60 wrong_token=3/3600")]).await;
    let ann = app.sign_up("ann").await;
    let used = ticket(&ann, None).await;
    open(&app, &used, &[]).await.expect("a connection");
    for text in [used.as_str(), &used, "bst_short"] {
        refused(&app, text, &[]).await;
    }
    for text in [used.as_str(), "bst_short"] {
        let limited = open(&app, text, &[]).await.err().expect("a refusal");
        assert_eq!((limited.0, limited.1.as_str()), (429, "request.rate_limited"), "{text}");
    }
    let valid = ticket(&ann, None).await;
    open(&app, &valid, &[]).await.expect("a connection from the same address").ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_opens_a_connection_for_a_page_of_the_server_only() {
    let app = TestApp::start_with(&[("BACKSCROLL_ALLOWED_ORIGINS", PAGE)]).await;
    let ann = app.sign_up("ann").await;
    let sign_in = reqwest::Client::new().post(format!("{}/v1/sessions", app.url)).header("Origin", &app.url);
    let started = send(sign_in.json(&json!({"login": ann.email, "password": PASSWORD, "cookie": true}))).await;
    let pair = started.header(SET_COOKIE.as_str()).and_then(|text| text.split(';').next()).expect("a cookie").to_owned();
    let cookie = ("cookie", pair.as_str());
    for origin in [app.url.as_str(), PAGE] {
        Socket::with_headers(&app.url, "", &[cookie, ("origin", origin)]).await.expect("a connection");
    }
    for headers in [vec![cookie], vec![cookie, ("origin", "https://evil.example.org")], vec![cookie, ("origin", "null")]] {
        assert_eq!(Socket::with_headers(&app.url, "", &headers).await.err().map(|refused| refused.0), Some(403), "{headers:?}");
        // The same holds for server-sent events, although they are a GET.
        let stream = reqwest::Client::new().get(format!("{}/v1/live", app.url)).header("Accept", "text/event-stream");
        let stream = headers.iter().fold(stream, |stream, (name, value)| stream.header(*name, *value));
        send(stream).await.expect_problem(403, "request.origin_refused");
    }
    let mut socket = Socket::with_headers(&app.url, "", &[cookie, ("sec-fetch-site", "same-origin")]).await.expect("a connection");
    socket.ping().await;
    let path = "/v1/sessions/current";
    let sign_out = reqwest::Client::new().delete(format!("{}{path}", app.url)).header(COOKIE, &pair).header("Origin", &app.url);
    send(sign_out).await.expect(204);
    assert_eq!(socket.end().await.0, Some(4101));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_offered_as_a_subprotocol_is_neither_read_nor_echoed() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let ticket = ticket(&ann, None).await;
    let handshake = |with_token: bool| {
        let request = reqwest::Client::new().get(format!("{}/v1/live", app.url));
        let request = if with_token { request.bearer_auth(&ann.token) } else { request };
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.header("Sec-WebSocket-Protocol", format!("{}, {ticket}", ann.token)).send()
    };
    assert_eq!(handshake(false).await.expect("an answer").status(), 401);
    let opened = handshake(true).await.expect("an answer");
    assert_eq!(opened.status(), 101);
    let headers = format!("{:?}", opened.headers());
    assert!(!headers.contains(&ann.token) && !headers.contains(&ticket), "{headers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_there_are_no_tickets_and_the_token_still_connects() {
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")]).await;
    let team = Team::found(&app).await;
    team.member.post("/v1/live/tickets", Value::Null).await.expect_problem(503, "live.tickets_unavailable");
    let mut socket = team.member.socket().await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    socket.events_to(position).await;
    let sessions = team.member.get("/v1/sessions").await.expect(200);
    assert_eq!(sessions["items"][0]["connected"], Value::Null, "nobody can know");
}
