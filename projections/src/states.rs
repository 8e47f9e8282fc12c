//! The state of each projection, for operators.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgPool, query, query_as, query_scalar};
use stores::checkpoint;
use utoipa::ToSchema;

use crate::connections::Connections;
use crate::engine::park::{self, ParkedEvent};
use crate::engine::registry;
use crate::read_models::QueryError;
use crate::rebuild::Fill;
use crate::search::elasticsearch::{self, Rejected};
use crate::{rebuild, relational};

/// The state of a projection.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProjectionState {
    /// The projection's name.
    pub name: String,
    /// The last event that the projection has applied.
    pub position: i64,
    /// The last event of the log.
    pub head: i64,
    /// How many events the projection is behind.
    pub lag: i64,
    /// The version of the projection that built the live model.
    pub version: i32,
    /// The process that runs it, or ran it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// When its checkpoint last moved.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub updated_at: Option<DateTime<Utc>>,
    /// The progress of filling it, while it is being filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filling: Option<Fill>,
    /// Events that could not be applied, with those that wait behind them.
    pub parked: Vec<ParkedEvent>,
    /// Documents that Elasticsearch refuses. They are missing there, and nothing waits for them.
    pub rejected: Vec<Rejected>,
}

/// Returns the state of every projection that has ever run, or is being filled now.
///
/// # Errors
/// The database cannot be read.
pub async fn states(pool: &PgPool) -> Result<Vec<ProjectionState>, QueryError> {
    let mut states = Vec::new();
    let fills = rebuild::fills(pool).await?;
    for name in registry::NAMES {
        let filling = fills.iter().find(|fill| fill.projection == name).cloned();
        let state = state(pool, name, filling).await?;
        if state.updated_at.is_some() || state.filling.is_some() || name == relational::NAME {
            states.push(state);
        }
    }
    Ok(states)
}

async fn state(pool: &PgPool, name: &str, filling: Option<Fill>) -> Result<ProjectionState, QueryError> {
    let checkpoint = query!("SELECT position, holder, updated_at, version FROM projection_checkpoints WHERE projection = $1", name);
    let checkpoint = checkpoint.fetch_optional(pool).await?;
    // Read after the checkpoint, so that the lag is never negative.
    let head = stores::log::head(pool).await?;
    let version = checkpoint.as_ref().map_or(1, |c| c.version);
    let (position, holder, updated_at) = checkpoint.map_or((0, None, None), |c| (c.position, c.holder, Some(c.updated_at)));
    let parked = park::parked(pool, name).await?;
    let rejected = if name == elasticsearch::NAME { elasticsearch::rejected(pool).await? } else { Vec::new() };
    Ok(ProjectionState { name: name.into(), position, head, lag: head - position, version, holder, updated_at, filling, parked, rejected })
}

/// Counts of a projection's parked keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedCount {
    /// The projection.
    pub projection: String,
    /// The parked keys.
    pub keys: i64,
    /// The events that wait under these keys.
    pub events: i64,
}

/// Counts the parked keys of each projection that has any.
///
/// # Errors
/// The database cannot be read.
pub async fn count_parked(pool: &PgPool) -> Result<Vec<ParkedCount>, QueryError> {
    let counted = query_as!(
        ParkedCount,
        r#"SELECT projection, count(*) AS "keys!", COALESCE(sum(events), 0)::bigint AS "events!" FROM parked_keys GROUP BY projection"#
    );
    Ok(counted.fetch_all(pool).await?)
}

/// Counts the documents that Elasticsearch refuses. They are missing there, and nothing waits for them.
///
/// # Errors
/// The database cannot be read.
pub async fn count_rejected(pool: &PgPool) -> Result<i64, QueryError> {
    let counted = query_scalar!(
        r#"SELECT count(*) AS "documents!" FROM search_rejections WHERE model_id IN (SELECT model_id FROM search_models WHERE state = 'live')"#
    );
    Ok(counted.fetch_one(pool).await?)
}

/// Returns those of these projections that no process holds at the moment.
///
/// # Errors
/// The database cannot be read.
pub async fn without_holder(pool: &PgPool, projections: &[&'static str]) -> Result<Vec<&'static str>, QueryError> {
    let held = checkpoint::held(pool, projections).await?;
    Ok(projections.iter().copied().filter(|name| !held.iter().any(|held| held == name)).collect())
}

/// Returns the projections whose live model has an older version than this release, with this release's version.
///
/// # Errors
/// The database cannot be read.
pub async fn outdated(stores: &Connections) -> sqlx::Result<Vec<(&'static str, i32)>> {
    let stored = query!("SELECT projection, version FROM projection_checkpoints").fetch_all(&stores.pool).await?;
    let is_old = |name: &str| stored.iter().any(|row| row.projection == name && row.version < stores.version(name));
    let names = rebuild::replayable(stores).into_iter().filter(|name| is_old(name));
    Ok(names.map(|name| (name, stores.version(name))).collect())
}
