//! From the end of a session on one node until its socket on another is closed.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::client::Client;
use crate::listeners::Listener;
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, sized};
use crate::served::Served;

/// The longest time that a socket may stay open.
const CLOSED_MAX: Duration = Duration::from_secs(30);

pub async fn measure(report: &mut Report) {
    let sessions = sized(500, 50);
    report.over(format!(
        "{sessions} people with a socket each on one node sign out at another node, one after the other; from the begin of that request \
         until the client saw its socket closed"
    ));
    let posters = Posters::start(sessions, sessions).await;
    let other = Served::at(&posters.place, &[]);
    let mut latencies = Vec::with_capacity(sessions);
    for token in &posters.tokens {
        let listener = Listener::open(other.address, token, "").await;
        let closing = tokio::spawn(listener.closed());
        let mut client = Client::connect(posters.served.address, Some(token)).await;
        let began = Instant::now();
        let answer = client.send("DELETE", "/v1/sessions/current", 0, String::new()).await;
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
        let closed = timeout(CLOSED_MAX, closing).await.expect("a closed socket").expect("a listener");
        latencies.push(closed - began);
    }
    let latencies = Latencies::of(latencies);
    let one = |part| Runs(vec![latencies.percentile(part)]);
    report.state("live, revocation → closed, over two nodes: p50", "ms", &one(0.5), Goal::Stated);
    report.state("live, revocation → closed, over two nodes: p99", "ms", &one(0.99), Goal::AtMost(1_000.0));
}
