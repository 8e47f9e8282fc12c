//! A server that stops asks its clients to come back elsewhere.

use std::process::Stdio;

use serde_json::json;
use tests::socket::Socket;
use tests::{Program, Team, TestApp, eventually, program};

use super::{pages, texts};

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
