//! A post, and right after its answer the list that shows it: read by the same session, without a header, from the same
//! server and from another one.

use std::time::Instant;

use serde_json::Value;

use crate::client::Client;
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

const MEMBERS: usize = 1_000;

/// The reads that followed a post.
#[derive(Default)]
struct Reads {
    latencies: Vec<std::time::Duration>,
    /// Those that did not show the post, or were refused.
    stale: usize,
}

pub async fn measure(report: &mut Report) {
    let posts = sized(1_000, 100);
    report.over(format!(
        "{posts} posts into a channel of {MEMBERS} members, one after the other; after the answer to each, the same session lists the channel's \
         newest messages, without a header; from the server that took the post, and from another server of the same database; the \
         latency is that of the list; the other server learns of the post from the log, and reads the projection's checkpoint every 10 ms"
    ));
    let posters = Posters::start(MEMBERS, 1).await;
    let other = Served::at(&posters.place, &[]);
    for (name, address) in [("the same server", posters.served.address), ("another server", other.address)] {
        let (mut p50, mut p99, mut stale) = (Runs::default(), Runs::default(), Runs::default());
        for _ in 0..runs() {
            let mut poster = Client::connect(posters.served.address, Some(&posters.tokens[0])).await;
            let mut reader = Client::connect(address, Some(&posters.tokens[0])).await;
            let reads = follow(&mut poster, &mut reader, &posters.path, posts).await;
            stale.push(reads.stale as f64);
            let latencies = Latencies::of(reads.latencies);
            p50.push(latencies.percentile(0.5));
            p99.push(latencies.percentile(0.99));
        }
        report.state(format!("read-own, {name}: p50"), "ms", &p50, Goal::Stated);
        report.state(format!("read-own, {name}: p99"), "ms", &p99, Goal::AtMost(50.0));
        report.state(format!("read-own, {name}: stale"), "reads", &stale, Goal::AtMost(0.0));
    }
}

async fn follow(poster: &mut Client, reader: &mut Client, path: &str, posts: usize) -> Reads {
    let mut reads = Reads::default();
    for n in 0..posts {
        let posted = poster.post(path, format!("{{\"content\":\"own {n}\"}}")).await;
        assert_eq!(posted.status, 201, "a post");
        let posted = serde_json::from_slice::<Value>(&posted.body).expect("a message");
        let message_id = posted["message_id"].as_str().expect("an identifier");
        let began = Instant::now();
        let list = reader.get(path).await;
        reads.latencies.push(began.elapsed());
        let is_there = String::from_utf8_lossy(&list.body).contains(message_id);
        reads.stale += usize::from(list.status != 200 || !is_there);
    }
    reads
}
