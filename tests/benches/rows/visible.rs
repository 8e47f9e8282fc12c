//! The time from an append until the event is visible in the read model, for the real binary under a steady load.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::load::{Served, open_loop};
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};

const A_SECOND: u32 = 1_000;
const CONNECTIONS: usize = 64;
const MEMBERS: usize = 1_000;
/// The time between two reads of the read model's committed position.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The longest time that the last posts may take.
const LAST_MAX: Duration = Duration::from_secs(10);

pub async fn measure(report: &mut Report) {
    report.over(format!(
        "{A_SECOND} posts a second over HTTP in an open loop, in windows of 8 s, from the moment at which a post was due until another connection \
         sees it committed in the read model, looked at every {} ms",
        LOOK_EVERY.as_millis()
    ));
    let posters = Posters::start(MEMBERS, CONNECTIONS).await;
    let (mut p50, mut p99) = (Runs::default(), Runs::default());
    once(&posters, Duration::from_secs(2)).await;
    for _ in 0..runs() {
        let latencies = once(&posters, Duration::from_secs(sized(8, 3))).await;
        p50.push(latencies.percentile(0.5));
        p99.push(latencies.percentile(0.99));
    }
    report.state("visible, 1,000 a second: p50", "ms", &p50, Goal::Stated);
    report.state("visible, 1,000 a second: p99", "ms", &p99, Goal::AtMost(50.0));
}

async fn once(posters: &Posters, lasts: Duration) -> Latencies {
    let done = CancellationToken::new();
    let watching = tokio::spawn(watch(posters.place.database.url.clone(), done.clone()));
    let served = open_loop(posters.connect(CONNECTIONS).await, A_SECOND, lasts).await;
    tokio::time::timeout(LAST_MAX, posters.are_projected()).await.expect("the read model comes after");
    // The last read comes after the last commit.
    tokio::time::sleep(LOOK_EVERY * 20).await;
    done.cancel();
    let seen = watching.await.expect("the looks");
    Latencies::of(served.iter().map(|served| visible_at(&seen, served) - served.due))
}

/// The time when the read model was first seen with this event.
fn visible_at(seen: &[(Instant, i64)], served: &Served<i64>) -> Instant {
    let first = seen.partition_point(|(_, reached)| *reached < served.answer);
    seen.get(first).expect("every post becomes visible").0
}

/// Every change of the read model's position, with the time when it was seen.
async fn watch(url: String, done: CancellationToken) -> Vec<(Instant, i64)> {
    let mut database = PgConnection::connect(&url).await.expect("the database");
    let mut seen: Vec<(Instant, i64)> = Vec::new();
    while !done.is_cancelled() {
        let query = sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE projection = $1").bind(projections::RELATIONAL);
        let position = query.fetch_one(&mut database).await.expect("the position");
        if seen.last().is_none_or(|(_, last)| position > *last) {
            seen.push((Instant::now(), position));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    seen
}
