//! Applies the log to the projections: one process holds each projection, and each batch commits with its checkpoint in
//! one transaction.
//!
//! The holder has an advisory lock on a connection of its own, and works on that same connection: if it loses the
//! connection, it loses the lock too. The epoch stops a process that wrongly believes it is still the holder.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use stores::checkpoint::{self, Checkpoint};
use stores::error::chain;
use stores::feed::{Consumer, Feed, Sources};
use stores::log::LogError;
use stores::retry::{self, Pauses};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::connections::Connections;
use crate::engine::batch::{self, BatchError};
use crate::engine::park::{self, ParkedKeys};
use crate::engine::projector::{ApplyError, Projector};
use crate::engine::registry;

/// How often a process tries to take a projection that it does not hold.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// After this time of waiting another process holds the projection for sure: one that fails would have given it up. So
/// an earlier failure of this process no longer matters.
const STANDS_BY_AFTER: Duration = Duration::from_secs(8);

/// The least time between two small batches, so that at a steady load several events share a commit. A single event
/// does not wait.
const SMALL_BATCH_INTERVAL: Duration = Duration::from_millis(5);

/// A batch of up to this many events is small.
const SMALL_BATCH_EVENTS: usize = 100;

/// Settings and connections that the projectors of a process need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The projections' connections. The projectors report their positions to its `progress`.
    pub stores: Connections,
    /// NATS, where the log is published. Without NATS, the log is polled.
    pub nats: Option<async_nats::Client>,
    /// The JetStream stream that the relay publishes to.
    pub stream: String,
    /// The end of the log as the appender of this process knows it, so that the process's own events are applied at
    /// once.
    pub wake: Option<watch::Receiver<i64>>,
    /// The name of this process for operators: the host and the process number.
    pub holder: String,
}

/// Why a holder stopped. It tries again after each of these.
#[derive(Debug, thiserror::Error)]
enum HoldError {
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("the projection cannot be prepared")]
    Prepare(#[source] ApplyError),
    #[error("the live model is of version {stored}, and this release has version {ours}")]
    OtherVersion { stored: i32, ours: i32 },
}

/// Runs every projector until `shutdown`. After any failure it tries again, without limit. If this process dies,
/// another one takes over.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    let mut runners = JoinSet::new();
    for projector in registry::projectors(&settings.stores) {
        runners.spawn(keep_running(settings.clone(), projector, shutdown.clone()));
    }
    for task in registry::background_tasks(&settings.stores, &shutdown) {
        runners.spawn(task);
    }
    while runners.join_next().await.is_some() {}
}

async fn keep_running(settings: Settings, mut projector: Box<dyn Projector>, shutdown: CancellationToken) {
    let name = projector.name();
    let mut pauses = Pauses::of(retry::PROJECTOR);
    while !shutdown.is_cancelled() {
        let held = hold(&settings, projector.as_mut(), &shutdown, &mut pauses).await;
        settings.stores.progress.released(name);
        match held {
            Ok(()) => return,
            // A projector that follows another one gets no further once that one has stopped. The next holder continues.
            Err(error) if shutdown.is_cancelled() => {
                debug!(projection = name, error = %chain(&error), "the projector stops before its last batch");
                return;
            }
            Err(error) => {
                let (error, delay) = (chain(&error), pauses.failed());
                settings.stores.progress.failed(name, error.clone());
                warn!(projection = name, error, delay_ms = delay.as_millis(), "the projector stopped; it starts again after a pause");
                tokio::select! { () = sleep(delay) => {}, () = shutdown.cancelled() => {} }
            }
        }
    }
}

/// Takes the projection as soon as no other process holds it, and holds it until shutdown or a failure.
async fn hold(
    settings: &Settings,
    projector: &mut dyn Projector,
    shutdown: &CancellationToken,
    pauses: &mut Pauses,
) -> Result<(), HoldError> {
    let name = projector.name();
    let mut connection = connect(&settings.stores.pool).await?;
    let waits_since = Instant::now();
    while !checkpoint::try_hold(&mut connection, name).await? {
        if waits_since.elapsed() > STANDS_BY_AFTER {
            settings.stores.progress.works(name);
        }
        tokio::select! { () = sleep(STANDBY_INTERVAL) => {}, () = shutdown.cancelled() => return Ok(()) }
    }
    let ours = settings.stores.version(name);
    if let Some(stored) = checkpoint::read(&mut connection, name).await?.map(|stored| stored.version).filter(|stored| *stored != ours) {
        return Err(HoldError::OtherVersion { stored, ours });
    }
    tokio::select! {
        prepared = projector.prepare() => prepared.map_err(HoldError::Prepare)?,
        () = shutdown.cancelled() => return Ok(()),
    }
    let mut stood = checkpoint::begin_epoch(&mut connection, name, &settings.holder, ours).await?;
    let mut parked = park::keys(&mut connection, name).await?;
    info!(projection = name, position = stood.position, epoch = stood.epoch, "holding the projection");
    settings.stores.progress.reached(name, stood.standing());
    settings.stores.progress.works(name);
    let sources = Sources {
        pool: settings.stores.pool.clone(),
        keys: settings.stores.keys.clone(),
        nats: settings.nats.clone().map(|client| (client, settings.stream.clone())),
        wake: settings.wake.clone(),
    };
    let mut feed = Feed::open(sources, Consumer::Named(name));
    loop {
        let events = tokio::select! {
            events = feed.next(stood.position) => events?,
            () = shutdown.cancelled() => break,
        };
        let (began, small) = (Instant::now(), events.len() <= SMALL_BATCH_EVENTS);
        stood = apply(&mut connection, projector, stood, events, &mut parked).await?;
        settings.stores.progress.reached(name, stood.standing());
        feed.applied(stood.position).await;
        pauses.worked();
        if small {
            sleep_until(began + SMALL_BATCH_INTERVAL).await;
        }
    }
    Ok(connection.close().await?)
}

async fn apply(
    connection: &mut PgConnection,
    projector: &mut dyn Projector,
    stood: Checkpoint,
    events: Vec<stores::log::Delivery>,
    parked: &mut ParkedKeys,
) -> Result<Checkpoint, BatchError> {
    match batch::apply(connection, projector, stood, &events, parked).await {
        Err(BatchError::Changed) => {
            // A rebuild or an unparking changed the projection. Read its state again, then apply the same events.
            let stood = batch::read_again(connection, projector.name(), stood, parked).await?;
            debug!(projection = projector.name(), generation = stood.generation, "a rebuild or an unparking changed the projection");
            batch::apply(connection, projector, stood, &events, parked).await
        }
        outcome => outcome,
    }
}

/// A connection of its own, which is closed when the holder stops.
pub(crate) async fn connect(pool: &PgPool) -> sqlx::Result<PgConnection> {
    let options = stores::postgres::connect_options(pool.connect_options().as_ref().clone()).application_name("backscroll projector");
    // The full text index collects new words and sorts them in later. With a small limit it does so often and briefly,
    // so no write waits long.
    let options = options.options([("gin_pending_list_limit", "256kB")]);
    PgConnection::connect_with(&options).await
}
