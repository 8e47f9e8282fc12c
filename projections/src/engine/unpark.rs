//! Releases a parked key: after its cause is repaired, or after the event that blocks it is left out.

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection, PgPool, query, query_scalar};
use stores::checkpoint;
use stores::feed::BATCH_EVENTS_MAX;
use stores::log::read;
use uuid::Uuid;

use crate::connections::Connections;
use crate::engine::batch::apply_one;
use crate::engine::park::{self, ParkedEvent, UnparkError};
use crate::engine::projector::{ApplyError, Projector};
use crate::engine::registry;
use crate::engine::runner::connect;

/// A key that was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unparked {
    /// The position of the event that blocked the key.
    pub first_position: i64,
    /// How many events were applied.
    pub applied: u64,
}

/// Applies the events that wait under a key, now that they can be applied. The projection stands still meanwhile. If
/// very many events wait, a rebuild is better.
///
/// # Errors
/// Nothing is parked under the key, or an event still cannot be applied. Then nothing is changed.
pub async fn unpark(stores: &Connections, projection: &str, park_key: &str) -> Result<Unparked, UnparkError> {
    release(stores, projection, park_key, OnFailure::Undo).await
}

/// Applies the events behind an event that the log says is left out from now on. If a later event cannot be applied
/// either, the key stays parked at that one.
///
/// # Errors
/// Nothing is parked under the key, a later event cannot be applied, or a store cannot be used.
pub async fn unpark_behind(stores: &Connections, projection: &str, park_key: &str) -> Result<Unparked, UnparkError> {
    release(stores, projection, park_key, OnFailure::Keep).await
}

/// Checks that this event blocks the key.
///
/// # Errors
/// Nothing is parked under the key, or another event blocks it.
pub async fn is_parked_at(pool: &PgPool, projection: &str, park_key: &str, position: i64) -> Result<(), UnparkError> {
    let parked = park::payloads(pool, projection).await?.into_iter().map(|parked| parked.parked);
    let parked = parked.into_iter().find(|parked| parked.park_key == park_key);
    let parked = parked.ok_or_else(|| UnparkError::NotParked(park_key.into()))?;
    if parked.first_position == position {
        return Ok(());
    }
    Err(UnparkError::OtherEvent { asked: position, first: parked.first_position })
}

/// What to do with the events already applied if a later one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Undo,
    Keep,
}

/// The result of applying the events of a key.
struct Applied {
    applied: u64,
    /// The event that could not be applied, and why.
    stopped: Option<(i64, String)>,
}

async fn release(stores: &Connections, projection: &str, park_key: &str, on_failure: OnFailure) -> Result<Unparked, UnparkError> {
    let pool = &stores.pool;
    let mut projectors = registry::projectors(stores).into_iter();
    let mut projector = projectors.find(|p| p.name() == projection).ok_or_else(|| UnparkError::Unknown(projection.into()))?;
    let mut connection = connect(pool).await?;
    let mut tx = connection.begin().await?;
    // From here on no batch can commit, so none can park more events.
    checkpoint::lock(&mut tx, projection).await?;
    let parked = park::parked_under(&mut tx, projection, park_key).await?.ok_or_else(|| UnparkError::NotParked(park_key.into()))?;
    let skipped = park::skipped(&mut tx, projection).await?;
    let Applied { applied, stopped } = apply(&mut tx, stores, projector.as_mut(), &parked, &skipped).await?;
    match &stopped {
        None => {
            query!("DELETE FROM parked_keys WHERE projection = $1 AND park_key = $2", projection, park_key).execute(&mut *tx).await?;
        }
        Some((position, error)) if on_failure == OnFailure::Keep && *position > parked.first_position => {
            move_to(&mut tx, projection, &parked, *position, error).await?;
        }
        Some((position, error)) => return Err(UnparkError::StillPoison { position: *position, error: error.clone() }),
    }
    checkpoint::bump_generation(&mut tx, projection).await?;
    registry::rows_changed(&mut tx, projection, park_key).await?;
    tx.commit().await?;
    match stopped {
        Some((position, error)) => Err(UnparkError::StillPoison { position, error }),
        None => Ok(Unparked { first_position: parked.first_position, applied }),
    }
}

async fn apply(
    tx: &mut PgConnection,
    stores: &Connections,
    projector: &mut dyn Projector,
    parked: &ParkedEvent,
    skipped: &BTreeSet<i64>,
) -> Result<Applied, UnparkError> {
    let condition = condition(&parked.park_key).ok_or_else(|| UnparkError::NotParked(parked.park_key.clone()))?;
    let mut after = parked.first_position - 1;
    let mut applied = 0;
    loop {
        let events = read::read_of(&stores.pool, &stores.keys, &condition, after, parked.last_position, BATCH_EVENTS_MAX).await;
        let events = events.map_err(|error| UnparkError::Log(Box::new(error)))?;
        let Some(last) = events.last() else { return Ok(Applied { applied, stopped: None }) };
        after = last.position;
        for event in events.iter().filter(|event| !skipped.contains(&event.position)) {
            if let Some(error) = apply_one(tx, projector, event).await.map_err(store_error)? {
                return Ok(Applied { applied, stopped: Some((event.position, error)) });
            }
            applied += 1;
        }
    }
}

fn store_error(error: ApplyError) -> UnparkError {
    match error {
        ApplyError::Store(error) => error.into(),
        error => UnparkError::OtherStore(Box::new(error)),
    }
}

/// Parks the key at a later event.
async fn move_to(tx: &mut PgConnection, projection: &str, parked: &ParkedEvent, position: i64, error: &str) -> Result<(), UnparkError> {
    let condition = condition(&parked.park_key).unwrap_or_else(|| "FALSE".into());
    let statement = format!("SELECT count(*) FROM events WHERE position BETWEEN $1 AND $2 AND {condition}");
    let waiting = query_scalar::<_, i64>(&statement).bind(position).bind(parked.last_position).fetch_one(&mut *tx).await?;
    query!(
        "UPDATE parked_keys SET first_position = $3, events = $4, error = $5, parked_at = now() WHERE projection = $1 AND park_key = $2",
        projection,
        parked.park_key,
        position,
        waiting,
        error
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The SQL condition for the events that wait under a key.
fn condition(park_key: &str) -> Option<String> {
    let (kind, id) = park_key.split_once(':')?;
    let id = id.parse::<Uuid>().ok()?;
    match kind {
        "workspace" => Some(format!("workspace_id = '{id}'")),
        kind => {
            let aggregate = domain::AggregateType::named(kind)?.as_str();
            Some(format!("workspace_id IS NULL AND aggregate_type = '{aggregate}' AND aggregate_id = '{id}'"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_key_has_no_condition() {
        let id = Uuid::nil();
        assert_eq!(condition(&format!("workspace:{id}")), Some(format!("workspace_id = '{id}'")));
        assert!(condition(&format!("user:{id}")).is_some_and(|c| c.contains("workspace_id IS NULL")));
        for key in ["", "workspace", "workspace:' OR TRUE", &format!("carrot:{id}")] {
            assert_eq!(condition(key), None, "{key}");
        }
    }
}
