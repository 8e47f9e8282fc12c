//! Clients that break the rules, or want to exhaust the server. Each is cut off, with a code where the protocol has one,
//! and costs little until then. Everybody else is served meanwhile.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tests::raw::{BINARY, NO_CLOSE_FRAME, PING, TEXT, TEXT_BEGINS, TEXT_GOES_ON, handshake, header};
use tests::servers::raise_open_files;
use tests::{Person, Raw, Team, TestApp};
use tokio::time::timeout;

use super::texts;

/// Close codes (RFC 6455, 7.4.1).
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_TEXT: u16 = 1007;
const TOO_BIG: u16 = 1009;
/// Close codes of our own (docs/LIVE.md).
const TOO_SLOW: u16 = 4001;
const CLIENT_ERROR: u16 = 4105;

/// The size of one fragment.
const FRAGMENT_BYTES: usize = 8_192;
/// The most that a client may send before it is cut off. Most of it lies in the kernel's buffers.
const SENT_MAX: usize = 64 << 20;
/// The most memory that hostile clients may cost the server.
const MEMORY_MAX: u64 = 40 << 20;
/// The pings that are sent at once.
const PINGS_AT_ONCE: usize = 1_000;
/// The most pings, or frames, before the client is cut off: of 131 bytes, so as much as `SENT_MAX`.
const PINGS_MAX: usize = 500_000;
/// The handshakes that are begun and never completed.
const HALF_OPEN: usize = 10_000;
/// The most memory of one of them.
const HALF_OPEN_BYTES_MAX: u64 = 32 << 10;
/// The longest time until somebody else is served.
const SERVED_MAX: Duration = Duration::from_secs(20);
/// The sockets that never read, and the bytes that wait for each: 100 MB in all.
const SLOW: usize = 40;
const DUE_MESSAGES: usize = 64;
const DUE_BYTES: usize = 40_000;

async fn a_team(app: &TestApp) -> (Team, Person) {
    let team = Team::found(app).await;
    let member = team.member.clone();
    (team, member)
}

/// The close frame may be lost, because the client has sent what the server did not read any more.
async fn is_cut_off(raw: Raw) {
    let code = raw.closed().await;
    assert!([TOO_BIG, CLIENT_ERROR, NO_CLOSE_FRAME].contains(&code), "closed with {code}");
}

/// A socket of somebody else works.
async fn is_served(team: &Team) {
    let served = async {
        let mut socket = team.owner.socket().await;
        let position = team.post(&team.owner, team.general, "still here").await.position();
        socket.events_to(position).await;
    };
    timeout(SERVED_MAX, served).await.expect("others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_fragments_without_end_is_cut_off() {
    let app = TestApp::start_program(&[]).await;
    let (team, member) = a_team(&app).await;
    let mut raw = Raw::open(&member, "").await;
    let before = app.program().memory();
    let (fragment, mut sent) = (vec![b'a'; FRAGMENT_BYTES], 0);
    let mut is_taken = raw.frame(TEXT_BEGINS, &fragment).await;
    while is_taken {
        sent += fragment.len();
        assert!(sent < SENT_MAX, "the server takes a message of {sent} bytes");
        is_taken = raw.frame(TEXT_GOES_ON, &fragment).await;
    }
    is_cut_off(raw).await;
    assert!(app.program().memory() < before + MEMORY_MAX);
    is_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_too_large_is_refused_by_its_header() {
    let app = TestApp::start_program(&[]).await;
    let (_, member) = a_team(&app).await;
    let before = app.program().memory();
    for length in [1 << 20, 1 << 40, i64::MAX as u64] {
        let mut raw = Raw::open(&member, "").await;
        assert!(raw.write(&header(TEXT, length, true)).await);
        let code = raw.closed().await;
        assert!([TOO_BIG, CLIENT_ERROR].contains(&code), "a frame of {length} bytes: closed with {code}");
    }
    assert!(app.program().memory() < before + MEMORY_MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_protocol_close_the_socket() {
    let app = TestApp::start().await;
    let (_, member) = a_team(&app).await;
    let ping = br#"{"type":"ping"}"#.as_slice();
    let unmasked = [&header(TEXT, ping.len() as u64, false)[..], ping].concat();
    let masked = |first: u8, payload: &[u8]| [&header(first, payload.len() as u64, true)[..], payload].concat();
    let cases = [
        ("no mask", unmasked, PROTOCOL_ERROR),
        ("a reserved bit", masked(TEXT | 0x40, ping), PROTOCOL_ERROR),
        ("a reserved opcode", masked(0x83, ping), PROTOCOL_ERROR),
        ("a ping of 126 bytes", masked(PING, &[0; 126]), PROTOCOL_ERROR),
        ("a ping in fragments", masked(PING & 0x7f, b"x"), PROTOCOL_ERROR),
        ("a further fragment of nothing", masked(TEXT_GOES_ON, ping), PROTOCOL_ERROR),
        ("no UTF-8", masked(TEXT, &[0xff, 0xfe]), INVALID_TEXT),
        ("a binary message", masked(BINARY, ping), CLIENT_ERROR),
    ];
    for (what, bytes, expected) in cases {
        let mut raw = Raw::open(&member, "").await;
        assert!(raw.write(&bytes).await);
        assert_eq!(raw.closed().await, expected, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_make_no_sense_are_refused_and_the_socket_stays() {
    let app = TestApp::start().await;
    let (team, member) = a_team(&app).await;
    let mut socket = member.socket().await;
    for frame in [json!({}), json!([]), json!({"type": "event"}), json!({"type": "typing"}), json!({"type": "typing", "channel_id": 1})] {
        socket.send(frame.clone()).await;
        let answer = socket.next_of("error").await;
        assert!(answer["code"].is_string() && answer["detail"].is_string(), "{frame}: {answer}");
    }
    let position = team.post(&team.owner, team.general, "hello").await.position();
    assert_eq!(texts(&socket.events_to(position).await), ["hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_is_cut_off_and_costs_no_memory() {
    let app = TestApp::start_program(&[]).await;
    let (team, member) = a_team(&app).await;
    // This client never reads the answers.
    let mut raw = Raw::open(&member, "").await;
    let before = app.program().memory();
    let pings = [&header(PING, 125, true)[..], &[7; 125]].concat().repeat(PINGS_AT_ONCE);
    let mut sent = 0;
    while raw.write(&pings).await {
        sent += PINGS_AT_ONCE;
        assert!(sent < PINGS_MAX, "the server takes {sent} pings");
        assert!(app.program().memory() < before + MEMORY_MAX, "{sent} pings that nobody reads the answers to cost memory");
    }
    is_cut_off(raw).await;
    is_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_is_cut_off() {
    let app = TestApp::start().await;
    let (team, member) = a_team(&app).await;
    let mut raw = Raw::open(&member, "").await;
    let text = br#"{"type":"ping"}"#;
    let frames = [&header(TEXT, text.len() as u64, true)[..], text].concat().repeat(PINGS_AT_ONCE);
    let mut sent = 0;
    while raw.write(&frames).await {
        sent += PINGS_AT_ONCE;
        assert!(sent < PINGS_MAX, "the server takes {sent} frames");
    }
    is_cut_off(raw).await;
    is_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_handshakes_that_never_end_keep_nobody_out_and_are_cut_off() {
    raise_open_files();
    let app = TestApp::start_program(&[("BACKSCROLL_REQUEST_HEAD_SECONDS", "5")]).await;
    let (team, member) = a_team(&app).await;
    let before = app.program().memory();
    let whole = handshake(&app.url, "", &format!("Authorization: Bearer {}\r\n", member.token));
    // Everything but the last two bytes, which would end the head.
    let half = &whole.as_bytes()[..whole.len() - 2];
    let mut open = Vec::with_capacity(HALF_OPEN);
    while open.len() < HALF_OPEN {
        let begun = join_all((0..500).map(|_| async {
            let mut raw = Raw::connect(&app.url).await?;
            Ok::<_, std::io::Error>(raw.write(half).await.then_some(raw))
        }));
        open.extend(begun.await.into_iter().filter_map(|begun| begun.expect("a connection")));
    }
    is_served(&team).await;
    let used = app.program().memory().saturating_sub(before);
    assert!(used < HALF_OPEN_BYTES_MAX * HALF_OPEN as u64, "{HALF_OPEN} handshakes cost {used} bytes");
    // The server cuts them off by itself.
    join_all(open.into_iter().map(Raw::closed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_never_read_cost_little_while_100_megabytes_are_due_to_them() {
    let app = TestApp::start_program(&[]).await;
    let (team, member) = a_team(&app).await;
    let begin = member.socket().await.cursor;
    let slow = join_all((0..SLOW).map(|_| Raw::open(&member, ""))).await;
    let mut reader = team.owner.socket().await;
    let before = app.program().memory();
    let text = "x".repeat(DUE_BYTES);
    let (mut memory, mut last) = (0, 0);
    for _ in 0..DUE_MESSAGES {
        last = team.post(&team.owner, team.general, &text).await.position();
        reader.events_to(last).await;
        memory = app.program().memory().max(memory);
    }
    let used = memory.saturating_sub(before);
    assert!(used < 2 * MEMORY_MAX, "{SLOW} sockets that do not read cost {used} bytes");
    for code in join_all(slow.into_iter().map(Raw::closed)).await {
        assert!([TOO_SLOW, NO_CLOSE_FRAME].contains(&code), "closed with {code}");
    }
    // This client misses nothing: it comes back with its cursor.
    let missed = member.socket_after(&begin).await.events_to(last).await;
    assert_eq!(texts(&missed), vec![text; DUE_MESSAGES]);
}
