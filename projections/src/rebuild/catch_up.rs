//! Brings the tables under construction up to date: first with the events that came too late for their row during
//! folding, then with the events that were appended meanwhile.

use domain::{Event, Recorded, RetentionEvent};
use sqlx::Connection;
use stores::checkpoint::{self, Checkpoint};
use stores::feed::BATCH_EVENTS_MAX;
use stores::log::read;
use uuid::Uuid;

use super::fold::{LateEvent, count};
use super::report::{Phase, RebuildError, RebuildProgress};
use super::shadow::Shadow;
use crate::engine::batch;
use crate::engine::park::{self, Parked, ParkedKeys};
use crate::engine::projector::ApplyError;
use crate::relational::messages::{self, Effects};
use crate::relational::{self, Arrival, EventStamp, Model, Relational};

/// How many late events one transaction applies.
const LATE_EVENTS: usize = 2_000;

/// How often to catch up before giving up. Each round is shorter than the one before, unless the log grows faster than
/// that.
const ROUNDS_MAX: usize = 100;

/// The position and the state of the tables under construction.
pub(super) struct CatchUp {
    stood: Checkpoint,
    parked: ParkedKeys,
}

impl CatchUp {
    /// Begins at `position`: the tables hold all events up to it, except parked and late ones.
    pub(super) async fn begin(shadow: &mut Shadow, position: i64, parked: &Parked, version: i32) -> Result<Self, RebuildError> {
        let mut tx = shadow.connection.begin().await?;
        let begun = checkpoint::begin_epoch(&mut tx, relational::NEXT_NAME, "a rebuild", version).await?;
        checkpoint::advance(&mut tx, relational::NEXT_NAME, begun, position).await?;
        parked.store(&mut tx, relational::NEXT_NAME).await?;
        let parked = park::keys(&mut tx, relational::NEXT_NAME).await?;
        tx.commit().await?;
        Ok(Self { stood: Checkpoint { position, ..begun }, parked })
    }

    /// The position of the tables.
    pub(super) fn position(&self) -> i64 {
        self.stood.position
    }

    /// The parked keys.
    pub(super) fn parked(&self) -> Vec<String> {
        self.parked.iter().map(str::to_owned).collect()
    }

    /// Applies the events that came too late for their row. Returns the positions of those whose rows are not there.
    pub(super) async fn apply_late(
        &self,
        shadow: &mut Shadow,
        late: &[LateEvent],
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<Vec<i64>, RebuildError> {
        let mut missing = Vec::new();
        for (done, chunk) in late.chunks(LATE_EVENTS).enumerate() {
            let positions = chunk.iter().map(|late| late.position).collect::<Vec<_>>();
            let events = read::read_positions(&shadow.pool, &shadow.keys, &positions).await?;
            let events = events.into_iter().filter_map(|event| event.event.ok()).collect::<Vec<_>>();
            let mut tx = shadow.connection.begin().await?;
            missing.extend(apply_late(&mut tx, &events, chunk).await?);
            tx.commit().await?;
            observe(RebuildProgress { phase: Phase::CatchingUp, done: (done * LATE_EVENTS) as u64, total: late.len() as u64 });
        }
        Ok(missing)
    }

    /// Applies events up to exactly `position`.
    pub(super) async fn up_to(
        &mut self,
        shadow: &mut Shadow,
        position: i64,
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<(), RebuildError> {
        while self.stood.position < position {
            let behind = usize::try_from(position - self.stood.position).unwrap_or(usize::MAX);
            let events = read::read(&shadow.pool, &shadow.keys, self.stood.position, behind.min(BATCH_EVENTS_MAX)).await?;
            if events.is_empty() {
                return Err(RebuildError::Log(format!("it ends at {}, before {position}", self.stood.position).into()));
            }
            self.stood = batch::apply(&mut shadow.connection, &mut Relational::next(), self.stood, &events, &mut self.parked).await?;
            observe(RebuildProgress { phase: Phase::CatchingUp, done: count(self.stood.position), total: count(position) });
        }
        Ok(())
    }

    /// Applies events until less than one batch separates the tables from the live model. If the live model is behind
    /// them, they stay where they are.
    pub(super) async fn approach_live(
        &mut self,
        shadow: &mut Shadow,
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<(), RebuildError> {
        for _ in 0..ROUNDS_MAX {
            let live = checkpoint::read(&mut shadow.connection, relational::NAME).await?.map_or(0, |live| live.position);
            if live - self.stood.position <= i64::try_from(BATCH_EVENTS_MAX).unwrap_or(i64::MAX) {
                return Ok(());
            }
            self.up_to(shadow, live, observe).await?;
        }
        Err(RebuildError::LogTooFast)
    }
}

async fn apply_late(tx: &mut sqlx::PgConnection, events: &[Recorded<Event>], late: &[LateEvent]) -> Result<Vec<i64>, RebuildError> {
    let affected = events.iter().zip(late).flat_map(|(event, late)| match &event.event {
        Event::Message(happened) => [Some(event.stream.id), messages::root_of_new(happened)].into_iter().flatten().collect(),
        Event::Retention(_) => late.leaving.clone(),
        Event::User(_) | Event::Workspace(_) | Event::Channel(_) | Event::Session(_) | Event::Audit(_) | Event::Installation(_) => {
            Vec::new()
        }
    });
    let mut model = Model::load_messages(tx, affected.collect::<Vec<Uuid>>()).await?;
    let mut missing = Vec::new();
    for (event, late) in events.iter().zip(late) {
        if !apply_one_late(&mut model, event, late)? {
            missing.push(event.position);
        }
    }
    model.save(tx).await.map_err(ApplyError::Store)?;
    Ok(missing)
}

/// Applies one late event. Returns whether all rows that it changes exist.
fn apply_one_late(model: &mut Model, event: &Recorded<Event>, late: &LateEvent) -> Result<bool, RebuildError> {
    let (rows, stamp) = (&mut model.messages, EventStamp::of(event));
    match &event.event {
        Event::Message(happened) => {
            Ok(messages::apply(rows, event.stream.id, stamp, happened, late.effects, Arrival::Late)? == Effects::NONE)
        }
        Event::Retention(RetentionEvent::Applied(applied)) => {
            Ok(messages::leave(rows, stamp, applied, event.metadata.actor, &late.leaving).is_empty())
        }
        Event::User(_) | Event::Workspace(_) | Event::Channel(_) | Event::Session(_) | Event::Audit(_) | Event::Installation(_) => Ok(true),
    }
}
