//! Folding a stream into an aggregate: from the cache, from a snapshot and what came after it, or from the first event.

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError};
use domain::{AggregateType, Audit, Channel, Event, Installation, Message, Retention, Session, StreamId, User, Workspace, upcast};
use postgres_es::PostgresEventRepository;
use sqlx::{PgPool, query};
use uuid::Uuid;

use super::cache::{Cache, Caches, Lookup, Versioned};
use super::{EventStore, StoreError, snapshot};

/// An aggregate that the store can fold.
pub trait Stored: Aggregate + Clone + 'static {
    /// Its type.
    const AGGREGATE: AggregateType;

    /// The source that the shape of its state is written in: a snapshot of another source is not read.
    const SOURCE: &'static str;

    /// The event, where it is one of this aggregate's.
    fn event(event: Event) -> Option<Self::Event>;

    /// Where the store keeps these in memory.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the store calls it")]
    fn cache(caches: &Caches) -> &Cache<Self>;
}

macro_rules! stored {
    ($aggregate:ident, $cache:ident, $folder:literal) => {
        impl Stored for $aggregate {
            const AGGREGATE: AggregateType = AggregateType::$aggregate;
            const SOURCE: &'static str = concat!(
                include_str!(concat!("../../../domain/src/", $folder, "/mod.rs")),
                include_str!(concat!("../../../domain/src/", $folder, "/event.rs")),
                include_str!("../../../domain/src/formatting.rs"),
                include_str!("../../../domain/src/permission.rs"),
                include_str!("../../../domain/src/retention/policy.rs"),
                include_str!("../../../domain/src/text.rs"),
            );

            fn event(event: Event) -> Option<Self::Event> {
                match event {
                    Event::$aggregate(event) => Some(event),
                    _ => None,
                }
            }

            #[expect(private_interfaces, reason = "only the store calls it")]
            fn cache(caches: &Caches) -> &Cache<Self> {
                &caches.$cache
            }
        }
    };
}

stored!(User, users, "user");
stored!(Workspace, workspaces, "workspace");
stored!(Channel, channels, "channel");
stored!(Message, messages, "message");
stored!(Retention, retentions, "retention");
stored!(Installation, installations, "installation");
stored!(Session, sessions, "session");
stored!(Audit, audits, "audit");

impl EventStore {
    /// The aggregate, as new as anything that this process has heard of; the default, at version 0, where it has no events.
    ///
    /// # Errors
    /// The database cannot be reached, or an event cannot be read.
    pub async fn load<A: Stored>(&self, id: Uuid) -> Result<Versioned<A>, StoreError> {
        let cache = self.caches.of::<A>();
        if let Lookup::Fresh(held) = cache.look(id) {
            return Ok(held);
        }
        let _turn = cache.turn(id).await;
        let (loaded, ticket) = match cache.look(id) {
            Lookup::Fresh(held) => return Ok(held),
            Lookup::Stale(held, ticket) => (self.catch_up_aggregate(id, held).await?, ticket),
            Lookup::Absent(ticket) => (self.load_whole(id).await?, ticket),
        };
        if loaded.version > 0 {
            cache.put(id, &loaded, &ticket);
        }
        Ok(loaded)
    }

    async fn load_whole<A: Stored>(&self, id: Uuid) -> Result<Versioned<A>, StoreError> {
        if let Some(from) = snapshot::read::<A>(&self.pool, id).await? {
            let version = from.version;
            let loaded = self.catch_up_aggregate(id, from).await?;
            snapshot::write_when_worth_it(&self.pool, id, version, &loaded);
            return Ok(loaded);
        }
        let loaded = fold_from_the_first(&self.pool, id).await?;
        snapshot::write_when_worth_it(&self.pool, id, 0, &loaded);
        Ok(loaded)
    }

    /// Folds in what came after the version that is held.
    async fn catch_up_aggregate<A: Stored>(&self, id: Uuid, held: Versioned<A>) -> Result<Versioned<A>, StoreError> {
        let rows = query!(
            r#"SELECT sequence, event_type, event_version, payload::text AS "payload!" FROM events
               WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence"#,
            A::TYPE,
            id.to_string(),
            held.version,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut state = held.state;
        let mut version = held.version;
        for row in rows {
            let event = Event::decode(A::AGGREGATE, &row.event_type, &row.event_version, &row.payload);
            let event = event.map_err(|source| unreadable::<A>(id, row.sequence, source))?;
            Arc::make_mut(&mut state).apply(A::event(event).ok_or(StoreError::Stopped)?);
            version = row.sequence;
        }
        Ok(Versioned { state, version })
    }
}

/// Folds a stream by the reading of postgres-es.
pub(super) async fn fold_from_the_first<A: Stored>(pool: &PgPool, id: Uuid) -> Result<Versioned<A>, StoreError> {
    let stored = PostgresEventRepository::new(pool.clone()).get_events::<A>(&id.to_string()).await.map_err(database_error)?;
    let mut state = A::default();
    let mut version = 0;
    for event in stored {
        version = i64::try_from(event.sequence).unwrap_or(i64::MAX);
        let unreadable = |source| unreadable::<A>(id, version, source);
        let payload = upcast::upcast(&event.event_type, &event.event_version, event.payload).map_err(|error| unreadable(error.into()))?;
        let decoded = serde_json::from_value::<A::Event>(payload);
        state.apply(decoded.map_err(|source| {
            unreadable(domain::DecodeError::Payload { event_type: event.event_type, version: event.event_version, source })
        })?);
    }
    Ok(Versioned { state: Arc::new(state), version })
}

/// The versions of those streams that are there.
pub(super) async fn versions(pool: &PgPool, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
    let types = streams.iter().map(|s| s.aggregate.as_str().to_owned()).collect::<Vec<_>>();
    let ids = streams.iter().map(|s| s.id.to_string()).collect::<Vec<_>>();
    let rows = query!(
        r#"SELECT asked.place AS "place!", last.sequence AS "sequence!"
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (aggregate_type, aggregate_id, place)
           CROSS JOIN LATERAL (
               SELECT sequence FROM events
               WHERE events.aggregate_type = asked.aggregate_type AND events.aggregate_id = asked.aggregate_id
               ORDER BY sequence DESC LIMIT 1) AS last"#,
        &types,
        &ids,
    )
    .fetch_all(pool)
    .await?;
    let stream = |place: i64| usize::try_from(place - 1).ok().and_then(|place| streams.get(place)).copied();
    Ok(rows.into_iter().filter_map(|row| Some((stream(row.place)?, row.sequence))).collect())
}

fn unreadable<A: Stored>(id: Uuid, sequence: i64, source: domain::DecodeError) -> StoreError {
    StoreError::Unreadable { stream: StreamId { aggregate: A::AGGREGATE, id }, sequence, source: Arc::new(source) }
}

fn database_error(error: PersistenceError) -> StoreError {
    StoreError::from(sqlx::Error::Io(std::io::Error::other(error.to_string())))
}
