//! The cost of the proof for appends: with the consumer that extends the tree and signs its head, and without.

use std::sync::Arc;
use std::time::Duration;

use commands::EventStore;
use ledger::proof::{Destinations, KeySource, Settings, Stats, run};
use sqlx::PgPool;
use tests::TestDatabase;
use tests::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::appenders::Ours;
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs};

/// The number of rounds in one run. Each round appends with and without the consumer.
const ROUNDS: usize = 3;

/// A consumer that signs.
pub struct Consumer {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    stats: Arc<Stats>,
}

impl Consumer {
    pub fn start(pool: &PgPool, store: &EventStore) -> Self {
        let (shutdown, stats) = (CancellationToken::new(), Arc::<Stats>::default());
        let settings = Settings {
            pool: pool.clone(),
            wake: Some(store.head()),
            keys: KeySource {
                origin: Some("bench.example.org/v1/proof".into()),
                ..KeySource::new(&keyring::MasterKey::from([0; 32]), None)
            },
            destinations: Destinations { interval: Duration::from_secs(60), ..Destinations::default() },
            stats: stats.clone(),
        };
        Self { task: tokio::spawn(run(settings, shutdown.clone())), shutdown, stats }
    }

    /// Waits until every event is signed.
    pub async fn settle(&self, last: i64) {
        let size = || self.stats.size.load(std::sync::atomic::Ordering::Relaxed);
        eventually("everything is signed", async || size() >= last).await;
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the consumer ends");
    }
}

pub async fn measure(report: &mut Report) {
    report.over("one message of about 65 characters an append, to a new stream, with three guards; with and without the consumer, in turns, over one log");
    let database = TestDatabase::create().await;
    let pool = database.pool(8).await;
    let ours = Ours::over(EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the store"));
    for callers in [1, 32, 128] {
        let (mut with, mut without) = (Runs::default(), Runs::default());
        for _ in 0..runs() {
            let (mut signed, mut unsigned) = (0.0, 0.0);
            for round in 0..ROUNDS * 2 {
                // The order changes from round to round.
                if (round + round / 2).is_multiple_of(2) {
                    unsigned += ours.rate(callers).await;
                } else {
                    let consumer = Consumer::start(&pool, ours.store());
                    consumer.settle(*ours.store().head().borrow()).await;
                    signed += ours.rate(callers).await;
                    consumer.stop().await;
                }
            }
            with.push(signed / ROUNDS as f64);
            without.push(unsigned / ROUNDS as f64);
        }
        let row = format!("append while it is being signed, {}", super::callers(callers));
        report.compare(&row, "events/s", &with, ("the same, unsigned", &without), Goal::AtLeast(0.95));
    }
}
