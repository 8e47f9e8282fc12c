//! Makes the exports that people ask for: takes jobs from the queue, and stores each zip in pieces until it is
//! downloaded. A node works on few at a time. If it dies, another node begins its jobs again.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use projections::QueryError;
use state::StateError;
use state::exports::{ExportStore, Job};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::exports::{self, Sources};

/// How many exports a node makes at a time. Each compresses everything that one person wrote.
const AT_ONCE: usize = 2;
/// How often to look for jobs.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// The least size of a stored piece, unless it took long.
const PIECE_BYTES: usize = 256 * 1024;
/// How long a piece may take before it is stored. It must be less than the lease of a job.
const PIECE_TIME_MAX: Duration = Duration::from_secs(10);

/// Why an export could not be made.
#[derive(Debug, thiserror::Error)]
enum JobError {
    /// The exports cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The read tables cannot be read.
    #[error(transparent)]
    Read(#[from] QueryError),
    /// The zip broke off.
    #[error("the zip broke off")]
    Zip(#[from] std::io::Error),
    /// The user is not known.
    #[error("the user does not exist")]
    NoUser,
    /// Another node has taken the job, or it was deleted.
    #[error("the job belongs to another node, or was deleted")]
    Lost,
}

/// Makes exports until `shutdown`.
pub async fn run(store: ExportStore, sources: Sources, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Some(Ok(slot)) = shutdown.run_until_cancelled(Arc::clone(&slots).acquire_owned()).await else { return };
        match next(&store).await {
            Ok(Some(job)) => {
                let (store, sources, shutdown) = (store.clone(), sources.clone(), shutdown.clone());
                tokio::spawn(async move {
                    shutdown.run_until_cancelled(make(&store, sources, job)).await;
                    drop(slot);
                });
                continue;
            }
            Ok(None) => {}
            Err(error) => warn!(%error, "the queue of exports cannot be read; it will be tried again"),
        }
        drop(slot);
        if shutdown.run_until_cancelled(sleep(CHECK_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn next(store: &ExportStore) -> Result<Option<Job>, StateError> {
    let job = store.take().await?;
    if job.is_none() {
        store.sweep().await?;
    }
    Ok(job)
}

/// Makes one export. If it fails, the job is taken again when its lease has ended.
async fn make(store: &ExportStore, sources: Sources, job: Job) {
    match write(store, sources, &job).await {
        Ok(pieces) => info!(user.id = %job.user_id, export.id = %job.export_id, pieces, "an export of a person's data is ready"),
        Err(error) => warn!(user.id = %job.user_id, export.id = %job.export_id, %error, "an export of a person's data broke off"),
    }
}

/// Writes the zip piece by piece, and returns the number of pieces.
async fn write(store: &ExportStore, sources: Sources, job: &Job) -> Result<i32, JobError> {
    let profile = sources.read_models.user(job.user_id).await?.ok_or(JobError::NoUser)?;
    let mut zip = pin!(exports::stream(sources, profile));
    let (mut buffer, mut pieces, mut began) = (Vec::new(), 0, Instant::now());
    while let Some(bytes) = zip.next().await {
        buffer.extend_from_slice(&bytes?);
        if buffer.len() >= PIECE_BYTES || began.elapsed() >= PIECE_TIME_MAX {
            add(store, job, pieces, &buffer).await?;
            (buffer, pieces, began) = (Vec::new(), pieces + 1, Instant::now());
        }
    }
    if !buffer.is_empty() {
        add(store, job, pieces, &buffer).await?;
        pieces += 1;
    }
    if store.finish(job).await? { Ok(pieces) } else { Err(JobError::Lost) }
}

async fn add(store: &ExportStore, job: &Job, number: i32, bytes: &[u8]) -> Result<(), JobError> {
    if store.add_piece(job, number, bytes).await? { Ok(()) } else { Err(JobError::Lost) }
}
