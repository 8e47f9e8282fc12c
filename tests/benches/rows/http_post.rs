//! Posts over HTTP into one busy channel, on the real binary with all roles.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::appenders::Bare;
use crate::client::Client;
use crate::command_path::CommandPath;
use crate::load::{Caller, open_loop, rate_of};
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};

const CLIENTS: [usize; 3] = [1, 32, 256];
const MEMBERS: usize = 1_000;
const A_SECOND: u32 = 1_000;
/// The number of connections of the open loop. It is larger than the number that is ever busy at once.
const CONNECTIONS: usize = 64;

pub async fn measure(report: &mut Report) {
    report.over(format!(
        "a channel of {MEMBERS} members; after each run the benchmark waits until every event is projected; the command path and the \
         bare append run inside the benchmark, without a server; `alone` is a server with `--only http`, without relay and projector; \
         at {A_SECOND} a second in an open loop, in windows of 8 s, from the moment at which a post was due, measured before everything else"
    ));
    let posters = Posters::start(MEMBERS, 256).await;
    // Latency is measured first: after the measurement of throughput, Postgres vacuums for minutes.
    latency(report, &posters).await;
    throughput(report, &posters).await;
    let refused = posters.tally.refused.load(Ordering::Relaxed);
    report.state("http-post, refused", "posts", &Runs(vec![refused as f64]), Goal::AtMost(0.0));
}

async fn throughput(report: &mut Report, posters: &Posters) {
    let (path, bare) = (CommandPath::start(MEMBERS).await, Bare::start().await);
    let alone = Posters::start_with(MEMBERS, 256, &["--only", "http"]).await;
    for clients in CLIENTS {
        let [mut posts, mut posts_alone, mut healthz, mut commands, mut appends] = [const { Runs(Vec::new()) }; 5];
        for _ in 0..runs() {
            posts.push(rate_of(posters.connect(clients).await).await);
            posters.are_projected().await;
            posts_alone.push(rate_of(alone.connect(clients).await).await);
            healthz.push(rate_of(askers(posters, clients).await).await);
            commands.push(path.rate(clients).await);
            appends.push(bare.rate(clients).await);
        }
        let row = format!("http-post, {clients} client{}", if clients == 1 { "" } else { "s" });
        report.compare(&row, "posts/s", &posts, ("/healthz", &healthz), Goal::Stated);
        report.compare(&row, "posts/s", &posts, ("the command path", &commands), Goal::AtLeast(0.5));
        report.compare(&row, "posts/s", &posts, ("bare group commit", &appends), Goal::Stated);
        report.compare(format!("{row}, alone"), "posts/s", &posts_alone, ("the command path", &commands), Goal::Stated);
    }
    assert_eq!(alone.tally.refused.load(Ordering::Relaxed), 0, "nothing is refused");
}

async fn latency(report: &mut Report, posters: &Posters) {
    let lasts = Duration::from_secs(sized(8, 3));
    open_loop(posters.connect(CONNECTIONS).await, A_SECOND, Duration::from_secs(2)).await;
    let (mut p50, mut p99) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        let served = open_loop(posters.connect(CONNECTIONS).await, A_SECOND, lasts).await;
        let latencies = Latencies::of(served.iter().map(|served| served.latency()));
        p50.push(latencies.percentile(0.5));
        p99.push(latencies.percentile(0.99));
    }
    report.state("http-post, 1,000 a second: p50", "ms", &p50, Goal::Stated);
    report.state("http-post, 1,000 a second: p99", "ms", &p99, Goal::AtMost(10.0));
}

/// Clients that request `/healthz` of the same server.
async fn askers(posters: &Posters, number: usize) -> Vec<Asker> {
    let mut askers = Vec::with_capacity(number);
    for _ in 0..number {
        askers.push(Asker(Client::connect(posters.served.address, None).await));
    }
    askers
}

struct Asker(Client);

impl Caller for Asker {
    type Answer = ();

    async fn call(&mut self, _: u64) {
        assert_eq!(self.0.get("/healthz").await.status, 200, "the server answers");
    }
}
