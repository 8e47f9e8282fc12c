//! Folding a stream into an aggregate: from the cache, from a snapshot and what came after it, or from the first event.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use domain::personal::{self, Keys, Place};
use domain::{
    AggregateType, Audit, Channel, DecodeError, Event, Installation, Message, Retention, Session, StreamId, User, Workspace, upcast,
};
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use postgres_es::PostgresEventRepository;
use sqlx::{PgPool, query};
use uuid::Uuid;

use super::cache::{Cache, Caches, Lookup, Versioned};
use super::{EventStore, StoreError, snapshot};

/// What is loaded at a time of many aggregates: the rest of the process wants connections too.
const LOADS_AT_ONCE: usize = 4;
/// What is looked for in memory at a time: whoever writes waits meanwhile.
const LOOKS_AT_ONCE: usize = 1_000;

/// An aggregate that the store can fold.
pub trait Stored: Aggregate + Clone + 'static {
    /// Its type.
    const AGGREGATE: AggregateType;

    /// The source that the shape of its state is written in: a snapshot of another source is not read.
    const SOURCE: &'static str;

    /// The event, where it is one of this aggregate's.
    fn event(event: Event) -> Option<Self::Event>;

    /// What of the state may lie in a snapshot: all but what is personal, which must go when its key goes. Nothing where that is nearly all
    /// of it, or where streams are too short for snapshots.
    fn impersonal(&self) -> Option<Self>;

    /// Puts what an event says of somebody back into a state that came from a snapshot.
    fn restore(&mut self, event: Self::Event);

    /// Where the store keeps these in memory.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the store calls it")]
    fn cache(caches: &Caches) -> &Cache<Self>;
}

macro_rules! stored {
    ($aggregate:ident, $cache:ident, $folder:literal, $impersonal:path, $restore:path) => {
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

            fn impersonal(&self) -> Option<Self> {
                $impersonal(self)
            }

            fn restore(&mut self, event: Self::Event) {
                $restore(self, event);
            }

            #[expect(private_interfaces, reason = "only the store calls it")]
            fn cache(caches: &Caches) -> &Cache<Self> {
                &caches.$cache
            }
        }
    };
}

stored!(User, users, "user", nothing, restore_nothing);
stored!(Workspace, workspaces, "workspace", without_people, Workspace::restore);
stored!(Channel, channels, "channel", all, restore_nothing);
stored!(Message, messages, "message", nothing, restore_nothing);
stored!(Retention, retentions, "retention", all, restore_nothing);
stored!(Installation, installations, "installation", all, restore_nothing);
stored!(Session, sessions, "session", nothing, restore_nothing);
stored!(Audit, audits, "audit", all, restore_nothing);

/// Nearly all of it is personal, and its streams are short.
fn nothing<A>(_: &A) -> Option<A> {
    None
}

/// None of it is personal.
fn all<A: Clone>(state: &A) -> Option<A> {
    Some(state.clone())
}

fn without_people(state: &Workspace) -> Option<Workspace> {
    Some(state.impersonal())
}

fn restore_nothing<A: Aggregate>(_: &mut A, _: A::Event) {}

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

    /// Many aggregates, each as [`EventStore::load`] has it, in no order: what is in memory is there at once, and the rest is loaded some at a time.
    ///
    /// # Errors
    /// The database cannot be reached, or an event cannot be read.
    pub async fn load_all<A: Stored>(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, Versioned<A>)>, StoreError> {
        let cache = self.caches.of::<A>();
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

    /// Folds in what came after the version that is held.
    async fn catch_up_aggregate<A: Stored>(&self, id: Uuid, held: Versioned<A>) -> Result<Versioned<A>, StoreError> {
        let Versioned { mut state, mut version } = held;
        for (sequence, event) in self.events::<A>(id, held.version + 1..=i64::MAX, None).await? {
            Arc::make_mut(&mut state).apply(event);
            version = sequence;
        }
        Ok(Versioned { state, version })
    }

    /// Puts back what the snapshot left out.
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

    /// The events of a stream at those places, of those types or of all, in order.
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

    /// Folds a stream by the reading of postgres-es.
    async fn fold_from_the_first<A: Stored>(&self, id: Uuid) -> Result<Versioned<A>, StoreError> {
        let stored = PostgresEventRepository::new(self.pool.clone()).get_events::<A>(&id.to_string()).await.map_err(database_error)?;
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

/// Reads an event as postgres-es hands it out: parsed already.
fn decode<A: Stored>(id: Uuid, sequence: i64, event: SerializedEvent, keys: &dyn Keys) -> Result<A::Event, DecodeError> {
    let SerializedEvent { event_type, event_version: version, mut payload, .. } = event;
    let place = Place { stream: StreamId { aggregate: A::AGGREGATE, id }, sequence, event_type: &event_type };
    personal::reveal_value(&place, &mut payload, keys).map_err(|source| DecodeError::sealed(&event_type, source))?;
    let payload = upcast::upcast(&event_type, &version, payload)?;
    serde_json::from_value(payload).map_err(|source| DecodeError::Payload { event_type, version, source })
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

fn unreadable<A: Stored>(id: Uuid, sequence: i64, source: DecodeError) -> StoreError {
    StoreError::Unreadable { stream: StreamId { aggregate: A::AGGREGATE, id }, sequence, source: Arc::new(source) }
}

fn database_error(error: PersistenceError) -> StoreError {
    StoreError::from(sqlx::Error::Io(std::io::Error::other(error.to_string())))
}
