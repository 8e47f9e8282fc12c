//! Loading: folds a stream into an aggregate, starting from the cache, from a snapshot, or from the first event.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use domain::personal::{self, Keys, Place};
use domain::{DecodeError, Event, StreamId, upcast};
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use postgres_es::PostgresEventRepository;
use sqlx::{query, query_scalar};
use uuid::Uuid;

use super::cache::{Lookup, Versioned};
use super::stored::Stored;
use super::{EventStore, StoreError, snapshot};

/// How many aggregates are loaded at a time. There is a limit because the rest of the process needs connections too.
const LOADS_AT_ONCE: usize = 4;
/// How many aggregates are looked up in memory at a time. There is a limit because the writer waits meanwhile.
const LOOKS_AT_ONCE: usize = 1_000;

impl EventStore {
    /// Returns the aggregate, as new as every event that this process knows of. If the stream has no events, it is the
    /// default, at version 0.
    ///
    /// # Errors
    /// The database cannot be reached, or an event cannot be read.
    pub async fn load<A: Stored>(&self, id: Uuid) -> Result<Versioned<A>, StoreError> {
        let cache = A::cache(&self.caches);
        if let Lookup::Fresh(held) = cache.look(id) {
            return Ok(held);
        }
        self.loads.fetch_add(1, Ordering::Relaxed);
        let _lock = cache.loading_lock(id).await;
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

    /// Returns many aggregates, each in the state that [`EventStore::load`] would return, in no order. Those in memory
    /// are returned at once, and the rest is loaded in parts.
    ///
    /// # Errors
    /// The database cannot be reached, or an event cannot be read.
    pub async fn load_all<A: Stored>(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, Versioned<A>)>, StoreError> {
        let cache = A::cache(&self.caches);
        let (mut loaded, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
        for ids in ids.chunks(LOOKS_AT_ONCE) {
            for (id, held) in ids.iter().zip(cache.fresh(ids)) {
                match held {
                    Some(held) => loaded.push((*id, held)),
                    None => missing.push(*id),
                }
            }
        }
        let loads = missing.into_iter().map(|id| self.load::<A>(id).map_ok(move |found| (id, found)));
        loaded.extend(stream::iter(loads).buffer_unordered(LOADS_AT_ONCE).try_collect::<Vec<_>>().await?);
        Ok(loaded)
    }

    /// Returns a page of the aggregates of a type, in the order of their identifiers.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn page_of<A: Stored>(&self, after: Option<Uuid>, limit: u16) -> Result<Vec<Uuid>, StoreError> {
        let page = query_scalar!(
            r#"SELECT aggregate_id::uuid AS "id!" FROM events
               WHERE aggregate_type = $1 AND sequence = 1 AND aggregate_id > $2 ORDER BY aggregate_id LIMIT $3"#,
            A::AGGREGATE.as_str(),
            after.map(|id| id.to_string()).unwrap_or_default(),
            i64::from(limit),
        );
        Ok(page.fetch_all(&self.pool).await?)
    }

    /// Returns the channels with events after a position.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn channels_changed_since(&self, position: i64) -> Result<HashSet<Uuid>, StoreError> {
        let changed = query_scalar!(
            r#"SELECT DISTINCT aggregate_id::uuid AS "channel_id!" FROM events WHERE position > $1 AND aggregate_type = 'channel'"#,
            position
        );
        Ok(changed.fetch_all(&self.pool).await?.into_iter().collect())
    }

    async fn load_whole<A: Stored>(&self, id: Uuid) -> Result<Versioned<A>, StoreError> {
        if let Some(mut from) = snapshot::read::<A>(&self.pool, id).await? {
            let version = from.version;
            self.restore(id, &mut from).await?;
            let loaded = self.catch_up_aggregate(id, from).await?;
            snapshot::write_when_worth_it(&self.pool, id, version, &loaded);
            return Ok(loaded);
        }
        let loaded = self.fold_from_the_first(id).await?;
        snapshot::write_when_worth_it(&self.pool, id, 0, &loaded);
        Ok(loaded)
    }

    /// Folds in the events after the version in memory.
    async fn catch_up_aggregate<A: Stored>(&self, id: Uuid, held: Versioned<A>) -> Result<Versioned<A>, StoreError> {
        let Versioned { mut state, mut version } = held;
        for (sequence, event) in self.events::<A>(id, held.version + 1..=i64::MAX, None).await? {
            Arc::make_mut(&mut state).apply(event);
            version = sequence;
        }
        Ok(Versioned { state, version })
    }

    /// Puts back the personal data that the snapshot does not have.
    async fn restore<A: Stored>(&self, id: Uuid, from: &mut Versioned<A>) -> Result<(), StoreError> {
        let types = personal::types_of(A::AGGREGATE).map(str::to_owned).collect::<Vec<_>>();
        if types.is_empty() {
            return Ok(());
        }
        for (_, event) in self.events::<A>(id, 1..=from.version, Some(&types)).await? {
            Arc::make_mut(&mut from.state).restore(event);
        }
        Ok(())
    }

    /// Reads a range of events of a stream in order: those of some types, or all.
    async fn events<A: Stored>(
        &self,
        id: Uuid,
        places: RangeInclusive<i64>,
        types: Option<&[String]>,
    ) -> Result<Vec<(i64, A::Event)>, StoreError> {
        let rows = query!(
            r#"SELECT sequence, event_type, event_version, payload::text AS "payload!" FROM events
               WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence BETWEEN $3 AND $4
               AND ($5::text[] IS NULL OR event_type = ANY ($5)) ORDER BY sequence"#,
            A::TYPE,
            id.to_string(),
            *places.start(),
            *places.end(),
            types as _,
        )
        .fetch_all(&self.pool)
        .await?;
        let sealing = rows.iter().filter_map(|row| personal::key_of(&row.event_type, &row.payload)).collect::<Vec<_>>();
        let keys = self.keys.fetch(&sealing).await?;
        let decoded = rows.into_iter().map(|row| {
            let place = Place { stream: StreamId { aggregate: A::AGGREGATE, id }, sequence: row.sequence, event_type: &row.event_type };
            let event = Event::decode(&place, &row.event_version, &row.payload, &keys);
            let event = event.map_err(|source| unreadable::<A>(id, row.sequence, source))?;
            Ok((row.sequence, A::event(event).ok_or(StoreError::Stopped)?))
        });
        decoded.collect()
    }

    /// Folds a stream from its first event, with the reader of postgres-es.
    async fn fold_from_the_first<A: Stored>(&self, id: Uuid) -> Result<Versioned<A>, StoreError> {
        let stored = PostgresEventRepository::new(self.pool.clone()).get_events::<A>(&id.to_string()).await.map_err(reading_failed)?;
        let sealing = stored.iter().filter_map(|event| personal::key_of_value(&event.event_type, &event.payload)).collect::<Vec<_>>();
        let keys = self.keys.fetch(&sealing).await?;
        let mut state = A::default();
        let mut version = 0;
        for event in stored {
            version = i64::try_from(event.sequence).unwrap_or(i64::MAX);
            state.apply(decode::<A>(id, version, event, &keys).map_err(|source| unreadable::<A>(id, version, source))?);
        }
        Ok(Versioned { state: Arc::new(state), version })
    }
}

/// Decodes an event of postgres-es, which is parsed already.
fn decode<A: Stored>(id: Uuid, sequence: i64, event: SerializedEvent, keys: &dyn Keys) -> Result<A::Event, DecodeError> {
    let SerializedEvent { event_type, event_version: version, mut payload, .. } = event;
    let place = Place { stream: StreamId { aggregate: A::AGGREGATE, id }, sequence, event_type: &event_type };
    personal::reveal_value(&place, &mut payload, keys).map_err(|source| DecodeError::sealed(&event_type, source))?;
    let payload = upcast::upcast(&event_type, &version, payload)?;
    serde_json::from_value(payload).map_err(|source| DecodeError::Payload { event_type, version, source })
}

fn unreadable<A: Stored>(id: Uuid, sequence: i64, source: DecodeError) -> StoreError {
    StoreError::Unreadable { stream: StreamId { aggregate: A::AGGREGATE, id }, sequence, source: Arc::new(source) }
}

/// Turns an error of postgres-es into a store error. It has the database's error in a box.
fn reading_failed(error: PersistenceError) -> StoreError {
    match error {
        PersistenceError::ConnectionError(source)
        | PersistenceError::DeserializationError(source)
        | PersistenceError::UnknownError(source) => match source.downcast::<sqlx::Error>() {
            Ok(error) => (*error).into(),
            Err(source) => StoreError::Stream(Arc::from(source)),
        },
        PersistenceError::OptimisticLockError => StoreError::Stream(Arc::new(error)),
    }
}
