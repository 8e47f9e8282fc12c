//! Aggregates in memory, each at a known version. Correctness does not depend on their being up to date: the guards of
//! the append ensure it.
//!
//! The cache learns of a write ([`Caches::record_own_event`], [`Caches::record_other_event`]) before any reader depends
//! on it. A loader that read the database during a write must not store an older state. So each write increments the
//! generation of its bucket, and a loader may store its result only if the generation has not changed since it began.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_es::Aggregate;
use domain::{AggregateType, Audit, Channel, Event, Installation, Message, Retention, Session, StreamId, User, Workspace};
use lru::LruCache;
use uuid::Uuid;

const BUCKETS: usize = 1024;
const WORKSPACES_MAX: NonZeroUsize = at_least_one(1_000);
const CHANNELS_MAX: NonZeroUsize = at_least_one(10_000);
const USERS_MAX: NonZeroUsize = at_least_one(50_000);
const MESSAGES_MAX: NonZeroUsize = at_least_one(10_000);
/// There are few, because each may list tens of thousands of messages.
const RETENTIONS_MAX: NonZeroUsize = at_least_one(200);
const SESSIONS_MAX: NonZeroUsize = at_least_one(1_000);
const AUDITS_MAX: NonZeroUsize = at_least_one(1_000);

/// An aggregate at a version: the number of its events that are folded in.
#[derive(Debug)]
pub struct Versioned<A> {
    /// The fold.
    pub state: Arc<A>,
    /// The number of events that are folded in.
    pub version: i64,
}

impl<A> Clone for Versioned<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), version: self.version }
    }
}

/// The result of a lookup, with a ticket that allows the caller to store what it loads instead.
pub(super) enum Lookup<A> {
    /// The state is as new as every event that this process knows of.
    Fresh(Versioned<A>),
    /// The state is older than an event that this process knows of.
    Stale(Versioned<A>, Ticket),
    /// The cache has no state.
    Absent(Ticket),
}

pub(super) struct Ticket(u64);

struct Entry<A> {
    held: Versioned<A>,
    latest: i64,
}

impl<A> Entry<A> {
    fn is_fresh(&self) -> bool {
        self.held.version >= self.latest
    }
}

struct Inner<A> {
    entries: LruCache<Uuid, Entry<A>>,
    generations: Box<[u64]>,
}

pub(super) struct Cache<A> {
    inner: Mutex<Inner<A>>,
    loading_locks: Box<[Arc<tokio::sync::Mutex<()>>]>,
}

impl<A: Aggregate + Clone> Cache<A> {
    fn new(max: NonZeroUsize) -> Self {
        let inner = Mutex::new(Inner { entries: LruCache::new(max), generations: vec![0; BUCKETS].into() });
        Self { inner, loading_locks: std::iter::repeat_with(Arc::default).take(BUCKETS).collect() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<A>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the lock to load the aggregate. If a thousand callers miss it at once, one reads it, and the others
    /// find it in the cache.
    pub(super) async fn loading_lock(&self, id: Uuid) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.loading_locks[bucket(id)]).lock_owned().await
    }

    pub(super) fn look(&self, id: Uuid) -> Lookup<A> {
        let mut inner = self.lock();
        let ticket = Ticket(inner.generations[bucket(id)]);
        match inner.entries.get(&id) {
            Some(entry) if entry.is_fresh() => Lookup::Fresh(entry.held.clone()),
            Some(entry) => Lookup::Stale(entry.held.clone(), ticket),
            None => Lookup::Absent(ticket),
        }
    }

    /// The states that are as new as every event that this process knows of: one entry for each identifier.
    pub(super) fn fresh(&self, ids: &[Uuid]) -> Vec<Option<Versioned<A>>> {
        let mut inner = self.lock();
        let mut look = |id| inner.entries.get(id).filter(|entry| entry.is_fresh()).map(|entry| entry.held.clone());
        ids.iter().map(&mut look).collect()
    }

    pub(super) fn put(&self, id: Uuid, loaded: &Versioned<A>, ticket: &Ticket) {
        let mut inner = self.lock();
        if inner.generations[bucket(id)] == ticket.0 {
            inner.entries.put(id, Entry { held: loaded.clone(), latest: loaded.version });
        }
    }

    fn record_own_event(&self, id: Uuid, sequence: i64, event: A::Event) {
        let mut inner = self.lock();
        inner.generations[bucket(id)] += 1;
        if let Some(entry) = inner.entries.get_mut(&id) {
            if entry.held.version + 1 == sequence {
                Arc::make_mut(&mut entry.held.state).apply(event);
                entry.held.version = sequence;
            }
            entry.latest = entry.latest.max(sequence);
        }
    }

    fn record_other_event(&self, id: Uuid, sequence: i64) {
        let mut inner = self.lock();
        inner.generations[bucket(id)] += 1;
        if let Some(entry) = inner.entries.get_mut(&id) {
            entry.latest = entry.latest.max(sequence);
        }
    }
}

pub(super) const fn at_least_one(count: usize) -> NonZeroUsize {
    match NonZeroUsize::new(count) {
        Some(count) => count,
        None => NonZeroUsize::MIN,
    }
}

fn bucket(id: Uuid) -> usize {
    // The last bytes are random in every UUID version in use.
    let tail = id.as_bytes();
    usize::from(u16::from_be_bytes([tail[14], tail[15]])) % BUCKETS
}

/// One cache for each kind of aggregate.
pub(super) struct Caches {
    pub users: Cache<User>,
    pub workspaces: Cache<Workspace>,
    pub channels: Cache<Channel>,
    pub messages: Cache<Message>,
    pub retentions: Cache<Retention>,
    pub installations: Cache<Installation>,
    pub sessions: Cache<Session>,
    pub audits: Cache<Audit>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            users: Cache::new(USERS_MAX),
            workspaces: Cache::new(WORKSPACES_MAX),
            channels: Cache::new(CHANNELS_MAX),
            messages: Cache::new(MESSAGES_MAX),
            retentions: Cache::new(RETENTIONS_MAX),
            installations: Cache::new(NonZeroUsize::MIN),
            sessions: Cache::new(SESSIONS_MAX),
            audits: Cache::new(AUDITS_MAX),
        }
    }
}

impl Caches {
    /// Records that this process appended the event.
    pub(super) fn record_own_event(&self, stream: StreamId, sequence: i64, event: Event) {
        match event {
            Event::User(event) => self.users.record_own_event(stream.id, sequence, event),
            Event::Workspace(event) => self.workspaces.record_own_event(stream.id, sequence, event),
            Event::Channel(event) => self.channels.record_own_event(stream.id, sequence, event),
            Event::Message(event) => self.messages.record_own_event(stream.id, sequence, event),
            Event::Retention(event) => self.retentions.record_own_event(stream.id, sequence, event),
            Event::Installation(event) => self.installations.record_own_event(stream.id, sequence, event),
            Event::Session(event) => self.sessions.record_own_event(stream.id, sequence, event),
            Event::Audit(event) => self.audits.record_own_event(stream.id, sequence, event),
        }
    }

    /// Records that another process appended the event with this sequence number.
    pub(super) fn record_other_event(&self, stream: StreamId, sequence: i64) {
        match stream.aggregate {
            AggregateType::User => self.users.record_other_event(stream.id, sequence),
            AggregateType::Workspace => self.workspaces.record_other_event(stream.id, sequence),
            AggregateType::Channel => self.channels.record_other_event(stream.id, sequence),
            AggregateType::Message => self.messages.record_other_event(stream.id, sequence),
            AggregateType::Retention => self.retentions.record_other_event(stream.id, sequence),
            AggregateType::Installation => self.installations.record_other_event(stream.id, sequence),
            AggregateType::Session => self.sessions.record_other_event(stream.id, sequence),
            AggregateType::Audit => self.audits.record_other_event(stream.id, sequence),
        }
    }
}

#[cfg(test)]
mod tests;
