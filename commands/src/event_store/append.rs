//! Group commit: one task collects the append requests of its callers into batches. While it writes one batch, the next
//! requests arrive.
//!
//! If there are many callers, they form two groups that take turns. While the database writes the batch of one group,
//! the callers of the other group get their answers and send new requests. So both cores have work. With one batch of
//! all callers, the server and the database would wait for each other.
//!
//! Each request is checked in memory. Then its batch goes to the database in one call, which does nothing if another
//! node has written in between. `recover` handles a batch that the database refuses, and a call that is cut off.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AggregateType, StreamId};
use futures::future::join;
use keyring::Keyring;
use sqlx::{PgPool, query};
use stores::clock::Clock;
use stores::error::chain;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

use super::batch::Columns;
use super::cache::Caches;
use super::idempotency::Remembered;
use super::last_writes::LastWrites;
use super::memory::Memory;
use super::prepared::{BatchScope, Prepared};
use super::request::{Append, Outcome, StreamWrite};
use super::{StoreError, versions};

/// The most requests in a batch.
const BATCH_REQUESTS_MAX: usize = 500;
/// The most events in a batch of more than one request.
const BATCH_EVENTS_MAX: usize = 2_000;
/// The number of callers from which two groups are faster than one. With fewer callers, the commit costs more than the
/// work that could be done in the meantime.
const SHIFTS_FROM: usize = 64;
/// The most requests that wait for a batch. Further callers wait until the queue has room.
const WAITING_MAX: usize = 4_096;
/// How long a request may wait for its outcome.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often a batch is tried again after other nodes wrote in between.
pub(super) const MOVED_MAX: usize = 100;
/// The most events of other nodes that are read in one query.
const CATCH_UP_MAX: i64 = 10_000;

/// The longest time between the check of a request and the time at which its events are recorded.
const CHECKED_BEFORE: TimeDelta = TimeDelta::seconds(10);
/// The code of the database's error that the clock of the writer is ahead (`append_events`).
const CLOCK_AHEAD: &str = "BS001";

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;

enum Message {
    Append(Box<Job>),
    CatchUp(i64, oneshot::Sender<Result<(), StoreError>>),
}

pub(super) struct Job {
    pub prepared: Prepared,
    reply: Reply,
}

impl Job {
    pub(super) fn answer(self, outcome: Result<Outcome, StoreError>) {
        // A caller that no longer waits can ask again with the same idempotency key.
        let _ = self.reply.send(outcome);
    }
}

/// Counts of the writer's work since the process started.
#[derive(Debug, Default)]
pub struct WriterStats {
    /// Batches written.
    pub batches: AtomicU64,
    /// Events written.
    pub events: AtomicU64,
    /// Batches that another node's write made outdated.
    pub conflicts: AtomicU64,
    /// Batches that the database refused, and whose requests were written one by one.
    pub one_by_one: AtomicU64,
    /// Batches that were refused because the clock of this process is ahead of the database's.
    pub ahead: AtomicU64,
}

#[derive(Clone)]
pub(super) struct Handle {
    messages: mpsc::Sender<Message>,
    stats: Arc<WriterStats>,
    keys: Keyring,
}

impl Handle {
    pub(super) async fn append(&self, request: Append) -> Result<Outcome, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let job = Box::new(Job { prepared: Prepared::new(request, &self.keys).await?, reply });
        let answered = async {
            self.messages.send(Message::Append(job)).await.map_err(|_| StoreError::Stopped)?;
            outcome.await.map_err(|_| StoreError::Stopped)?
        };
        tokio::time::timeout(WAIT_MAX, answered).await.map_err(|_| StoreError::Busy)?
    }

    pub(super) async fn catch_up(&self, to: i64) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        self.messages.send(Message::CatchUp(to, reply)).await.map_err(|_| StoreError::Stopped)?;
        done.await.map_err(|_| StoreError::Stopped)?
    }

    pub(super) fn stats(&self) -> &WriterStats {
        &self.stats
    }
}

/// The single task that writes.
pub(super) struct Writer {
    pub(super) pool: PgPool,
    messages: mpsc::Receiver<Message>,
    waiting: VecDeque<Job>,
    /// Requests that are in the log, and whose callers have no answer yet.
    unanswered: Unanswered,
    pub(super) memory: Memory,
    pub(super) caches: Arc<Caches>,
    last_writes: Arc<LastWrites>,
    pub(super) keys: Keyring,
    head: watch::Sender<i64>,
    pub(super) stats: Arc<WriterStats>,
    clock: Clock,
}

/// Requests that are in the log, each with the position and the time of its last event.
#[derive(Default)]
struct Unanswered(Vec<(Job, i64, DateTime<Utc>)>);

impl Unanswered {
    fn send_answers(self, head: &watch::Sender<i64>) {
        if let Some((_, last, _)) = self.0.last() {
            head.send_replace(*last);
        }
        for (job, position, recorded_at) in self.0 {
            job.answer(Ok(Outcome::Appended { position, recorded_at }));
        }
    }
}

/// The outcome of the call for a batch.
pub(super) enum Written {
    /// The batch is in the log. Its events were recorded at these times.
    Yes(Vec<DateTime<Utc>>),
    /// Nothing was appended, because another node has appended events.
    Moved,
    /// Nothing was appended, because the database refuses a part of it, such as a second holder of a unique key.
    Refused(Box<dyn sqlx::error::DatabaseError>),
}

impl Writer {
    pub(super) async fn start(
        pool: PgPool,
        caches: Arc<Caches>,
        keys: Keyring,
        clock: Clock,
    ) -> Result<(Handle, watch::Receiver<i64>, Arc<LastWrites>), StoreError> {
        let last = query!("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1").fetch_optional(&pool).await?;
        let memory = last.map_or_else(|| Memory::new(0, DateTime::UNIX_EPOCH), |last| Memory::new(last.position, last.recorded_at));
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let (head, heads) = watch::channel(memory.head);
        let stats = Arc::new(WriterStats::default());
        let handle = Handle { messages: sender, stats: Arc::clone(&stats), keys: keys.clone() };
        let (waiting, unanswered) = (VecDeque::new(), Unanswered::default());
        let last_writes = Arc::new(LastWrites::from(memory.head));
        let writer =
            Self { pool, messages, waiting, unanswered, memory, caches, last_writes: Arc::clone(&last_writes), keys, head, stats, clock };
        tokio::spawn(writer.run());
        Ok((handle, heads, last_writes))
    }

    async fn run(mut self) {
        let mut received = Vec::with_capacity(BATCH_REQUESTS_MAX);
        loop {
            while self.waiting.len() + received.len() < BATCH_REQUESTS_MAX
                && let Ok(message) = self.messages.try_recv()
            {
                received.push(message);
            }
            if self.waiting.is_empty() && received.is_empty() {
                self.send_answers();
                if self.messages.recv_many(&mut received, BATCH_REQUESTS_MAX).await == 0 {
                    return;
                }
            }
            for message in received.drain(..) {
                match message {
                    Message::Append(job) => self.waiting.push_back(*job),
                    Message::CatchUp(to, reply) => {
                        self.send_answers();
                        let _ = reply.send(self.catch_up(to).await);
                    }
                }
            }
            self.write_a_batch().await;
        }
    }

    pub(super) fn send_answers(&mut self) {
        std::mem::take(&mut self.unanswered).send_answers(&self.head);
    }

    async fn write_a_batch(&mut self) {
        for _ in 0..MOVED_MAX {
            if let Err(error) = self.learn_versions().await {
                return self.fail_all(&error);
            }
            let batch = self.gather();
            if batch.is_empty() {
                return;
            }
            match self.write(&batch).await {
                Ok(Written::Yes(recorded_ats)) => return self.remember(batch, &recorded_ats),
                Ok(Written::Moved) => self.put_back(batch),
                Ok(Written::Refused(_)) => return self.write_one_by_one(batch).await,
                Err(error) => return batch.into_iter().for_each(|job| job.answer(Err(error.clone()))),
            }
            self.stats.conflicts.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = self.catch_up(i64::MAX).await {
                return self.fail_all(&error);
            }
        }
        self.fail_all(&StoreError::Busy);
    }

    fn put_back(&mut self, batch: Vec<Job>) {
        for job in batch.into_iter().rev() {
            self.waiting.push_front(job);
        }
    }

    fn fail_all(&mut self, error: &StoreError) {
        warn!(error = %chain(error), requests = self.waiting.len(), "requests were not appended");
        for job in self.waiting.drain(..) {
            job.answer(Err(error.clone()));
        }
    }

    /// Reads the versions of guarded streams that are not in memory, with one query.
    async fn learn_versions(&mut self) -> Result<(), StoreError> {
        let guards = self.waiting.iter().flat_map(|job| &job.prepared.request.guards);
        let unknown = guards.map(|(stream, _)| *stream).filter(|stream| self.memory.version(*stream).is_none()).collect::<Vec<_>>();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = versions::versions(&self.pool, &unknown).await?;
        for stream in unknown {
            self.memory.record_version(stream, found.get(&stream).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Takes requests from the queue into a batch. A request that memory refuses gets its answer at once. A request
    /// that conflicts with another one of the batch waits for the next batch.
    fn gather(&mut self) -> Vec<Job> {
        let (mut batch, mut events, mut scope) = (Vec::new(), 0, BatchScope::default());
        let batch_max = self.share();
        for _ in 0..self.waiting.len() {
            let Some(job) = self.waiting.pop_front() else { break };
            let full = batch.len() >= batch_max || (!batch.is_empty() && events + job.prepared.rows.len() > BATCH_EVENTS_MAX);
            if full || scope.overlaps(&job.prepared) {
                scope.add(&job.prepared);
                self.waiting.push_back(job);
            } else if let Some(outcome) = self.check(&job.prepared) {
                job.answer(Ok(outcome));
            } else {
                scope.add(&job.prepared);
                events += job.prepared.rows.len();
                batch.push(job);
            }
        }
        batch
    }

    /// How many of the waiting requests form the next batch.
    fn share(&self) -> usize {
        let callers = self.waiting.len() + self.unanswered.0.len();
        if callers < SHIFTS_FROM { BATCH_REQUESTS_MAX } else { callers.div_ceil(2).min(BATCH_REQUESTS_MAX) }
    }

    /// The outcome of a request that memory alone can refuse. `None` if it can be written.
    pub(super) fn check(&mut self, prepared: &Prepared) -> Option<Outcome> {
        if let Some(key) = prepared.key()
            && let Some(remembered) = self.memory.key(&key)
        {
            return Some(prepared.replay(remembered));
        }
        for (stream, version) in &prepared.request.guards {
            if self.memory.version(*stream) != Some(*version) {
                return Some(Outcome::Stale(*stream));
            }
        }
        let recorded_at = self.memory.next_moment(self.clock.now());
        if !prepared.drawn.iter().all(|message_id| message_id.allows(recorded_at + CHECKED_BEFORE)) {
            return Some(Outcome::Untimely { recorded_at });
        }
        let stale = |w: &&StreamWrite| self.memory.version(w.stream).is_some_and(|version| version != w.expected);
        prepared.request.writes.iter().find(stale).map(|w| Outcome::Stale(w.stream))
    }

    /// Sends a batch to the database. Meanwhile the callers of the batch before get their answers.
    pub(super) async fn write(&mut self, batch: &[Job]) -> Result<Written, StoreError> {
        let (unanswered, head) = (std::mem::take(&mut self.unanswered), self.head.clone());
        let requests = batch.iter().map(|job| &job.prepared);
        let columns = Columns::of(requests, self.memory.head + 1, self.memory.moments(self.clock.now()));
        let (written, ()) = join(columns.append(&self.pool, self.memory.head), async { unanswered.send_answers(&head) }).await;
        let error = match written {
            Ok(head) if head == self.memory.head => return Ok(Written::Yes(columns.into_recorded_ats())),
            Ok(_) => return Ok(Written::Moved),
            Err(error) => error,
        };
        match error {
            sqlx::Error::Database(refusal) if is_of_the_clock(refusal.as_ref()) => Err(self.clock_is_ahead(refusal.as_ref())),
            sqlx::Error::Database(refusal) if is_final(refusal.as_ref()) => Ok(Written::Refused(refusal)),
            error => self.look_up(batch, columns.into_recorded_ats(), error).await,
        }
    }

    fn clock_is_ahead(&self, refusal: &dyn sqlx::error::DatabaseError) -> StoreError {
        self.stats.ahead.fetch_add(1, Ordering::Relaxed);
        error!(reason = refusal.message(), "this process appends nothing until its clock is right");
        StoreError::ClockAhead
    }

    /// Records in memory that the batch is in the log. Later requests are checked against it.
    pub(super) fn remember(&mut self, batch: Vec<Job>, recorded_ats: &[DateTime<Utc>]) {
        let before = self.memory.head;
        let mut position = before;
        let mut recorded_ats = recorded_ats.iter().copied();
        let mut recorded_at = DateTime::UNIX_EPOCH;
        for mut job in batch {
            for row in std::mem::take(&mut job.prepared.rows) {
                position += 1;
                recorded_at = recorded_ats.next().unwrap_or(recorded_at);
                self.memory.record_version(row.stream, row.sequence);
                self.caches.record_own_event(row.stream, row.sequence, row.event);
            }
            self.last_writes.record(job.prepared.request.metadata.actor.0, position);
            self.remember_key(&job.prepared, position, recorded_at);
            self.unanswered.0.push((job, position, recorded_at));
        }
        self.memory.advance(position, recorded_at);
        self.stats.batches.fetch_add(1, Ordering::Relaxed);
        self.stats.events.fetch_add((position - before).unsigned_abs(), Ordering::Relaxed);
    }

    fn remember_key(&mut self, prepared: &Prepared, position: i64, recorded_at: DateTime<Utc>) {
        if let (Some(key), Some(used)) = (prepared.key(), &prepared.request.idempotency) {
            let fingerprint = prepared.fingerprint().unwrap_or(used.fingerprint).to_vec();
            let remembered = Remembered { fingerprint, position, recorded_at, subject: prepared.request.subject };
            self.memory.record_key(key, remembered);
        }
    }

    /// Reads the events that other nodes appended, up to `to` or the end of the log.
    pub(super) async fn catch_up(&mut self, to: i64) -> Result<(), StoreError> {
        while self.memory.head < to {
            let rows = query!(
                "SELECT position, aggregate_type, aggregate_id, sequence, recorded_at, metadata ->> 'actor' AS actor FROM events
                 WHERE position > $1 ORDER BY position LIMIT $2",
                self.memory.head,
                CATCH_UP_MAX,
            )
            .fetch_all(&self.pool)
            .await?;
            let Some(last) = rows.last() else { break };
            let (head, recorded_at) = (last.position, last.recorded_at);
            for row in &rows {
                if let Some(actor) = row.actor.as_deref().and_then(|actor| actor.parse().ok()) {
                    self.last_writes.record(actor, row.position);
                }
                if let (Some(aggregate), Ok(id)) = (AggregateType::named(&row.aggregate_type), row.aggregate_id.parse()) {
                    let stream = StreamId { aggregate, id };
                    self.memory.record_version(stream, row.sequence);
                    self.caches.record_other_event(stream, row.sequence);
                    if aggregate == AggregateType::User {
                        // The user may have been erased.
                        self.keys.forget(id);
                    }
                }
            }
            self.memory.advance(head, recorded_at);
            self.head.send_replace(head);
        }
        Ok(())
    }
}

/// Whether the database refuses the batch because the clock of this process is ahead of its own.
fn is_of_the_clock(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == CLOCK_AHEAD)
}

/// Whether another attempt would fail with the same error: the database understood the call, and refused it.
fn is_final(error: &dyn sqlx::error::DatabaseError) -> bool {
    // Classes of errors that can pass. 08: the connection. 40: rolled back because of another transaction. 53, 55, 57:
    // lack of resources, locked, shutting down. 58: the system.
    let code = error.code().unwrap_or_default();
    !["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}
