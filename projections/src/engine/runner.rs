//! Keeps the projections up with the log: one holder each, batch by batch, each batch with its checkpoint in one transaction.
//!
//! The holder has an advisory lock on a connection of its own and does its work on that same connection, so that losing the one is
//! losing the other. The epoch fences off whoever believes to be the holder all the same.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use stores::checkpoint::{self, Checkpoint};
use stores::error::chain;
use stores::log::LogError;
use stores::retry::{self, Pauses};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::connections::Stores;
use crate::engine::batch::{self, BatchError};
use crate::engine::park::{self, ParkedKeys};
use crate::engine::projector::{ApplyError, Projector};
use crate::engine::registry;
use crate::feed::{Feed, Sources};

/// How often a process that does not hold a projection tries to.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// The least time from one small batch to the next: at a steady load, several events share a commit. Who comes alone does not wait.
const PACE: Duration = Duration::from_millis(5);

/// Up to how many events a batch is small.
const SMALL_BATCH_EVENTS: usize = 100;

/// What the projectors of a process need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What they write to. They tell its `progress` how far they are.
    pub stores: Stores,
    /// NATS, where the log is published. Without it, the log is polled.
    pub nats: Option<async_nats::Client>,
    /// The JetStream stream that the relay publishes to.
    pub stream: String,
    /// The head of the log as the appender of this process knows it, so that its own events are seen at once.
    pub wake: Option<watch::Receiver<i64>>,
    /// Who this is, for operators: the host and the process.
    pub holder: String,
}

/// Why a holder stopped. All of it is tried again.
#[derive(Debug, thiserror::Error)]
enum HoldError {
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("the projection cannot be made ready")]
    Prepare(#[source] ApplyError),
    #[error("the live model is of version {stored}, and this release has version {ours}")]
    OtherVersion { stored: i32, ours: i32 },
}

/// Runs every projector until `shutdown`. Whatever fails is tried again for ever; another process takes over where this one dies.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    let mut runners = JoinSet::new();
    for projector in registry::projectors(&settings.stores) {
        runners.spawn(keep(settings.clone(), projector, shutdown.clone()));
    }
    for task in registry::background_tasks(&settings.stores, &shutdown) {
        runners.spawn(task);
    }
    while runners.join_next().await.is_some() {}
}

async fn keep(settings: Settings, mut projector: Box<dyn Projector>, shutdown: CancellationToken) {
    let name = projector.name();
    let mut pauses = Pauses::of(retry::PROJECTOR);
    while !shutdown.is_cancelled() {
        let held = hold(&settings, projector.as_mut(), &shutdown, &mut pauses).await;
        settings.stores.progress.released(name);
        match held {
            Ok(()) => return,
            Err(error) => {
                let delay = pauses.failed();
                warn!(projection = name, error = %chain(&error), delay_ms = delay.as_millis(), "the projector stopped, and goes on after a pause");
                tokio::select! { () = sleep(delay) => {}, () = shutdown.cancelled() => {} }
            }
        }
    }
}

/// Holds the projection, from when nobody else does until shutdown or a failure.
async fn hold(
    settings: &Settings,
    projector: &mut dyn Projector,
    shutdown: &CancellationToken,
    pauses: &mut Pauses,
) -> Result<(), HoldError> {
    let name = projector.name();
    let mut connection = connect(&settings.stores.pool).await?;
    while !checkpoint::try_hold(&mut connection, name).await? {
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
    let sources = Sources {
        pool: settings.stores.pool.clone(),
        keys: settings.stores.keys.clone(),
        nats: settings.nats.clone().map(|client| (client, settings.stream.clone())),
        wake: settings.wake.clone(),
    };
    let mut feed = Feed::open(sources, name);
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
            sleep_until(began + PACE).await;
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
            // A rebuild or an unparking was here. The same events again, knowing that.
            let stood = batch::read_again(connection, projector.name(), stood, parked).await?;
            debug!(projection = projector.name(), generation = stood.generation, "the projection was changed by somebody else");
            batch::apply(connection, projector, stood, &events, parked).await
        }
        outcome => outcome,
    }
}

/// A connection of its own, which ends with the hold.
pub(crate) async fn connect(pool: &PgPool) -> sqlx::Result<PgConnection> {
    let options = stores::postgres::connect_options(pool.connect_options().as_ref().clone()).application_name("backscroll projector");
    // The full text index puts new words aside, and sorts them in when there are so many: little and often holds nobody up.
    let options = options.options([("gin_pending_list_limit", "256kB")]);
    PgConnection::connect_with(&options).await
}
