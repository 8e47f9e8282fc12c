//! A log with its proof: a write side, and the consumer that signs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyring::MasterKey;
use ledger::proof::note::SignedCheckpoint;
use ledger::proof::verify::{Finding, Options, Report, verify};
use ledger::proof::{Destinations, KeySource, Proofs, Settings, Stats, run};
use sqlx::{FromRow, PgPool};
use stores::log::event_digest;
use tests::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Team, Writing, asked, post};

pub const ORIGIN: &str = "chat.example.org/v1/proof";

/// A log, a team that writes to it, and a consumer that signs it, if one was started.
pub struct World {
    pub writing: Writing,
    pub team: Team,
    pub keys: KeySource,
    pub destinations: Destinations,
    pub stats: Arc<Stats>,
    running: Vec<(CancellationToken, JoinHandle<()>)>,
}

impl World {
    /// Creates a log with some events, all of them signed.
    pub async fn signed() -> Self {
        let mut world = Self::unsigned().await;
        world.start();
        world.settle().await;
        world
    }

    /// Creates a log with some events that no consumer signs.
    pub async fn unsigned() -> Self {
        let writing = Writing::start().await;
        let team = writing.workspace().await;
        let keys = KeySource { origin: Some(ORIGIN.into()), ..KeySource::new(&MasterKey::from([0; 32]), None) };
        let destinations = Destinations { interval: Duration::from_millis(20), ..Destinations::default() };
        let world = Self { writing, team, keys, destinations, stats: Arc::default(), running: Vec::new() };
        for n in 0..6 {
            world.post(&format!("message {n}")).await;
        }
        world
    }

    /// Starts the consumer.
    pub fn start(&mut self) {
        let (stats, running) = self.consumer();
        self.stats = stats;
        self.running.insert(0, running);
    }

    /// Starts a second consumer, which waits for its turn.
    pub fn another(&mut self) -> Arc<Stats> {
        let (stats, running) = self.consumer();
        self.running.push(running);
        stats
    }

    fn consumer(&self) -> (Arc<Stats>, (CancellationToken, JoinHandle<()>)) {
        let (shutdown, stats) = (CancellationToken::new(), Arc::<Stats>::default());
        let settings = Settings {
            pool: self.pool().clone(),
            wake: Some(self.writing.commands.store().head()),
            keys: self.keys.clone(),
            destinations: self.destinations.clone(),
            stats: stats.clone(),
        };
        (stats, (shutdown.clone(), tokio::spawn(run(settings, shutdown))))
    }

    /// Stops the consumer, as a stopping server does.
    pub async fn stop(&mut self) {
        for (shutdown, task) in self.running.drain(..) {
            shutdown.cancel();
            task.await.expect("the consumer ends");
        }
    }

    /// Kills the consumer that was started first, at whatever step it is.
    pub async fn kill(&mut self) {
        let (_, task) = self.running.remove(0);
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()), "the consumer was killed");
    }

    pub fn pool(&self) -> &PgPool {
        &self.writing.pool
    }

    /// Posts a message; returns its position.
    pub async fn post(&self, text: &str) -> i64 {
        post(&self.writing.commands, &asked(self.team.owner), self.team.general, text).await.expect("a post").position
    }

    pub async fn last(&self) -> i64 {
        sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(self.pool()).await.expect("the log")
    }

    /// The size of the newest head.
    pub async fn size(&self) -> i64 {
        Proofs::new(self.pool().clone()).newest().await.expect("the heads").map_or(0, |head| head.size)
    }

    /// The newest head, in the form in which it is kept outside.
    pub async fn head(&self) -> SignedCheckpoint {
        let head = Proofs::new(self.pool().clone()).newest().await.expect("the heads").expect("a head");
        head.note.parse().expect("a signed note")
    }

    /// Waits until every event is in a signed head.
    pub async fn settle(&self) {
        let last = self.last().await;
        eventually("every event is in a signed head", async || self.size().await >= last).await;
    }

    /// Waits until the consumer refuses to sign.
    pub async fn expect_a_refusal(&self) {
        eventually("the consumer refuses to sign", async || self.stats.refuses.load(Ordering::Relaxed)).await;
    }

    /// Waits until the consumer has failed for a reason that is not the log.
    pub async fn expect_a_failure(&self) {
        eventually("the consumer fails", async || self.stats.failures.load(Ordering::Relaxed) > 0).await;
    }

    pub async fn verify(&self) -> Report {
        self.verify_with(Options::default()).await
    }

    pub async fn verify_with(&self, options: Options) -> Report {
        verify(self.pool(), &options, |_, _| {}).await.expect("a report")
    }

    /// The findings, by code and position.
    pub async fn findings(&self, outside: &[SignedCheckpoint]) -> Vec<(&'static str, Option<i64>)> {
        let report = self.verify_with(Options { outside: outside.to_vec(), ..Options::default() }).await;
        report.findings.iter().map(|finding| (finding.code(), Finding::position(finding))).collect()
    }

    /// Runs a statement as the database's administrator could.
    pub async fn tamper(&self, statement: &str) {
        let whole = format!("ALTER TABLE events DISABLE TRIGGER USER; {statement}; ALTER TABLE events ENABLE TRIGGER USER;");
        sqlx::raw_sql(&whole).execute(self.pool()).await.expect("an administrator may do that");
    }

    /// Gives the event at `position` the digest of its present columns.
    pub async fn cover_up(&self, position: i64) {
        let event: Row = sqlx::query_as(
            "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, metadata::text, event_id,
                    workspace_id, recorded_at FROM events WHERE position = $1",
        )
        .bind(position)
        .fetch_one(self.pool())
        .await
        .expect("an event");
        let digest = event.digest().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.tamper(&format!("UPDATE events SET digest = '\\x{digest}' WHERE position = {position}")).await;
    }
}

#[derive(FromRow)]
struct Row {
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    event_id: Uuid,
    workspace_id: Option<Uuid>,
    recorded_at: DateTime<Utc>,
}

impl Row {
    fn digest(&self) -> [u8; 32] {
        event_digest(
            self.position,
            &self.aggregate_type,
            &self.aggregate_id,
            self.sequence,
            &self.event_type,
            &self.event_version,
            &self.payload,
            &self.metadata,
            self.event_id,
            self.workspace_id,
            self.recorded_at,
        )
    }
}

/// Stops the consumer when a test ends: the database is dropped.
impl Drop for World {
    fn drop(&mut self) {
        for (_, task) in self.running.drain(..) {
            task.abort();
        }
    }
}
