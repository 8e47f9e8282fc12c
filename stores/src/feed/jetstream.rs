//! Live events from JetStream: a consumer, in the order of the stream. After any failure here, the events are
//! read from the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::{self, Message};
use domain::WireEvent;
use futures::StreamExt;
use keyring::Keyring;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::log::{Deliveries, Delivery};

/// How many messages one request asks for.
const PULL_MESSAGES: usize = 500;

/// How many received messages wait in memory. Further messages stay in NATS.
const RECEIVED_MESSAGES_MAX: usize = 4_000;

/// How many messages NATS sends without an acknowledgement. It is more than fits in memory, so this limit never stops
/// the feed.
const UNACKNOWLEDGED_MESSAGES_MAX: i64 = 50_000;

/// How long NATS keeps a request for messages open.
const PULL_EXPIRES: Duration = Duration::from_secs(30);

/// How often NATS confirms that a request is still open. Two missing confirmations mean that the consumer has stopped.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long to wait after a failure before consuming again.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// How long NATS keeps a named consumer that no process reads from.
const CONSUMER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long NATS keeps a nameless consumer that no process reads from. Its process makes a new one.
const NAMELESS_KEPT: Duration = Duration::from_secs(60);

/// How a feed is known to NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// By a name. At most one process reads by it: a further one takes the consumer over.
    Named(&'static str),
    /// Without a name, of this feed alone. Nothing is acknowledged.
    Nameless,
}

impl Consumer {
    /// The name in log lines.
    fn reader(self) -> &'static str {
        match self {
            Self::Named(name) => name,
            Self::Nameless => "live",
        }
    }
}

/// An event from NATS, with the handle that acknowledges it, if it is acknowledged.
pub(super) struct Received {
    pub(super) delivery: Delivery,
    pub(super) acker: Option<Acker>,
}

/// The messages of the stream, as they arrive.
pub(super) struct Jetstream {
    pub(super) received: mpsc::Receiver<Received>,
    live: Arc<AtomicBool>,
    _consumer: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Jetstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jetstream").field("live", &self.is_live()).finish_non_exhaustive()
    }
}

impl Jetstream {
    /// Consumes all messages that are published from now on, without end. Earlier events are in the log.
    pub(super) fn consume(client: Client, stream: String, keys: Keyring, consumer: Consumer) -> Self {
        let (sender, received) = mpsc::channel(RECEIVED_MESSAGES_MAX);
        let live = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(consume_for_ever(client, stream, keys, consumer, sender, live.clone()));
        Self { received, live, _consumer: AbortOnDropHandle::new(task) }
    }

    /// Whether the consumer is working, as far as this process can know.
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }
}

async fn consume_for_ever(
    client: Client,
    stream: String,
    keys: Keyring,
    consumer: Consumer,
    sender: mpsc::Sender<Received>,
    live: Arc<AtomicBool>,
) {
    while !sender.is_closed() {
        let outcome = consume(&client, &stream, &keys, consumer, &sender, &live).await;
        live.store(false, Ordering::Relaxed);
        if let Err(error) = outcome {
            tracing::debug!(reader = consumer.reader(), stream, error, "NATS delivers nothing at the moment: the log is polled");
        }
        sleep(RETRY_DELAY).await;
    }
}

/// Returns when the consumer ends.
async fn consume(
    client: &Client,
    stream: &str,
    keys: &Keyring,
    consumer: Consumer,
    sender: &mpsc::Sender<Received>,
    live: &AtomicBool,
) -> Result<(), async_nats::Error> {
    let stream = jetstream::new(client.clone()).get_stream(stream).await?;
    if let Consumer::Named(name) = consumer {
        // The consumer is made new. The position of an older one does not matter, and another holder's consumer stops
        // delivering.
        drop(stream.delete_consumer(name).await);
    }
    let created: PullConsumer = stream.create_consumer(settings(consumer)).await?;
    let messages = created.stream().max_messages_per_batch(PULL_MESSAGES).expires(PULL_EXPIRES).heartbeat(HEARTBEAT);
    let mut messages = messages.messages().await?;
    live.store(true, Ordering::Relaxed);
    while let Some(message) = messages.next().await {
        if let Some((delivery, acker)) = decode(message?, keys).await
            && let received = (Received { delivery, acker: matches!(consumer, Consumer::Named(_)).then_some(acker) })
            && sender.send(received).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

fn settings(consumer: Consumer) -> pull::Config {
    let common = pull::Config { deliver_policy: DeliverPolicy::New, ..pull::Config::default() };
    match consumer {
        Consumer::Named(name) => pull::Config {
            durable_name: Some(name.to_owned()),
            description: Some("live events for a projection of Backscroll".to_owned()),
            ack_policy: AckPolicy::All,
            max_ack_pending: UNACKNOWLEDGED_MESSAGES_MAX,
            inactive_threshold: CONSUMER_KEPT,
            ..common
        },
        Consumer::Nameless => pull::Config {
            description: Some("live events for the connections of a node of Backscroll".to_owned()),
            ack_policy: AckPolicy::None,
            inactive_threshold: NAMELESS_KEPT,
            ..common
        },
    }
}

/// Drops a message that cannot be decoded. The log decides whether the event itself is the cause.
async fn decode(message: Message, keys: &Keyring) -> Option<(Delivery, Acker)> {
    let (message, acker) = message.split();
    let wire = match serde_json::from_slice::<WireEvent>(&message.payload) {
        Ok(wire) => wire,
        Err(error) => {
            tracing::warn!(subject = %message.subject, %error, "a message on the stream is not an event");
            return None;
        }
    };
    let mut read = Deliveries::default();
    read.push(&wire.as_row(), keys);
    let delivery = read.finish(keys).await.ok()?.pop()?;
    delivery.event.is_ok().then_some((delivery, acker))
}
