//! The relay: one process at a time, the leader, publishes the log to NATS JetStream in the order of positions.
//!
//! NATS is a signal and a transport, and never the source of truth: projectors read lost events from the log. The
//! leader starts after the last message of the stream or after its cursor, whichever is later. Each message names the
//! sequence number that it must follow. So a former leader that does not know yet that it lost the leadership publishes
//! nothing out of order.

mod jetstream;
mod leader;
mod state;
mod usage;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Client, Subscriber};
use domain::wire_event::WireEvent;
use futures::StreamExt;
use serde_json::value::RawValue;
use sqlx::{PgPool, query, query_scalar};
use stores::error::chain;
use stores::nats::Link;
use stores::retry::{self, Pauses};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use jetstream::Publisher;
use leader::Leader;
pub use leader::partitions_in_use;
pub use state::{Published, RelayStats, published};
pub use usage::{StreamUsage, usage};

/// The most events that are published without an acknowledgement.
const IN_FLIGHT_MAX: i64 = 1_000;
/// How long the relay waits before it reads the log without a notification.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// The shortest time between a batch that was not full and the next one. Under a steady load, several events then share
/// a batch.
const PACE: Duration = Duration::from_millis(2);
/// How often the cursor is saved, at most. If it is behind, the stream shows how far the relay is.
const SAVE_EVERY: Duration = Duration::from_millis(100);

/// The settings of the relay.
#[derive(Clone)]
pub struct Settings {
    /// The event store's database.
    pub pool: PgPool,
    /// NATS.
    pub nats: Client,
    /// Receives why the stream cannot be used.
    pub link: Link,
    /// The stream's name.
    pub stream: String,
    /// The number of partitions that the workspaces are distributed over. The partition is a token of the subjects.
    pub partitions: u16,
    /// The end of the log, as far as this process knows.
    pub head: watch::Receiver<i64>,
    /// Receives the counts of the relay's work.
    pub stats: Arc<RelayStats>,
}

/// Why the relay had to restart, or why NATS does not describe the stream.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Postgres failed.
    #[error("the log cannot be read, or the leadership was lost")]
    Postgres(#[from] sqlx::Error),
    /// NATS failed, or refused.
    #[error("NATS did not {asked}")]
    Nats {
        /// The action that NATS was asked for.
        asked: &'static str,
        /// What NATS answered.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An event cannot be published.
    #[error("an event of the log is not JSON")]
    Json(#[from] serde_json::Error),
    /// The log was published over another number of partitions.
    #[error("the log was published over {used} partitions, and this process has {wanted} (partitions)")]
    Partitions {
        /// The number in use.
        used: usize,
        /// The number of the settings.
        wanted: u16,
    },
}

/// Publishes until `shutdown`, while this process is the leader. After an error it starts again.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    let mut pauses = Pauses::of(retry::RELAY);
    while !shutdown.is_cancelled() {
        let outcome = tokio::select! {
            () = shutdown.cancelled() => break,
            outcome = lead(&settings, &mut pauses) => outcome,
        };
        settings.stats.leading.store(false, Ordering::Relaxed);
        let pause = pauses.failed();
        if let Err(error) = outcome {
            settings.stats.failed(chain(&error));
            note(&settings.link, &error, pause);
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    settings.stats.leading.store(false, Ordering::Relaxed);
}

/// Logs why publishing failed. The link logs an error of NATS, once while it lasts.
fn note(link: &Link, error: &RelayError, pause: Duration) {
    match error {
        RelayError::Nats { .. } => link.stream_failed(&chain(error)),
        error => warn!(error = %chain(error), pause_ms = pause.as_millis(), "the relay restarts"),
    }
}

/// Notifies the other nodes, outside the stream, that the log has new events.
pub async fn announce(nats: Client, stream: String, mut head: watch::Receiver<i64>, shutdown: CancellationToken) {
    let subject = migrations::nats::wake_subject(&stream);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = head.changed() => if changed.is_err() { return },
        }
        let position = head.borrow_and_update().to_string();
        // It does no harm to lose a message, because the receivers also poll.
        let _ = nats.publish(subject.clone(), position.into()).await;
    }
}

/// Waits until this process is the leader, then publishes until an error occurs.
async fn lead(settings: &Settings, pauses: &mut Pauses) -> Result<(), RelayError> {
    let mut leader = Leader::elected(&settings.pool, &settings.stats).await?;
    let mut publisher = open_stream(settings).await?;
    let mut cursor = leader.cursor(&settings.pool, settings.partitions, publisher.last_position()).await?;
    // The stream may be ahead of the saved cursor. Everybody reads from the cursor how far the log is published.
    leader.save(&cursor).await?;
    info!(position = cursor.position, "this process is the relay's leader");
    settings.link.stream_works();
    settings.stats.leading.store(true, Ordering::Relaxed);
    let mut woken = settings.nats.subscribe(migrations::nats::wake_subject(&settings.stream)).await.map_err(nats_error("subscribe"))?;
    let mut head = settings.head.clone();
    let (mut saved, mut saved_at) = (cursor.position, Instant::now());
    loop {
        let began = Instant::now();
        head.mark_unchanged();
        let events = read(&settings.pool, cursor.position).await?;
        let is_full = events.len() as i64 == IN_FLIGHT_MAX;
        if !events.is_empty() {
            publisher.publish(&events, &mut cursor).await?;
            pauses.worked();
            settings.stats.position.store(cursor.position, Ordering::Relaxed);
        }
        settings.stats.works();
        if saved < cursor.position && saved_at.elapsed() >= SAVE_EVERY {
            leader.save(&cursor).await?;
            (saved, saved_at) = (cursor.position, Instant::now());
        }
        if !is_full {
            tokio::select! {
                _ = timeout(POLL_EVERY, head.changed()) => {}
                () = heard_of_more(&mut woken, cursor.position) => {}
            }
            if events.is_empty() {
                leader.still_leads().await?;
            }
            sleep_until(began + PACE).await;
        }
    }
}

/// Opens the stream. If its last event is not in the log, the stream is of another history: the log was restored from a
/// backup beside a NATS that went on. Then the stream is replaced: NATS would drop events whose positions it knows.
async fn open_stream(settings: &Settings) -> Result<Publisher, RelayError> {
    let publisher = Publisher::connect(&settings.nats, &settings.stream).await?;
    let Some((position, event_id)) = publisher.last_event() else { return Ok(publisher) };
    let ours = query_scalar!("SELECT event_id FROM events WHERE position = $1", position).fetch_optional(&settings.pool).await?;
    if ours == Some(event_id) {
        return Ok(publisher);
    }
    warn!(stream = settings.stream, position, "the stream has events that are not in the log, so it is replaced: was a backup restored?");
    publisher.delete(&settings.stream).await?;
    Publisher::connect(&settings.nats, &settings.stream).await
}

/// Waits until a node reports events after `position`. Notifications that arrived during the last batch are outdated.
async fn heard_of_more(woken: &mut Subscriber, position: i64) {
    while let Some(message) = woken.next().await {
        let reported = std::str::from_utf8(&message.payload).ok().and_then(|text| text.parse::<i64>().ok());
        if reported.is_none_or(|reported| reported > position) {
            return;
        }
    }
    // The subscription has ended, so only polling remains.
    std::future::pending().await
}

/// Reads the next events of the log, in the form that NATS carries.
async fn read(pool: &PgPool, after: i64) -> Result<Vec<WireEvent>, RelayError> {
    let rows = query!(
        r#"SELECT position, event_id, aggregate_type, aggregate_id, sequence, workspace_id, recorded_at, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!"
           FROM events WHERE position > $1 ORDER BY position LIMIT $2"#,
        after,
        IN_FLIGHT_MAX,
    )
    .fetch_all(pool)
    .await?;
    let wire = rows.into_iter().map(|row| {
        Ok(WireEvent {
            position: row.position,
            event_id: row.event_id,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            workspace_id: row.workspace_id,
            recorded_at: row.recorded_at,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: RawValue::from_string(row.payload)?,
            metadata: RawValue::from_string(row.metadata)?,
        })
    });
    wire.collect()
}

/// An error of NATS, with the action that it was asked for.
fn nats_error<E: std::error::Error + Send + Sync + 'static>(asked: &'static str) -> impl FnOnce(E) -> RelayError {
    move |source| RelayError::Nats { asked, source: Box::new(source) }
}
