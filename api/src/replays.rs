//! Replays that were asked for over HTTP: they run beside the server's work, and say how far they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use projections::{RebuildError, RebuildOptions, RebuildProgress, RebuildReport, Stores};
use serde::Serialize;
use tokio::runtime::Handle;
use utoipa::ToSchema;

use crate::problem::Problem;

/// A projection that is being built anew, or was.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replay {
    /// The projection.
    projection: String,
    /// `running`, `done` or `failed`.
    #[schema(example = "running")]
    state: &'static str,
    /// What it is doing, or did last: `folding`, `indexing`, `catching up`, `comparing`, `switching`.
    #[schema(example = "folding")]
    phase: String,
    /// How much of the phase is done.
    done: u64,
    /// How much of the phase there is.
    total: u64,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    ended_at: Option<DateTime<Utc>>,
    /// How many events it read.
    events: Option<u64>,
    /// The position that the new model stood at when it was switched to.
    position: Option<i64>,
    /// Why it failed: then the old model stays.
    error: Option<String>,
}

/// The latest replay of each projection, since this process started.
#[derive(Clone)]
pub struct Replays {
    stores: Stores,
    /// Not the threads that answer requests: a replay works hard.
    runtime: Handle,
    latest: Arc<Mutex<HashMap<String, Replay>>>,
}

impl Replays {
    /// None yet.
    #[must_use]
    pub fn new(stores: Stores, runtime: Handle) -> Self {
        Self { stores, runtime, latest: Arc::default() }
    }

    /// Begins one.
    ///
    /// # Errors
    /// There is no such projection, or one is under way.
    pub fn start(&self, projection: &str) -> Result<Replay, Problem> {
        if !projections::can_be_replayed(&self.stores, projection) {
            return Err(Problem::not_found("projection.not_found", "there is no such projection: GET /v1/projections lists them"));
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.get(projection).is_some_and(|replay| replay.state == "running") {
            return Err(Problem::conflict("replay.under_way", "a replay of this projection is under way: GET …/replays/current shows it"));
        }
        let replay = Replay::new(projection);
        latest.insert(projection.to_owned(), replay.clone());
        drop(self.runtime.spawn(self.clone().run(projection.to_owned())));
        Ok(replay)
    }

    /// The latest one.
    #[must_use]
    pub fn current(&self, projection: &str) -> Option<Replay> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).get(projection).cloned()
    }

    async fn run(self, projection: String) {
        let observe = |progress| self.change(&projection, |replay| replay.moved(progress));
        let outcome = projections::rebuild(&self.stores, &projection, RebuildOptions::default(), observe).await;
        match &outcome {
            Ok(report) => tracing::info!(projection, events = report.events, position = report.position, "a projection was replayed"),
            Err(error) => tracing::warn!(projection, %error, "a projection could not be replayed"),
        }
        self.change(&projection, |replay| replay.ended(outcome));
    }

    fn change(&self, projection: &str, change: impl FnOnce(&mut Replay)) {
        if let Some(replay) = self.latest.lock().unwrap_or_else(PoisonError::into_inner).get_mut(projection) {
            change(replay);
        }
    }
}

impl Replay {
    fn new(projection: &str) -> Self {
        Self {
            projection: projection.to_owned(),
            state: "running",
            phase: projections::Phase::Folding.to_string(),
            done: 0,
            total: 0,
            started_at: Utc::now(),
            ended_at: None,
            events: None,
            position: None,
            error: None,
        }
    }

    fn moved(&mut self, progress: RebuildProgress) {
        self.phase = progress.phase.to_string();
        self.done = progress.done;
        self.total = progress.total;
    }

    fn ended(&mut self, outcome: Result<RebuildReport, RebuildError>) {
        self.ended_at = Some(Utc::now());
        match outcome {
            Ok(report) => {
                self.state = "done";
                self.events = Some(report.events);
                self.position = Some(report.position);
            }
            Err(error) => {
                self.state = "failed";
                self.error = Some(error.to_string());
            }
        }
    }
}
