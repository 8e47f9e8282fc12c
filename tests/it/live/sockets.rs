//! A WebSocket: its first frame, its other frames, and its refusals.

use reqwest::Method;
use serde_json::{Value, json};
use tests::person::send;
use tests::socket::{Refused, Socket};
use tests::team::id;
use tests::{Team, TestApp, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::{names, pages, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_says_where_it_begins_and_gets_the_frames_of_all_workspaces_that_pages_have() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let other = id(&team.member.post("/v1/workspaces", json!({"name": "Other"})).await.expect(201), "workspace_id");
    let mut socket = team.member.socket().await;
    let hello = socket.hello.clone();
    assert_eq!((&hello["resumed"], &hello["ping_seconds"]), (&json!(false), &json!(10)), "{hello}");
    assert_eq!(hello["cursor"], format!("{}:{}", hello["log_id"].as_str().expect("an identifier"), hello["position"]));
    assert!(hello["connection_id"].is_string(), "{hello}");

    team.member.post(&format!("/v1/workspaces/{other}/channels"), json!({"type": "public", "name": "there"})).await.expect(201);
    team.channel(&team.owner, "private", "secret", &[]).await;
    let message = team.message(&team.owner, team.general, "Hello team!").await;
    team.member.put_empty(&format!("/v1/messages/{message}/reactions/tada")).await.expect(200);
    team.owner.patch("/v1/users/me", json!({"display_name": "Olga"})).await.expect(200);
    team.member.put("/v1/users/me/custom-status", json!({"text": "away"})).await.expect(200);
    let last = team.post(&team.owner, team.general, "the end").await.position();
    let got = socket.events_to(last).await;

    // Its own frames of the other workspace aside, they are those of the pages.
    let of_team = got.iter().filter(|frame| frame["workspace_id"] != json!(other)).cloned().collect::<Vec<_>>();
    // A page that is read later shows later names.
    let places = |frames: &[Value]| frames.iter().map(|frame| (frame["position"].clone(), frame["event"].clone())).collect::<Vec<_>>();
    assert_eq!(places(&of_team), places(&pages(&team.member, &team, hello["cursor"].as_str().expect("a cursor")).await));
    assert!(got.iter().any(|frame| frame["workspace_id"] == json!(other)), "{:?}", names(&got));
    assert_eq!(texts(&got).last().map(String::as_str), Some("the end"));
    assert_eq!(names(&got).iter().filter(|name| name.starts_with("user.")).count(), 2, "each once: {:?}", names(&got));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_added_gets_everything_from_then_on_and_whoever_is_removed_gets_nothing_after_that() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let room = team.channel(&team.owner, "private", "room", &[]).await;
    let mut member = team.member.socket().await;
    let mut stranger = team.stranger.socket().await;
    let members = format!("/v1/channels/{room}/members");
    team.message(&team.owner, room, "before").await;
    team.owner.post(&members, json!({"user_id": team.member.id})).await.expect(200);
    team.message(&team.owner, room, "between").await;
    team.owner.delete(&format!("{members}/{}", team.member.id)).await.expect(204);
    team.message(&team.owner, room, "after").await;
    let last = team.post(&team.owner, team.general, "the end").await.position();

    let got = member.events_to(last).await;
    // The first text is the room's own: that the member was added.
    assert_eq!(texts(&got)[1..], ["between", "the end"]);
    let of_room = got.iter().filter(|frame| frame["channel_id"] == json!(room)).cloned().collect::<Vec<_>>();
    assert_eq!(names(&of_room).first(), Some(&"channel.member_joined"));
    assert_eq!(names(&of_room).last(), Some(&"channel.member_removed"));
    let removal = of_room.last().expect("the removal");
    assert_eq!((&removal["member"]["role"], &removal["channel"]), (&Value::Null, &Value::Null), "identifiers only: {removal}");

    // A stranger who joins the workspace gets that, and everything from then on, on the same socket.
    team.take_in(&team.stranger, "member").await;
    let last = team.post(&team.owner, team.general, "welcome").await.position();
    let got = stranger.events_to(last).await;
    // A room's own text, that the member has joined, may come before.
    assert_eq!((names(&got)[0], texts(&got).last().map(String::as_str)), ("workspace.member_joined", Some("welcome")));
    // Deactivated: that is the last of the workspace. The socket stays.
    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.stranger.id))).await.expect(200);
    team.message(&team.owner, team.general, "without you").await;
    assert_eq!(stranger.event().await["event"], "workspace.member_deactivated");
    stranger.ping().await;
    team.stranger.patch("/v1/users/me", json!({"display_name": "Still here"})).await.expect(200);
    stranger.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_what_concerns_the_people_of_the_guests_channels() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut guest = team.guest.socket().await;
    let hidden = app.sign_up("hidden").await;
    team.take_in(&hidden, "guest").await;
    hidden.patch("/v1/users/me", json!({"display_name": "Nobody"})).await.expect(200);
    team.member.patch("/v1/users/me", json!({"display_name": "Mia"})).await.expect(200);
    let last = team.post(&team.owner, team.general, "the end").await.position();
    let got = guest.events_to(last).await;
    assert_eq!(got, pages(&team.guest, &team, guest.hello["cursor"].as_str().expect("a cursor")).await);
    assert!(got.iter().any(|frame| frame["user"]["display_name"] == "Mia"), "{got:?}");
    assert!(!got.iter().any(|frame| frame["user_id"] == json!(hidden.id)), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_frame_gets_an_error_and_a_broken_protocol_ends_the_socket() {
    let app = TestApp::start_with(&[("BACKSCROLL_LIVE_FRAMES_PER_SECOND_MAX", "30")]).await;
    let person = app.sign_up("ida").await;
    let mut socket = person.socket().await;
    socket.ping().await;
    for wrong in [json!({"type": "dance"}), json!({"type": "typing"}), json!([]), json!({"type": "ping", "more": 1})] {
        socket.send(wrong.clone()).await;
        let error = socket.next_of("error").await;
        assert_eq!(error["code"], "live.frame_invalid", "{wrong}: {error}");
    }
    socket.ping().await;

    // RFC 6455, 7.4.1: 1009 is a message that is too big. The others are ours: docs/LIVE.md.
    let too_big = "x".repeat(40_000);
    for (message, code) in [(Message::binary(vec![1]), 4105), (Message::text("no JSON"), 4105), (Message::text(too_big), 1009)] {
        let mut socket = person.socket().await;
        socket.message(message).await;
        assert_eq!(socket.end().await.0, Some(code));
    }
    let mut flooding = person.socket().await;
    for _ in 0..100 {
        flooding.send(json!({"type": "ping"})).await;
    }
    assert_eq!(flooding.end().await.0, Some(4105));
    drop(flooding);
    eventually("the breaches are counted", async || {
        let metrics = app.as_operator("/metrics").await.expect(200);
        metrics.as_str().expect("text").contains(r#"backscroll_live_closed_total{code="4105"} 3"#)
    })
    .await;
    eventually("the closed sockets are not counted", async || {
        let metrics = app.as_operator("/metrics").await.expect(200);
        metrics.as_str().expect("text").contains(r#"backscroll_live_connections{transport="websocket"} 1"#)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_refused_with_the_reason() {
    let app = TestApp::start_with(&[("BACKSCROLL_LIVE_CONNECTIONS_PER_PERSON_MAX", "2")]).await;
    let person = app.sign_up("ida").await;
    let nobody = person.with_token("bs_nothing".into());
    assert_eq!(Socket::open(&nobody, "").await.err(), Some(Refused(401, "auth.token_invalid".into())));
    assert_eq!(Socket::open(&person, "?after=x").await.err(), Some(Refused(400, "request.cursor_invalid".into())));
    assert_eq!(Socket::open(&person, "?before=x").await.err(), Some(Refused(400, "request.query_invalid".into())));
    person.get("/v1/live").await.expect_problem(400, "request.header_invalid");
    let shaking = |name: &str, value: &str| {
        let request = person.request(Method::GET, "/v1/live").header("connection", "Upgrade").header("upgrade", "websocket");
        let request = if name == "sec-websocket-version" { request } else { request.header("sec-websocket-version", "13") };
        let request = if name == "sec-websocket-key" { request } else { request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==") };
        request.header(name, value)
    };
    for (name, value) in [("sec-websocket-version", "8"), ("sec-websocket-key", "short")] {
        send(shaking(name, value)).await.expect_problem(400, "request.header_invalid");
    }
    // Any other request that asks for a WebSocket gets its usual answer.
    let me = person.request(Method::GET, "/v1/users/me").header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(send(me).await.expect(200)["user_id"], json!(person.id));

    let _held = [person.socket().await, person.socket().await];
    // A script in a browser sees no status, but it sees the close code.
    let mut third = Socket::open(&person, "").await.expect("a handshake");
    assert_eq!((third.hello.clone(), third.end().await.0), (Value::Null, Some(4104)));
    let events = person.request(Method::GET, "/v1/live").header("accept", "text/event-stream");
    send(events).await.expect_problem(429, "request.too_many_connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_before_the_answer_to_the_handshake_are_refused() {
    let app = TestApp::start().await;
    let person = app.sign_up("ida").await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    let handshake = format!(
        "GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x01\x02",
        person.token
    );
    let answer = answer_to(&mut stream, &handshake).await;
    assert!(!answer.contains(" 101 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_get_becomes_a_socket() {
    let app = TestApp::start().await;
    let person = app.sign_up("ida").await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    let handshake = format!(
        "HEAD /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        person.token
    );
    let answer = answer_to(&mut stream, &handshake).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// Sends bytes, and returns all that comes until the server closes the connection.
async fn answer_to(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
