//! Letting a parked key go, once what was wrong with it is mended.

use sqlx::{Connection, PgConnection, PgPool, query};
use uuid::Uuid;

use crate::feed::{BATCH_EVENTS_MAX, log};
use crate::park::{self, ParkedEvent, UnparkError};
use crate::projector::{ApplyError, Projector};
use crate::runner::{chain, connect};
use crate::search::elasticsearch;
use crate::stores::Stores;
use crate::{CACHE, RELATIONAL, cache, checkpoint, registry};

/// Applies what waits under a key, now that it can be applied. The projection stands still meanwhile: where very much waits, a rebuild
/// is the better way.
///
/// # Errors
/// Nothing is parked there, or an event still cannot be applied: then everything stays as it was.
pub async fn unpark(stores: &Stores, projection: &str, park_key: &str) -> Result<u64, UnparkError> {
    let pool = &stores.pool;
    let mut projectors = registry::projectors(stores).into_iter();
    let mut projector = projectors.find(|p| p.name() == projection).ok_or_else(|| UnparkError::Unknown(projection.into()))?;
    let mut connection = connect(pool).await?;
    let mut tx = connection.begin().await?;
    // No batch can commit from here on, and none can park more.
    checkpoint::lock(&mut tx, projection).await?;
    let parked = park::parked_under(&mut tx, projection, park_key).await?.ok_or_else(|| UnparkError::NotParked(park_key.into()))?;
    let applied = apply(&mut tx, pool, projector.as_mut(), &parked).await?;
    query!("DELETE FROM parked_keys WHERE projection = $1 AND park_key = $2", projection, park_key).execute(&mut *tx).await?;
    checkpoint::bump_generation(&mut tx, projection).await?;
    if projection == RELATIONAL {
        elasticsearch::refresh_later(&mut tx, park_key).await?;
        forget_cached(&mut tx, park_key).await?;
    }
    tx.commit().await?;
    Ok(applied)
}

async fn apply(tx: &mut PgConnection, pool: &PgPool, projector: &mut dyn Projector, parked: &ParkedEvent) -> Result<u64, UnparkError> {
    let condition = condition(&parked.park_key).ok_or_else(|| UnparkError::NotParked(parked.park_key.clone()))?;
    let mut after = parked.first_position - 1;
    let mut applied = 0;
    loop {
        let events = log::read_of(pool, &condition, after, parked.last_position, BATCH_EVENTS_MAX).await;
        let events = events.map_err(|error| UnparkError::Log(chain(&error)))?;
        let Some(last) = events.last() else { return Ok(applied) };
        after = last.position;
        for event in &events {
            let still = |error: String| UnparkError::StillPoison { position: event.position, error };
            let recorded = event.event.as_ref().map_err(|error| still(chain(error)))?;
            match projector.apply(tx, &[recorded]).await {
                Ok(()) => applied += 1,
                Err(error) if error.is_poison() => return Err(still(error.told())),
                Err(ApplyError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(UnparkError::Elsewhere(chain(&error))),
            }
        }
    }
}

/// The cache follows the read tables: what it has of them is old now, and what waited there for the same reason is read with them.
async fn forget_cached(tx: &mut PgConnection, park_key: &str) -> sqlx::Result<()> {
    query!("DELETE FROM parked_keys WHERE projection = $1 AND park_key = $2", CACHE, park_key).execute(&mut *tx).await?;
    cache::begin_generation(tx).await.map(drop)
}

/// Which events of the log wait under a key.
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
    fn a_key_that_is_none_stands_for_no_events() {
        let id = Uuid::nil();
        assert_eq!(condition(&format!("workspace:{id}")), Some(format!("workspace_id = '{id}'")));
        assert!(condition(&format!("user:{id}")).is_some_and(|c| c.contains("workspace_id IS NULL")));
        for key in ["", "workspace", "workspace:' OR TRUE", &format!("carrot:{id}")] {
            assert_eq!(condition(key), None, "{key}");
        }
    }
}
