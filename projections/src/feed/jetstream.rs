//! Live events by JetStream: a durable consumer in order of the stream. Whatever goes wrong here, the log makes up for it.

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
use stores::log::{Deliveries, Delivery};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// Messages that are asked for at once.
const PULL_MESSAGES: usize = 500;

/// Messages that wait in memory; the rest waits with NATS.
const RECEIVED_MESSAGES_MAX: usize = 4_000;

/// Messages that NATS brings without any having been acknowledged. More than can be in memory, so that it never is what stops the feed.
const UNACKNOWLEDGED_MESSAGES_MAX: i64 = 50_000;

/// How long a request for messages stands.
const PULL_EXPIRES: Duration = Duration::from_secs(30);

/// How often NATS says that a request still stands: two missed ones mean that the consumer has gone quiet.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long to wait before consuming again after something went wrong.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// How long a consumer that nobody reads from is kept.
const CONSUMER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// An event by NATS, and what tells NATS that it is done with.
pub(super) struct Received {
    pub(super) delivery: Delivery,
    pub(super) acker: Acker,
}

/// Messages of the stream, as they come.
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
    /// Consumes what is published from now on, for ever; what came before is in the log.
    pub(super) fn consume(client: Client, stream: String, keys: Keyring, projection: &'static str) -> Self {
        let (sender, received) = mpsc::channel(RECEIVED_MESSAGES_MAX);
        let live = Arc::new(AtomicBool::new(false));
        let consumer = tokio::spawn(consume_for_ever(client, stream, keys, projection, sender, live.clone()));
        Self { received, live, _consumer: AbortOnDropHandle::new(consumer) }
    }

    /// Whether the consumer stands, as far as one can know.
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }
}

async fn consume_for_ever(
    client: Client,
    stream: String,
    keys: Keyring,
    projection: &'static str,
    sender: mpsc::Sender<Received>,
    live: Arc<AtomicBool>,
) {
    while !sender.is_closed() {
        let outcome = consume(&client, &stream, &keys, projection, &sender, &live).await;
        live.store(false, Ordering::Relaxed);
        if let Err(error) = outcome {
            tracing::debug!(projection, stream, error, "NATS brings nothing just now: the log is polled");
        }
        sleep(RETRY_DELAY).await;
    }
}

/// Ends when the consumer does.
async fn consume(
    client: &Client,
    stream: &str,
    keys: &Keyring,
    projection: &'static str,
    sender: &mpsc::Sender<Received>,
    live: &AtomicBool,
) -> Result<(), async_nats::Error> {
    let stream = jetstream::new(client.clone()).get_stream(stream).await?;
    // Made anew: where an older one stood does not matter, and another holder's stops bringing.
    drop(stream.delete_consumer(projection).await);
    let consumer: PullConsumer = stream.create_consumer(settings(projection)).await?;
    let messages = consumer.stream().max_messages_per_batch(PULL_MESSAGES).expires(PULL_EXPIRES).heartbeat(HEARTBEAT);
    let mut messages = messages.messages().await?;
    live.store(true, Ordering::Relaxed);
    while let Some(message) = messages.next().await {
        if let Some(received) = decode(message?, keys).await
            && sender.send(received).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

fn settings(projection: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(projection.to_owned()),
        description: Some("live events for a projection of Backscroll".to_owned()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::All,
        max_ack_pending: UNACKNOWLEDGED_MESSAGES_MAX,
        inactive_threshold: CONSUMER_KEPT,
        ..pull::Config::default()
    }
}

/// What cannot be read is dropped: the log decides whether the event itself is at fault.
async fn decode(message: Message, keys: &Keyring) -> Option<Received> {
    let (message, acker) = message.split();
    let wire = match serde_json::from_slice::<WireEvent>(&message.payload) {
        Ok(wire) => wire,
        Err(error) => {
            tracing::warn!(subject = %message.subject, %error, "a message on the stream is no event");
            return None;
        }
    };
    let mut read = Deliveries::default();
    read.push(&wire.as_row(), keys);
    let delivery = read.finish(keys).await.ok()?.pop()?;
    delivery.event.is_ok().then_some(Received { delivery, acker })
}
