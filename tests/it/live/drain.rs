//! A server that stops asks its clients to come back elsewhere.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures::future::{join_all, join3};
use serde_json::{Value, json};
use tests::socket::Socket;
use tests::{Person, Program, Team, TestApp, eventually, program};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::{pages, texts};

/// The clients of the servers that restart.
const FOLLOWERS: usize = 8;
/// A client's pause after a refusal.
const PAUSE: Duration = Duration::from_millis(100);

fn serve(environment: &BTreeMap<String, String>) -> (Program, String) {
    block_in_place(|| Program::serving(&mut program::command(&["serve"], environment), Stdio::null()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_asks_all_clients_to_come_back_spread_over_time_and_they_miss_nothing() {
    let first = TestApp::start().await;
    let team = Team::found(&first).await;
    let mut environment = first.environment.clone();
    for (name, value) in [("SHUTDOWN_DELAY_SECONDS", "1"), ("LIVE_DRAIN_SECONDS", "3"), ("HTTP_WORKERS", "1")] {
        environment.insert(format!("BACKSCROLL_{name}"), value.into());
    }
    let (mut leaving, url) = Program::serving(&mut program::command(&["serve"], &environment), Stdio::null());
    let member = team.member.at_url(&url);
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(member.socket().await);
    }
    let begin = sockets[0].cursor.clone();
    team.message(&team.owner, team.general, "before").await;
    leaving.terminate();
    let mut delays = Vec::new();
    for socket in &mut sockets {
        let reconnect = socket.next_of("reconnect").await;
        delays.push(reconnect["after_ms"].as_u64().expect("milliseconds"));
    }
    delays.sort_unstable();
    assert!(delays[0] < 500 && delays[9] > 2_000 && delays[9] <= 3_000, "{delays:?}");
    // Events still come meanwhile, and a further client is refused.
    let last = team.post(&team.owner, team.general, "meanwhile").await.position();
    let expected = pages(&team.member, &team, &begin).await;
    assert!(Socket::open(&member, "").await.is_err());

    // One follows the protocol. The others stay, and are closed.
    let mut moved = team.member.socket_after(&sockets.remove(0).cursor).await;
    for socket in &mut sockets {
        let (code, frames) = socket.end().await;
        assert_eq!(code, Some(4002));
        assert!(frames.iter().all(|frame| expected.contains(frame)), "{frames:?}");
    }
    let of_moved = moved.events_to(last).await;
    assert_eq!(texts(&of_moved).last().map(String::as_str), Some("meanwhile"));
    for socket in sockets {
        let mut back = team.member.socket_after(&socket.cursor).await;
        assert_eq!(back.hello["resumed"], json!(true));
        let next = team.post(&team.owner, team.general, "after").await.position();
        assert_eq!(texts(&back.events_to(next).await).last().map(String::as_str), Some("after"));
    }
    eventually("the server stops", async || leaving.ended().is_some()).await;
    assert_eq!(leaving.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_restart_one_after_the_other_under_load_and_no_client_misses_anything() {
    let third = TestApp::start().await;
    let team = Team::found(&third).await;
    let mut environment = third.environment.clone();
    for (name, value) in [("SHUTDOWN_DELAY_SECONDS", "1"), ("LIVE_DRAIN_SECONDS", "1"), ("HTTP_WORKERS", "1")] {
        environment.insert(format!("BACKSCROLL_{name}"), value.into());
    }
    let (mut servers, urls): (Vec<_>, Vec<_>) = [serve(&environment), serve(&environment)].into_iter().unzip();
    let (urls, begin) = (Mutex::new(urls), team.member.socket().await.cursor);
    let (is_over, last) = (AtomicBool::new(false), AtomicI64::new(i64::MAX));
    let restarting = async {
        for (at, server) in servers.iter_mut().enumerate() {
            server.terminate();
            eventually("the server stops", async || server.ended().is_some()).await;
            assert_eq!(server.ended(), Some(0));
            let (next, url) = serve(&environment);
            *server = next;
            urls.lock().expect("the addresses")[at] = url;
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let writing = async {
        let mut n = 0;
        while !is_over.load(Ordering::SeqCst) {
            n += 1;
            team.post(&team.owner, team.general, &n.to_string()).await.expect(201);
        }
        last.store(team.post(&team.owner, team.general, "the end").await.position(), Ordering::SeqCst);
        // A follower may have had the last one before its position was known here.
        team.post(&team.owner, team.general, "behind the end").await.expect(201);
        n
    };
    let following = join_all((0..FOLLOWERS).map(|n| follow(&team.member, &urls, n % 2, &begin, &last)));
    let ((), written, followed) = join3(restarting, writing, following).await;
    let mut expected = pages(&team.member, &team, &begin).await;
    expected.retain(|frame| frame["position"].as_i64() <= Some(last.load(Ordering::SeqCst)));
    assert!(expected.len() > written, "{} frames of {written} messages", expected.len());
    for (got, moves) in followed {
        assert_eq!(got, expected, "{} frames in place of {}", got.len(), expected.len());
        assert!(moves > 0, "the client's server did not restart");
    }
}

/// Follows the protocol until the event at `last`: reads from one server, and goes to the other one if that asks for it or
/// ends. Returns the frames of events, and how often the client moved.
async fn follow(person: &Person, urls: &Mutex<Vec<String>>, mut at: usize, begin: &str, last: &AtomicI64) -> (Vec<Value>, usize) {
    let (mut got, mut cursor, mut moves) = (Vec::new(), begin.to_owned(), 0);
    loop {
        let url = urls.lock().expect("the addresses")[at].clone();
        let Some(mut socket) = open(person, &url, &cursor).await else {
            at = 1 - at;
            sleep(PAUSE).await;
            continue;
        };
        assert_eq!(socket.hello["resumed"], json!(true), "{}", socket.hello);
        while let Some(frame) = socket.next().await {
            match frame["type"].as_str() {
                Some("event") => got.push(frame),
                Some("reconnect") => break,
                _ => panic!("a frame that asks for nothing of the protocol: {frame}"),
            }
            let last = Some(last.load(Ordering::SeqCst));
            if got.last().is_some_and(|event: &Value| event["position"].as_i64() >= last) {
                got.retain(|event| event["position"].as_i64() <= last);
                return (got, moves);
            }
        }
        cursor.clone_from(&socket.cursor);
        (at, moves) = (1 - at, moves + 1);
    }
}

/// `None` if the server is not there, or refuses because it stops.
async fn open(person: &Person, url: &str, cursor: &str) -> Option<Socket> {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).await.ok()?;
    Socket::over(stream, person.at_url(url).handshake(&format!("?after={cursor}"))).await.ok()
}
