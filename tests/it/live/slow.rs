//! Clients that do not read, and clients that disappear without closing the connection.

use std::time::Duration;

use futures::future::join_all;
use tests::answer::Answer;
use tests::socket::Socket;
use tests::{Person, Team, TestApp, eventually};
use tokio::time::Instant;

use super::{pages, small, texts};

async fn closed_with(app: &TestApp, code: &str) -> u64 {
    let metrics = app.as_operator("/metrics").await.expect(200);
    let line = format!("backscroll_live_closed_total{{code=\"{code}\"}} ");
    let count = metrics.as_str().expect("text").lines().find_map(|found| found.strip_prefix(&line)?.parse().ok());
    count.expect("the count")
}

async fn unread(app: &TestApp, person: &Person) -> Socket {
    Socket::over(small(app).await, person.handshake("")).await.expect("a socket")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_closed_and_comes_back_by_its_cursor_while_others_wait_for_nothing() {
    // The ten messages of a part may come at once, and must fit into the queue of the client that reads.
    let app = TestApp::start_with(&[("BACKSCROLL_LIVE_QUEUE_BYTES", "65536")]).await;
    let team = Team::found(&app).await;
    let stuck = unread(&app, &team.member).await;
    let begin = stuck.cursor.clone();
    let mut reads = team.owner.socket().await;
    // 480 kB: more than the queue and the systems of both sides keep. Quickly, or the system itself ends the connection.
    let long = "x".repeat(3_900);
    let mut last = 0;
    for part in 0..12 {
        let posts = (0..10).map(|n| format!("{part}.{n} {long}")).collect::<Vec<_>>();
        let posted = join_all(posts.iter().map(|text| team.post(&team.guest, team.general, text))).await;
        last = posted.iter().map(Answer::position).max().expect("posts");
        assert_eq!(texts(&reads.events_to(last).await).len(), 10);
    }
    eventually("the client that does not read is closed", async || closed_with(&app, "4001").await == 1).await;
    let mut back = team.member.socket_after(&begin).await;
    assert_eq!(back.events_to(last).await, pages(&team.member, &team, &begin).await);
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_without_a_word_is_noticed_within_thirty_seconds() {
    let app = TestApp::start().await;
    let person = app.sign_up("ida").await;
    // Nobody reads this connection: no ping is answered.
    let (silent, since) = (person.socket().await, Instant::now());
    eventually("the silent client is noticed", async || closed_with(&app, "4004").await == 1).await;
    assert!(since.elapsed() < Duration::from_secs(40), "{:?}", since.elapsed());
    assert!(since.elapsed() > Duration::from_secs(20), "{:?}", since.elapsed());
    drop(silent);
    // A client that answers pings stays: tungstenite answers while it reads.
    let mut quiet = person.socket().await;
    let waited = tokio::time::timeout(Duration::from_secs(30), quiet.next()).await;
    assert!(waited.is_err(), "nothing happened, and the socket is open: {waited:?}");
    quiet.ping().await;
}
