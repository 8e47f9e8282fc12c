//! Notices from node to node, about things that are not in the log and may be lost. They go over core NATS, beside the
//! stream: at most once, and nothing stores them.
//!
//! A notice never blocks its sender. While NATS is unavailable, or if more are sent than NATS takes, notices are dropped,
//! and each node serves its own connections only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Message};
use domain::ids::LogId;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The most notices that wait to be sent. Further ones are dropped.
const WAITING_MAX: usize = 4_096;
/// The most notices of one message.
const NOTICES_MAX: usize = 256;
/// The largest message that is read, in bytes. NATS takes a megabyte by default.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// How long the client may take a message.
const PUBLISH_MAX: Duration = Duration::from_secs(1);
/// The pause before the next try to subscribe.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(1);
/// The most messages that wait to be handled. NATS' client drops further ones.
const RECEIVED_MAX: usize = 64;

/// The counts of a bus since the process started.
#[derive(Debug, Default)]
pub struct BusStats {
    /// Notices that were sent to the other nodes.
    pub sent: AtomicU64,
    /// Notices of other nodes.
    pub received: AtomicU64,
    /// Notices that were not sent: NATS was unavailable, or too many waited.
    pub dropped: AtomicU64,
}

/// The sending end of the bus. Clones share everything.
#[derive(Clone, Debug)]
pub struct Bus {
    queue: mpsc::Sender<Value>,
    /// The other end of the queue, until it is started.
    waiting: Arc<Mutex<Option<mpsc::Receiver<Value>>>>,
    stats: Arc<BusStats>,
}

/// The notices of one message.
#[derive(Serialize, Deserialize)]
struct Batch {
    /// The log of the sender. Nodes of a restored copy of the database share nothing with the others.
    log_id: Uuid,
    /// The node that sent it, which ignores its own notices.
    node: Uuid,
    notices: Vec<Value>,
}

impl Default for Bus {
    /// A bus that is not connected yet.
    fn default() -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        Self { queue, waiting: Arc::new(Mutex::new(Some(waiting))), stats: Arc::default() }
    }
}

impl Bus {
    /// Connects to the other nodes of this log over `subject`, until `shutdown`. Returns the notices of others. Of a bus
    /// that is connected already, there are none.
    pub fn start(&self, nats: Client, subject: String, log_id: LogId, shutdown: CancellationToken) -> mpsc::Receiver<Vec<Value>> {
        let (received, incoming) = mpsc::channel(RECEIVED_MAX);
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let ends = Ends { nats, subject, log_id: log_id.0, node: Uuid::now_v7(), stats: self.stats.clone() };
            tokio::spawn(ends.clone().send(waiting, shutdown.clone()));
            tokio::spawn(ends.receive(received, shutdown));
        }
        incoming
    }

    /// Sends a notice to the other nodes, if that is possible now.
    pub fn send(&self, notice: &impl Serialize) {
        let queued = serde_json::to_value(notice).is_ok_and(|notice| self.queue.try_send(notice).is_ok());
        if !queued {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts.
    #[must_use]
    pub fn stats(&self) -> &BusStats {
        &self.stats
    }
}

#[derive(Clone)]
struct Ends {
    nats: Client,
    subject: String,
    log_id: Uuid,
    node: Uuid,
    stats: Arc<BusStats>,
}

impl Ends {
    async fn send(self, mut waiting: mpsc::Receiver<Value>, shutdown: CancellationToken) {
        loop {
            let mut notices = Vec::new();
            tokio::select! {
                () = shutdown.cancelled() => return,
                count = waiting.recv_many(&mut notices, NOTICES_MAX) => if count == 0 { return },
            }
            let count = notices.len() as u64;
            let counter = if self.publish(notices).await { &self.stats.sent } else { &self.stats.dropped };
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    async fn publish(&self, notices: Vec<Value>) -> bool {
        // The client would keep the message until NATS is back. By then nobody needs it.
        if self.nats.connection_state() != State::Connected {
            return false;
        }
        let Ok(message) = serde_json::to_vec(&Batch { log_id: self.log_id, node: self.node, notices }) else { return false };
        let published = timeout(PUBLISH_MAX, self.nats.publish(self.subject.clone(), message.into())).await;
        matches!(published, Ok(Ok(())))
    }

    async fn receive(self, received: mpsc::Sender<Vec<Value>>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Ok(mut messages) = self.nats.subscribe(self.subject.clone()).await {
                loop {
                    let message = tokio::select! {
                        () = shutdown.cancelled() => return,
                        message = messages.next() => message,
                    };
                    let Some(message) = message else { break };
                    if self.pass_on(&message, &received).await.is_err() {
                        return;
                    }
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(SUBSCRIBE_PAUSE) => {}
            }
        }
    }

    /// Passes the notices of a message on. An error means that nobody wants them any more.
    async fn pass_on(&self, message: &Message, received: &mpsc::Sender<Vec<Value>>) -> Result<(), ()> {
        if message.payload.len() > MESSAGE_BYTES_MAX {
            return Ok(());
        }
        let Ok(batch) = serde_json::from_slice::<Batch>(&message.payload) else { return Ok(()) };
        if batch.log_id != self.log_id || batch.node == self.node {
            return Ok(());
        }
        self.stats.received.fetch_add(batch.notices.len() as u64, Ordering::Relaxed);
        received.send(batch.notices).await.map_err(drop)
    }
}
