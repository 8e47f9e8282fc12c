//! Parking: an event that cannot be applied blocks its key, and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool, query, query_as, query_scalar};
use stores::log::Delivery;
use utoipa::ToSchema;

use crate::engine::registry;

/// A parked key: the event that could not be applied, and how many events wait behind it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ParkedEvent {
    /// The key: `workspace:…`, or `user:…` for events that belong to no workspace.
    pub park_key: String,
    /// The position of the event that could not be applied.
    pub first_position: i64,
    /// The position of the last event that waits behind it.
    pub last_position: i64,
    /// How many events wait, including the first.
    pub events: i64,
    /// Why it could not be applied.
    pub error: String,
    /// When the key was parked.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub parked_at: DateTime<Utc>,
}

/// Why a parked key could not be released.
#[derive(Debug, thiserror::Error)]
pub enum UnparkError {
    /// Nothing is parked under that key.
    #[error("nothing is parked under {0:?}")]
    NotParked(String),
    /// There is no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// The projection's own store cannot be used at the moment.
    #[error(transparent)]
    OtherStore(Box<dyn std::error::Error + Send + Sync>),
    /// Another event blocks the key.
    #[error("event {first} blocks that key, not event {asked}")]
    OtherEvent {
        /// The position that the caller named.
        asked: i64,
        /// The position of the event that blocks the key.
        first: i64,
    },
    /// An event still cannot be applied.
    #[error("event {position} still cannot be applied: {error}")]
    StillPoison {
        /// Its position.
        position: i64,
        /// Why.
        error: String,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(Box<dyn std::error::Error + Send + Sync>),
    /// The database cannot be used at the moment.
    #[error("the database cannot be used")]
    Unavailable(#[from] sqlx::Error),
}

/// The parked keys of a projection.
pub(crate) async fn parked(executor: impl sqlx::PgExecutor<'_>, projection: &str) -> sqlx::Result<Vec<ParkedEvent>> {
    query_as!(
        ParkedEvent,
        "SELECT park_key, first_position, last_position, events, error, parked_at FROM parked_keys WHERE projection = $1 ORDER BY first_position",
        projection
    )
    .fetch_all(executor)
    .await
}

/// An event that could not be applied, as it is stored, with the number of events behind it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ParkedPayload {
    /// The parked key.
    #[serde(flatten)]
    pub parked: ParkedEvent,
    /// The name of the event that could not be applied.
    pub event_type: String,
    /// The version of its payload.
    pub event_version: String,
    /// When it was recorded.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub recorded_at: DateTime<Utc>,
    /// Its payload, without empty members.
    #[schema(value_type = Object)]
    pub payload: Value,
}

/// Returns the events that a projection could not apply.
///
/// # Errors
/// There is no such projection, or the database cannot be used.
pub async fn payloads(pool: &PgPool, projection: &str) -> Result<Vec<ParkedPayload>, UnparkError> {
    if !registry::NAMES.contains(&projection) {
        return Err(UnparkError::Unknown(projection.into()));
    }
    let rows = query!(
        "SELECT park_key, first_position, last_position, p.events, error, parked_at, event_type, event_version, recorded_at, payload
         FROM parked_keys p JOIN events e ON e.position = p.first_position WHERE projection = $1 ORDER BY first_position",
        projection
    );
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| ParkedPayload {
        parked: ParkedEvent {
            park_key: row.park_key,
            first_position: row.first_position,
            last_position: row.last_position,
            events: row.events,
            error: row.error,
            parked_at: row.parked_at,
        },
        event_type: row.event_type,
        event_version: row.event_version,
        recorded_at: row.recorded_at,
        payload: domain::document::shown(row.payload),
    });
    Ok(rows.collect())
}

/// Reads a parked key, and locks it until the transaction ends.
pub(crate) async fn parked_under(connection: &mut PgConnection, projection: &str, park_key: &str) -> sqlx::Result<Option<ParkedEvent>> {
    query_as!(
        ParkedEvent,
        "SELECT park_key, first_position, last_position, events, error, parked_at FROM parked_keys
         WHERE projection = $1 AND park_key = $2 FOR UPDATE",
        projection,
        park_key
    )
    .fetch_optional(connection)
    .await
}

/// The parked keys and the events that are left out, as the holder remembers them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParkedKeys {
    keys: HashSet<String>,
    skipped: BTreeSet<i64>,
}

impl ParkedKeys {
    /// Whether no key is parked and no event is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.skipped.is_empty()
    }

    pub(crate) fn has(&self, park_key: &str) -> bool {
        self.keys.contains(park_key)
    }

    /// Whether the event at this position is left out.
    pub(crate) fn leaves_out(&self, position: i64) -> bool {
        self.skipped.contains(&position)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    pub(crate) fn add(&mut self, park_key: &str) {
        self.keys.insert(park_key.to_owned());
    }
}

/// Reads the parked keys and the events that are left out.
pub(crate) async fn keys(connection: &mut PgConnection, projection: &str) -> sqlx::Result<ParkedKeys> {
    let keys = query_scalar!("SELECT park_key FROM parked_keys WHERE projection = $1", projection).fetch_all(&mut *connection).await?;
    Ok(ParkedKeys { keys: keys.into_iter().collect(), skipped: skipped(connection, projection).await? })
}

/// Reads from the log the positions of the events that a projection leaves out. A rebuild leaves out the same events as
/// the live model.
pub(crate) async fn skipped(connection: &mut PgConnection, projection: &str) -> sqlx::Result<BTreeSet<i64>> {
    let projection = projection.trim_end_matches(NEXT_SUFFIX);
    let positions = query_scalar!(
        r#"SELECT (payload -> event_type ->> 'position')::bigint AS "position!" FROM events
           WHERE aggregate_type = 'installation' AND aggregate_id = '00000000-0000-0000-0000-000000000000'
             AND event_type = 'installation.event_skipped' AND payload -> event_type ->> 'projection' = $1"#,
        projection
    );
    Ok(positions.fetch_all(connection).await?.into_iter().collect())
}

/// The suffix of a projection's name while its new model is built.
const NEXT_SUFFIX: &str = ".next";

/// The keys and events that a batch or a rebuild has parked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parked {
    keys: BTreeMap<String, Waiting>,
}

/// Waiting events of one key.
#[derive(Clone, Debug)]
struct Waiting {
    /// Why the first of them cannot be applied. `None` if an earlier batch parked the key.
    error: Option<String>,
    first: i64,
    last: i64,
    events: i64,
}

impl Parked {
    /// Parks the key of an event that cannot be applied.
    pub(crate) fn park(&mut self, event: &Delivery, error: String) {
        let waiting = Waiting { error: Some(error), first: event.position, last: event.position, events: 1 };
        self.keys.insert(event.park_key.clone(), waiting);
    }

    /// Adds an event that waits behind a parked one.
    pub(crate) fn add_waiting(&mut self, event: &Delivery) {
        let waiting = Waiting { error: None, first: event.position, last: event.position, events: 0 };
        let waiting = self.keys.entry(event.park_key.clone()).or_insert(waiting);
        waiting.last = event.position;
        waiting.events += 1;
    }

    /// Whether a key is parked.
    pub(crate) fn has(&self, park_key: &str) -> bool {
        self.keys.contains_key(park_key)
    }

    /// Writes what was parked to the database.
    pub(crate) async fn store(&self, connection: &mut PgConnection, projection: &str) -> sqlx::Result<()> {
        for (park_key, waiting) in &self.keys {
            store(connection, projection, park_key, waiting).await?;
        }
        Ok(())
    }
}

async fn store(connection: &mut PgConnection, projection: &str, park_key: &str, waiting: &Waiting) -> sqlx::Result<()> {
    query!(
        "INSERT INTO parked_keys AS p (projection, park_key, first_position, last_position, events, error)
         VALUES ($1, $2, $3, $4, $5, COALESCE($6, ''))
         ON CONFLICT (projection, park_key) DO UPDATE SET last_position = $4, events = p.events + $5",
        projection,
        park_key,
        waiting.first,
        waiting.last,
        waiting.events,
        waiting.error
    )
    .execute(connection)
    .await
    .map(drop)
}
