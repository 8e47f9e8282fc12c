//! From a post to the sockets of everybody in the room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::listeners::{Listener, latencies};
use crate::load::open_loop;
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};

/// The people of the room, each with a socket.
const SOCKETS: usize = 32;
/// The connections that posts are sent over.
const CONNECTIONS: usize = 32;
/// The posts a second, and the goals in milliseconds.
const RATES: [(u32, f64); 2] = [(20, 10.0), (1_000, 50.0)];

pub async fn measure(report: &mut Report) {
    report.over(format!(
        "a room of {SOCKETS} people, each with a WebSocket; posts over HTTP in an open loop, in windows of 8 s; from the moment at which \
         a post was due until a socket's client had its frame"
    ));
    let posters = Posters::start(SOCKETS, SOCKETS).await;
    once(&posters, 100, Duration::from_secs(2)).await;
    for (a_second, goal) in RATES {
        let (mut p50, mut p99) = (Runs::default(), Runs::default());
        for _ in 0..runs() {
            let latencies = once(&posters, a_second, Duration::from_secs(sized(8, 3))).await;
            p50.push(latencies.percentile(0.5));
            p99.push(latencies.percentile(0.99));
        }
        report.state(format!("live, {SOCKETS} sockets, {a_second} posts a second: p50"), "ms", &p50, Goal::Stated);
        report.state(format!("live, {SOCKETS} sockets, {a_second} posts a second: p99"), "ms", &p99, Goal::AtMost(goal));
    }
}

async fn once(posters: &Posters, a_second: u32, lasts: Duration) -> Latencies {
    let last = Arc::new(AtomicU64::new(u64::MAX));
    let listeners = Listener::open_all(posters.served.address, &posters.tokens, "", None).await;
    let listeners = listeners.into_iter().map(|listener| listener.note(Arc::clone(&last))).collect();
    let served = open_loop(posters.connect(CONNECTIONS).await, a_second, lasts).await;
    // One more post, which ends the listeners.
    let head = posters.tally.head.load(Ordering::Relaxed);
    last.store(head.unsigned_abs() + 1, Ordering::Relaxed);
    posters.post_once().await;
    latencies(listeners, &served).await
}
