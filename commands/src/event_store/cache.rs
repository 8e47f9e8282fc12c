//! Aggregates in memory, each at a known version. Nothing rests on them being up to date: the guard in the append does.
//!
//! What is told of writes ([`Caches::wrote`], [`Caches::heard_of`]) is told before anything rests on them; a loader that read the database
//! while somebody wrote must not put an older state back. So each write raises its bucket's generation, and a loader may only put back what
//! it loaded while the generation stood still.

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
/// Each may know of tens of thousands of messages.
const RETENTIONS_MAX: NonZeroUsize = at_least_one(200);
const SESSIONS_MAX: NonZeroUsize = at_least_one(1_000);
const AUDITS_MAX: NonZeroUsize = at_least_one(1_000);

/// An aggregate at a version: the number of its events that are folded in.
#[derive(Debug)]
pub struct Versioned<A> {
    /// The fold.
    pub state: Arc<A>,
    /// Up to which event.
    pub version: i64,
}

impl<A> Clone for Versioned<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), version: self.version }
    }
}

/// What the cache has, and the ticket to put back what is loaded instead.
pub(super) enum Lookup<A> {
    /// As new as anything that this process has heard of.
    Fresh(Versioned<A>),
    /// Older than something that this process has heard of.
    Stale(Versioned<A>, Ticket),
    /// Nothing.
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
    turns: Box<[Arc<tokio::sync::Mutex<()>>]>,
}

impl<A: Aggregate + Clone> Cache<A> {
    fn new(max: NonZeroUsize) -> Self {
        let inner = Mutex::new(Inner { entries: LruCache::new(max), generations: vec![0; BUCKETS].into() });
        Self { inner, turns: std::iter::repeat_with(Arc::default).take(BUCKETS).collect() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<A>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to load that aggregate: of a thousand who miss it at once, one reads it, and the others find it.
    pub(super) async fn turn(&self, id: Uuid) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.turns[bucket(id)]).lock_owned().await
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

    /// Those that are as new as anything that this process has heard of, one for each of the identifiers.
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

    fn wrote(&self, id: Uuid, sequence: i64, event: A::Event) {
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

    fn heard_of(&self, id: Uuid, sequence: i64) {
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
    // The last bytes are random in every version that is used.
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
    /// This process appended that event.
    pub(super) fn wrote(&self, stream: StreamId, sequence: i64, event: Event) {
        match event {
            Event::User(event) => self.users.wrote(stream.id, sequence, event),
            Event::Workspace(event) => self.workspaces.wrote(stream.id, sequence, event),
            Event::Channel(event) => self.channels.wrote(stream.id, sequence, event),
            Event::Message(event) => self.messages.wrote(stream.id, sequence, event),
            Event::Retention(event) => self.retentions.wrote(stream.id, sequence, event),
            Event::Installation(event) => self.installations.wrote(stream.id, sequence, event),
            Event::Session(event) => self.sessions.wrote(stream.id, sequence, event),
            Event::Audit(event) => self.audits.wrote(stream.id, sequence, event),
        }
    }

    /// Another process appended the event of that sequence.
    pub(super) fn heard_of(&self, stream: StreamId, sequence: i64) {
        match stream.aggregate {
            AggregateType::User => self.users.heard_of(stream.id, sequence),
            AggregateType::Workspace => self.workspaces.heard_of(stream.id, sequence),
            AggregateType::Channel => self.channels.heard_of(stream.id, sequence),
            AggregateType::Message => self.messages.heard_of(stream.id, sequence),
            AggregateType::Retention => self.retentions.heard_of(stream.id, sequence),
            AggregateType::Installation => self.installations.heard_of(stream.id, sequence),
            AggregateType::Session => self.sessions.heard_of(stream.id, sequence),
            AggregateType::Audit => self.audits.heard_of(stream.id, sequence),
        }
    }
}

#[cfg(test)]
mod tests;
