//! Reads the metrics from the parts of this process.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use commands::Commands;
use commands::relay::RelayStats;
use ledger::proof::{self, Proofs};
use projections::cache::Caches;
use projections::{Connections, Progress};
use prometheus::proto::MetricFamily;

use super::Metrics;

/// The parts of this process whose metrics Prometheus reads.
#[derive(Clone)]
pub struct Figures {
    /// The metrics to set.
    pub metrics: Metrics,
    /// The write side.
    pub commands: Commands,
    /// Statistics of this process's relay.
    pub relay: Arc<RelayStats>,
    /// The positions of the projections.
    pub progress: Progress,
    /// Postgres, which has the table of replays.
    pub stores: Connections,
    /// The signed heads.
    pub proofs: Proofs,
    /// Statistics of this process's proof consumer.
    pub proof: Arc<proof::Stats>,
    /// The cached answers in Redis.
    pub caches: Caches,
}

impl Figures {
    /// Reads the current metrics of all parts.
    pub async fn families(&self) -> Vec<MetricFamily> {
        let head = *self.commands.store().head().borrow();
        self.metrics.set_position("log", head);
        self.metrics.set_position("relay", self.relay.position.load(Relaxed));
        self.metrics.set_relay_leads(self.relay.leading.load(Relaxed));
        for projection in projections::replayable(&self.stores) {
            if let Ok(position) = self.progress.position(projection).await {
                self.metrics.set_position(projection, position);
                self.metrics.set_lag(projection, (head - position).max(0));
            }
        }
        if let Ok(latest) = projections::runs::latest_of_each(&self.stores.pool).await {
            self.metrics.set_replays(&latest);
        }
        if let Ok(fills) = projections::fills(&self.stores.pool).await {
            self.metrics.set_fills(&fills);
        }
        if let Ok(signed) = self.proofs.newest().await {
            let size = signed.map_or(0, |head| head.size);
            self.metrics.set_position("proof", size);
            self.metrics.set_lag("proof", (head - size).max(0));
        }
        self.metrics.set_proof_refuses(self.proof.refuses.load(Relaxed));
        self.set_done();
        self.metrics.families()
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
