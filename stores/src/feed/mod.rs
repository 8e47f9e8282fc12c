//! The feed delivers the events behind a position, each once and in order. It never delivers an event out of order.
//! Projectors and the hub of live connections read it.
//!
//! The log in Postgres is the source of truth ([`crate::log`]). NATS is a signal and a transport (`jetstream`). Events
//! that NATS delivers in order are used. Events that it omits or delivers late are read from the log. Positions have no
//! gap, so a missing event is noticed.

mod jetstream;
mod pending;

use std::time::Duration;

use keyring::Keyring;
use sqlx::PgPool;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::log::{Delivery, LogError, LogStream, read};

pub use jetstream::Consumer;
use jetstream::{Jetstream, Received};
use pending::Pending;

/// The most events of one batch.
pub const BATCH_EVENTS_MAX: usize = 2_000;

/// How long NATS may take to deliver an event that this process has appended, before the log is read.
const NATS_GRACE: Duration = Duration::from_millis(4);

/// How long to wait after the log had nothing new.
const EMPTY_READ_PAUSE: Duration = Duration::from_millis(1);

/// How long an acknowledgement to NATS may delay the projector: it can block while the connection is down.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_millis(20);

/// How long the feed may be silent before it reads the log: a consumer may have stopped without notice.
const WATCHDOG_INTERVAL: Duration = Duration::from_millis(100);

/// Delivers events to one reader.
#[derive(Debug)]
pub struct Feed {
    pool: PgPool,
    keys: Keyring,
    jetstream: Option<Jetstream>,
    wake: Option<watch::Receiver<i64>>,
    pending: Pending,
    /// Set while the projection is far behind: then the log is read ahead.
    catching_up: Option<LogStream>,
    /// Whether the log may hold more events than were delivered: at the start, and after catching up.
    look_into_log: bool,
}

/// The sources of a feed's events.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The log.
    pub pool: PgPool,
    /// The keys that unseal the log.
    pub keys: Keyring,
    /// NATS, with the stream's name.
    pub nats: Option<(async_nats::Client, String)>,
    /// The end of the log as the appender of this process knows it.
    pub wake: Option<watch::Receiver<i64>>,
}

impl Feed {
    /// A feed that consumes the stream of NATS as this consumer.
    #[must_use]
    pub fn open(sources: Sources, consumer: Consumer) -> Self {
        let Sources { pool, keys, nats, wake } = sources;
        let jetstream = nats.map(|(client, stream)| Jetstream::consume(client, stream, keys.clone(), consumer));
        Self { pool, keys, jetstream, wake, pending: Pending::default(), catching_up: None, look_into_log: true }
    }

    /// Returns the events right behind `after`, at least one. It waits until there are some.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn next(&mut self, after: i64) -> Result<Vec<Delivery>, LogError> {
        loop {
            if let Some(events) = self.next_of_catching_up(after).await? {
                return Ok(events);
            }
            self.receive_what_is_there();
            let in_turn = self.pending.take_in_turn(after, BATCH_EVENTS_MAX);
            if !in_turn.is_empty() {
                return Ok(in_turn);
            }
            if self.look_into_log || self.pending.has_hole(after) {
                let events = self.read_log(after).await?;
                if !events.is_empty() {
                    return Ok(events);
                }
                // The event that was announced is not there yet: pause before reading again.
                sleep(EMPTY_READ_PAUSE).await;
            }
            self.wait(after).await;
        }
    }

    /// Says that the events up to `position` are applied, so that NATS does not deliver them again.
    pub async fn applied(&mut self, position: i64) {
        if let Some(acker) = self.pending.take_acker(position) {
            // If an acknowledgement is lost, a message comes twice, and the second one is dropped.
            drop(timeout(ACKNOWLEDGE_LIMIT, acker.ack()).await);
        }
    }

    async fn next_of_catching_up(&mut self, after: i64) -> Result<Option<Vec<Delivery>>, LogError> {
        let Some(stream) = &mut self.catching_up else { return Ok(None) };
        match stream.next().await {
            Some(Ok(mut events)) => {
                // A batch that was not applied is asked for again. Then reading ahead starts again from there.
                if events.first().is_none_or(|first| first.position != after + 1) {
                    self.catching_up = None;
                    self.look_into_log = true;
                    return Ok(None);
                }
                events.truncate(BATCH_EVENTS_MAX);
                Ok(Some(events))
            }
            Some(Err(error)) => {
                self.catching_up = None;
                self.look_into_log = true;
                Err(error)
            }
            None => {
                self.catching_up = None;
                self.look_into_log = true;
                Ok(None)
            }
        }
    }

    /// Reads one batch from the log. A full batch means that there is more: then the rest is read ahead.
    async fn read_log(&mut self, after: i64) -> Result<Vec<Delivery>, LogError> {
        let events = read::read(&self.pool, &self.keys, after, BATCH_EVENTS_MAX).await?;
        self.look_into_log = false;
        if events.len() == BATCH_EVENTS_MAX {
            let last = after + i64::try_from(events.len()).unwrap_or(0);
            let head = crate::log::head(&self.pool).await?;
            self.catching_up = Some(LogStream::open(self.pool.clone(), self.keys.clone(), last, head));
        }
        Ok(events)
    }

    fn receive_what_is_there(&mut self) {
        let Some(jetstream) = &mut self.jetstream else { return };
        while self.pending.has_room() {
            match jetstream.received.try_recv() {
                Ok(received) => self.pending.put(received),
                Err(mpsc::error::TryRecvError::Empty) => return,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.jetstream = None;
                    return;
                }
            }
        }
    }

    /// Waits until NATS delivers an event, or the log may hold one that NATS has not delivered.
    async fn wait(&mut self, after: i64) {
        tokio::select! {
            received = receive(&mut self.jetstream) => self.put(received),
            () = woken(&mut self.wake, after) => self.wait_for_nats().await,
            () = sleep(WATCHDOG_INTERVAL) => self.look_into_log = true,
        }
    }

    /// Waits for NATS: an event that this process has appended usually arrives within two milliseconds. After a limit,
    /// the log is read.
    async fn wait_for_nats(&mut self) {
        if !self.jetstream.as_ref().is_some_and(Jetstream::is_live) {
            self.look_into_log = true;
            return;
        }
        tokio::select! {
            received = receive(&mut self.jetstream) => self.put(received),
            () = sleep(NATS_GRACE) => self.look_into_log = true,
        }
    }

    fn put(&mut self, received: Option<Received>) {
        match received {
            Some(received) => self.pending.put(received),
            // The receiving task never ends by itself. If it did, the feed goes on without NATS.
            None => self.jetstream = None,
        }
    }
}

async fn receive(jetstream: &mut Option<Jetstream>) -> Option<Received> {
    match jetstream {
        Some(jetstream) => jetstream.received.recv().await,
        None => std::future::pending().await,
    }
}

/// Returns when the appender of this process is ahead of `after`.
async fn woken(wake: &mut Option<watch::Receiver<i64>>, after: i64) {
    if let Some(head) = wake {
        if head.wait_for(|head| *head > after).await.is_ok() {
            return;
        }
        // The appender has stopped.
        *wake = None;
    }
    std::future::pending().await
}
