//! Applies one batch: the checkpoint and the rows change in one transaction. An event that cannot be applied is parked.

use domain::{Event, Recorded};
use sqlx::{Connection, PgConnection};
use stores::checkpoint::{self, Checkpoint};
use stores::error::chain;
use stores::log::Delivery;
use tracing::{Level, debug, enabled, error};

use crate::engine::park::{self, Parked, ParkedKeys};
use crate::engine::projector::{ApplyError, Projector};

/// Why a batch was not applied. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    /// Another process holds the projection under a newer epoch, or the checkpoint has moved.
    #[error("another process holds the projection")]
    Fenced,
    /// A rebuild or an unparking changed the projection. What this process remembers of it must be read again.
    #[error("a rebuild or an unparking changed the projection")]
    Changed,
    /// The database cannot be used at the moment.
    #[error("the store cannot be used")]
    Store(#[from] sqlx::Error),
    /// The projection's own store cannot be used at the moment.
    #[error("the projection cannot be written")]
    Apply(#[source] ApplyError),
}

/// Applies a batch and moves the checkpoint to its last event. The events are consecutive, and the first one follows
/// the checkpoint.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    projector: &mut dyn Projector,
    stood: Checkpoint,
    events: &[Delivery],
    parked: &mut ParkedKeys,
) -> Result<Checkpoint, BatchError> {
    let Some(last) = events.last() else { return Ok(stood) };
    let to = Checkpoint { position: last.position, ..stood };
    // Tries the whole batch at once, which nearly always works. Otherwise it goes event by event and parks those that
    // fail.
    let ready = ready(events, parked);
    if let Some(ready) = ready {
        match apply_at_once(connection, projector, stood, to, &ready).await {
            Err(BatchError::Apply(error)) if error.is_poison() => {}
            Err(error) => return Err(error),
            Ok(()) => {
                log_applied(projector.name(), &ready);
                return Ok(to);
            }
        }
    }
    apply_with_care(connection, projector, stood, to, events, parked).await?;
    Ok(to)
}

/// Reads again what this process remembers of the projection: the generation and the parked keys.
pub(crate) async fn read_again(
    connection: &mut PgConnection,
    projection: &str,
    stood: Checkpoint,
    parked: &mut ParkedKeys,
) -> Result<Checkpoint, BatchError> {
    let mut tx = connection.begin().await?;
    let found = checkpoint::lock(&mut tx, projection).await?.ok_or(BatchError::Fenced)?;
    *parked = park::keys(&mut tx, projection).await?;
    tx.commit().await?;
    if (found.epoch, found.position) == (stood.epoch, stood.position) { Ok(found) } else { Err(BatchError::Fenced) }
}

/// The batch's events, if all can be decoded and none is parked or left out.
fn ready<'a>(events: &'a [Delivery], parked: &ParkedKeys) -> Option<Vec<&'a Recorded<Event>>> {
    if !parked.is_empty() && events.iter().any(|event| parked.has(&event.park_key) || parked.leaves_out(event.position)) {
        return None;
    }
    events.iter().map(|event| event.event.as_ref().ok()).collect()
}

async fn apply_at_once(
    connection: &mut PgConnection,
    projector: &mut dyn Projector,
    stood: Checkpoint,
    to: Checkpoint,
    events: &[&Recorded<Event>],
) -> Result<(), BatchError> {
    let mut tx = connection.begin().await?;
    advance(&mut tx, projector.name(), stood, to).await?;
    projector.apply(&mut tx, events).await.map_err(BatchError::Apply)?;
    Ok(tx.commit().await?)
}

/// Logs the batch with the request's identifier, so that a request can be followed from HTTP to here.
fn log_applied(projection: &str, events: &[&Recorded<Event>]) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    for event in events {
        let (position, request_id) = (event.position, event.metadata.request_id.as_deref());
        debug!(projection, position, request_id, event_type = event.event.wire_name(), "projected an event");
    }
}

/// Applies event by event, each under a savepoint.
async fn apply_with_care(
    connection: &mut PgConnection,
    projector: &mut dyn Projector,
    stood: Checkpoint,
    to: Checkpoint,
    events: &[Delivery],
    parked: &mut ParkedKeys,
) -> Result<(), BatchError> {
    let mut tx = connection.begin().await?;
    advance(&mut tx, projector.name(), stood, to).await?;
    // Keys that this batch parks are remembered only after it is committed.
    let mut now_parked = parked.clone();
    let mut notes = Parked::default();
    for event in events {
        if now_parked.leaves_out(event.position) {
            continue;
        }
        if now_parked.has(&event.park_key) {
            notes.add_waiting(event);
        } else if let Some(error) = apply_one(&mut tx, projector, event).await.map_err(BatchError::Apply)? {
            error!(
                projection = projector.name(),
                position = event.position,
                key = event.park_key,
                error,
                "an event cannot be applied: its key is parked"
            );
            now_parked.add(&event.park_key);
            notes.park(event, error);
        }
    }
    notes.store(&mut tx, projector.name()).await?;
    tx.commit().await?;
    *parked = now_parked;
    Ok(())
}

/// Applies one event under a savepoint, or returns why it cannot be applied. Then nothing of it is written.
pub(super) async fn apply_one(
    tx: &mut PgConnection,
    projector: &mut dyn Projector,
    event: &Delivery,
) -> Result<Option<String>, ApplyError> {
    let recorded = match &event.event {
        Ok(recorded) => recorded,
        Err(error) => return Ok(Some(chain(error))),
    };
    let mut savepoint = tx.begin().await?;
    match projector.apply(&mut savepoint, &[recorded]).await {
        Ok(()) => {
            savepoint.commit().await?;
            log_applied(projector.name(), &[recorded]);
            Ok(None)
        }
        Err(error) if error.is_poison() => {
            savepoint.rollback().await?;
            Ok(Some(error.operator_text()))
        }
        Err(error) => Err(error),
    }
}

async fn advance(tx: &mut PgConnection, projection: &str, stood: Checkpoint, to: Checkpoint) -> Result<(), BatchError> {
    match checkpoint::advance(tx, projection, stood, to.position).await? {
        None => Err(BatchError::Fenced),
        Some(generation) if generation != stood.generation => Err(BatchError::Changed),
        Some(_) => Ok(()),
    }
}
