//! Reads the metrics from the parts of this process and from the stores.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use commands::Commands;
use commands::relay::{self, StreamUsage};
use ledger::proof::{self, Destinations, Proofs};
use live::Hub;
use processes::daily;
use processes::retention::Retention;
use projections::ReadModels;
use projections::cache::Caches;
use prometheus::proto::MetricFamily;
use sqlx::PgPool;
use state::exports::ExportStore;
use stores::log;
use tokio::time::timeout;

use super::sample::Sample;
use super::{Metrics, process};
use crate::config::Settings;
use crate::health::Health;
use crate::signals::Signals;

/// The longest time that NATS, or a connection to Postgres, may take in a scrape.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest time for all figures of the database. Together with the others it is less than the ten seconds that
/// Prometheus waits for a scrape.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The parts of this process whose metrics Prometheus reads.
#[derive(Clone)]
pub struct Figures {
    /// The metrics that are counted.
    pub metrics: Metrics,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The health of this process.
    pub health: Health,
    /// The write side.
    pub commands: Commands,
    /// The pools of Postgres, by name.
    pub pools: Vec<(&'static str, PgPool)>,
    /// The read side.
    pub read_models: ReadModels,
    /// Retention.
    pub retention: Retention,
    /// The exports of people's data.
    pub exports: ExportStore,
    /// The signed heads.
    pub proofs: Proofs,
    /// Statistics of this process's proof consumer.
    pub proof: Arc<proof::Stats>,
    /// The destinations of signed heads.
    pub heads: Destinations,
    /// The cached answers in Redis.
    pub caches: Caches,
    /// The live connections.
    pub hub: Hub,
    /// Presence, typing, read markers and unread counts on live connections.
    pub signals: Signals,
}

impl Figures {
    /// Reads the current metrics of all parts.
    pub async fn families(&self) -> Vec<MetricFamily> {
        let mut sample = Sample::default();
        sample.set_with("backscroll_build_info", &[env!("CARGO_PKG_VERSION"), stores::release::commit()], 1.0);
        process::read(&mut sample);
        self.read_process(&mut sample);
        let (readiness, usage, waits) = tokio::join!(self.health.readiness(), self.stream_usage(), self.waits());
        sample.set("backscroll_ready", figure(readiness.serves()));
        for (part, state) in readiness.parts() {
            sample.set_with("backscroll_part_ok", &[part], figure(state.is_ok()));
        }
        for (pool, wait) in waits {
            sample.set_with("backscroll_postgres_wait_seconds", &[pool], wait.as_secs_f64());
        }
        if let Some(usage) = usage {
            set_usage(&mut sample, usage);
        }
        // Each of these would wait for a connection that does not come.
        if readiness.is_ok("postgres") {
            // What is not read in time is left out.
            let _ = timeout(DATABASE_TIMEOUT, self.read_database(&mut sample)).await;
        }
        let mut families = self.metrics.families();
        families.extend(sample.into_families());
        families
    }

    /// The live connections of this process.
    fn read_live(&self, sample: &mut Sample) {
        let stats = self.hub.stats();
        for (transport, sockets) in stats.sockets() {
            sample.set_with("backscroll_live_connections", &[transport], sockets as f64);
        }
        sample.set("backscroll_live_frames_total", stats.frames() as f64);
        sample.set("backscroll_live_bytes_total", stats.bytes() as f64);
        sample.set("backscroll_live_position", stats.position() as f64);
        sample.set("backscroll_live_lag_seconds", stats.lag_seconds());
        let bus = self.signals.bus();
        for (what, count) in [("sent", &bus.sent), ("received", &bus.received), ("dropped", &bus.dropped)] {
            sample.set_with("backscroll_live_notices_total", &[what], count.load(Relaxed) as f64);
        }
        sample.set("backscroll_live_watched_people", self.signals.watched() as f64);
        for (code, count) in stats.endings() {
            sample.set_with("backscroll_live_closed_total", &[&code], count as f64);
        }
    }

    /// What this process knows by itself.
    fn read_process(&self, sample: &mut Sample) {
        let relay = &self.health.relay;
        sample.set("backscroll_relay_leads", figure(relay.leading.load(Relaxed)));
        sample.set("backscroll_relay_failures_total", relay.restarts.load(Relaxed) as f64);
        for projection in projections::replayable(&self.health.stores) {
            sample.set_with("backscroll_projection_holds", &[projection], figure(self.health.stores.progress.holds(projection)));
        }
        let runs = self.retention.runs();
        for (outcome, total) in [("done", &runs.done), ("failed", &runs.failed)] {
            sample.set_with("backscroll_retention_runs_total", &[outcome], total.load(Relaxed) as f64);
        }
        if let Some(at) = self.settings.retention_at {
            sample.set("backscroll_retention_due_timestamp_seconds", seconds(daily::due(Utc::now(), at)));
        }
        for (name, pool) in &self.pools {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            sample.set_with("backscroll_postgres_connections", &[name, "idle"], idle.into());
            sample.set_with("backscroll_postgres_connections", &[name, "used"], pool.size().saturating_sub(idle).into());
            sample.set_with("backscroll_postgres_connections_max", &[name], pool.options().get_max_connections().into());
        }
        self.read_live(sample);
        self.metrics.set_proof_refuses(self.proof.refuses.load(Relaxed));
        self.set_done();
    }

    /// What the database knows, so that every process says the same. What cannot be read is left out.
    async fn read_database(&self, sample: &mut Sample) {
        self.read_log(sample).await;
        self.read_proof(sample).await;
        self.read_projections(sample).await;
        if let Ok(Some(run)) = self.retention.last_run().await {
            sample.set("backscroll_retention_finished_timestamp_seconds", seconds(run.began_at));
            sample.set("backscroll_retention_last_run_seconds", (seconds(run.ended_at) - seconds(run.began_at)).max(0.0));
        }
        if let Ok(erasures) = self.read_models.count_erasures(Utc::now()).await {
            sample.set("backscroll_erasures_waiting", erasures.waiting as f64);
            sample.set("backscroll_erasures_overdue", erasures.overdue as f64);
        }
        if let Ok(exports) = self.exports.count().await {
            let states = [("queued", exports.queued), ("running", exports.running), ("ready", exports.ready), ("failed", exports.failed)];
            for (state, count) in states {
                sample.set_with("backscroll_exports", &[state], count as f64);
            }
            sample.set("backscroll_export_oldest_waiting_seconds", exports.oldest_waiting_seconds);
        }
    }

    /// The end of the log, from the log itself, and how far the relay and the projections are behind it.
    async fn read_log(&self, sample: &mut Sample) {
        let stores = &self.health.stores;
        if let Ok(head) = log::head(&stores.pool).await {
            sample.set_with("backscroll_position", &["log"], head as f64);
        }
        if let Ok(published) = relay::published(&stores.pool).await {
            sample.set_with("backscroll_position", &["relay"], published.position as f64);
            sample.set("backscroll_relay_lag_events", published.lag.events as f64);
            sample.set("backscroll_relay_lag_seconds", published.lag.seconds);
        }
        for projection in projections::replayable(stores) {
            if let Ok(position) = stores.progress.position(projection).await {
                self.set_projection(sample, projection, position).await;
            }
        }
    }

    async fn read_proof(&self, sample: &mut Sample) {
        let Ok(signed) = self.proofs.newest().await else { return };
        let size = signed.map_or(0, |head| head.size);
        self.set_projection(sample, "proof", size).await;
        for delivered in proof::delivered(&self.health.stores.pool, &self.heads).await.unwrap_or_default() {
            let missing = (size - delivered.size).max(0);
            sample.set_with("backscroll_proof_undelivered_events", &[delivered.destination], missing as f64);
            let at = delivered.at.map_or(0.0, seconds);
            sample.set_with("backscroll_proof_delivered_timestamp_seconds", &[delivered.destination], at);
        }
    }

    async fn set_projection(&self, sample: &mut Sample, projection: &str, position: i64) {
        sample.set_with("backscroll_position", &[projection], position as f64);
        if let Ok(lag) = log::lag(&self.health.stores.pool, position).await {
            sample.set_with("backscroll_projection_lag_events", &[projection], lag.events as f64);
            sample.set_with("backscroll_projection_lag_seconds", &[projection], lag.seconds);
        }
    }

    async fn read_projections(&self, sample: &mut Sample) {
        let pool = &self.health.stores.pool;
        if let Ok(parked) = projections::count_parked(pool).await {
            for projection in projections::replayable(&self.health.stores) {
                let count = parked.iter().find(|count| count.projection == projection);
                let (keys, events) = count.map_or((0, 0), |count| (count.keys, count.events));
                sample.set_with("backscroll_projection_parked_keys", &[projection], keys as f64);
                sample.set_with("backscroll_projection_parked_events", &[projection], events as f64);
            }
        }
        if let (Some(_), Ok(documents)) = (&self.health.stores.elastic, projections::count_rejected(pool).await) {
            sample.set("backscroll_search_rejected_documents", documents as f64);
        }
        if let Ok(latest) = projections::runs::latest_of_each(pool).await {
            self.metrics.set_replays(&latest);
        }
        if let Ok(fills) = projections::fills(pool).await {
            self.metrics.set_fills(&fills);
        }
    }

    async fn stream_usage(&self) -> Option<StreamUsage> {
        timeout(ANSWER_TIMEOUT, relay::usage(&self.health.nats, &self.settings.nats_stream)).await.ok()?.ok()
    }

    /// How long a request would wait for a connection now. A pool does not say how many wait for it.
    async fn waits(&self) -> Vec<(&'static str, Duration)> {
        let waits = self.pools.iter().map(|(name, pool)| async move {
            let began = Instant::now();
            drop(timeout(ANSWER_TIMEOUT, pool.acquire()).await);
            (*name, began.elapsed().min(ANSWER_TIMEOUT))
        });
        futures::future::join_all(waits).await
    }

    fn set_done(&self) {
        let cache = self.caches.stats();
        let store = self.commands.store().stats();
        for (what, total) in [
            ("events", &store.events),
            ("batches", &store.batches),
            ("batches moved", &store.conflicts),
            ("batches done with care", &store.one_by_one),
            ("batches refused because the clock is ahead", &store.ahead),
            ("cache hits", &cache.hits),
            ("cache misses", &cache.misses),
            ("cache fills", &cache.fills),
            ("cache fills refused", &cache.fills_refused),
        ] {
            self.metrics.set_done(what, total.load(Relaxed));
        }
    }
}

fn set_usage(sample: &mut Sample, usage: StreamUsage) {
    sample.set("backscroll_jetstream_messages", usage.messages as f64);
    sample.set("backscroll_jetstream_bytes", usage.bytes as f64);
    sample.set("backscroll_jetstream_storage_bytes", usage.account_bytes as f64);
    let limits = [("backscroll_jetstream_bytes_max", usage.bytes_max), ("backscroll_jetstream_storage_bytes_max", usage.account_bytes_max)];
    for (name, limit) in limits {
        if let Some(limit) = limit {
            sample.set(name, limit as f64);
        }
    }
}

fn figure(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A time in the form that Prometheus compares with its own.
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}
