//! Grows the tree behind the log and has its head signed. One process does it at a time, at most a second behind the
//! log.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use stores::checkpoint;
use stores::error::chain;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::keyring::{KeyError, KeySource};
use super::refused::ProofError;
use super::send::{self, Destinations};
use super::signer::{Signer, Step};
use super::signing::{Signing, Stats};
use super::store;

/// The name of its lock.
const NAME: &str = "proof";

/// How often a process tries to take the proof if it does not hold it.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two heads: all events of that time share one head. Together with a step's own time it stays
/// under a second.
const HEAD_INTERVAL_MIN: Duration = Duration::from_millis(500);

/// How often the log is checked without a notification: another process may have appended.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often old heads are deleted.
const THIN_OUT_EVERY: Duration = Duration::from_secs(3_600);

/// How long to wait after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long to wait after a refusal: only an operator can resolve it.
const REFUSED_DELAY: Duration = Duration::from_secs(10);

/// The settings of the consumer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Postgres.
    pub pool: PgPool,
    /// The end of the log as the appender of this process knows it.
    pub wake: Option<watch::Receiver<i64>>,
    /// The source of the signing key.
    pub keys: KeySource,
    /// The destinations of heads.
    pub destinations: Destinations,
    /// The counters for metrics.
    pub stats: Arc<Stats>,
}

/// Grows the tree until `shutdown`. After any failure it tries again, without limit. If this process dies, another one
/// takes over.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    let stats = &settings.stats;
    stats.change(Signing::Starts);
    // A reason is logged once, and not again at each try.
    let mut logged = None::<String>;
    while !shutdown.is_cancelled() {
        let Err(failed) = hold(&settings, &shutdown).await else { return };
        if matches!(stats.signing(), Signing::Signs { .. }) {
            logged = None;
        }
        let failed = failed.of_missing_tables();
        let reason = chain(&failed);
        let is_logged = logged.as_ref() == Some(&reason);
        let delay = match &failed {
            ProofError::Key(KeyError::NoName) => {
                stats.change(Signing::WaitsForName);
                if !is_logged {
                    info!("no head is signed yet: {reason}");
                }
                REFUSED_DELAY
            }
            ProofError::Database(_) | ProofError::Key(KeyError::Database(_)) => {
                stats.change(Signing::Fails(reason.clone()));
                if !is_logged {
                    warn!(error = reason, "the log cannot be signed now; it will be tried again");
                }
                RETRY_DELAY
            }
            ProofError::Key(_) | ProofError::Refused(_) => {
                stats.change(Signing::Refuses(reason.clone()));
                if !is_logged {
                    error!(refused = reason, "the log is not signed; see docs/AUDIT.md");
                }
                if matches!(failed, ProofError::Key(_)) { RETRY_DELAY } else { REFUSED_DELAY }
            }
        };
        logged = Some(reason);
        tokio::select! { () = sleep(delay) => {}, () = shutdown.cancelled() => {} }
    }
}

/// Takes the proof as soon as no other process holds it, and holds it until shutdown or a failure.
async fn hold(settings: &Settings, shutdown: &CancellationToken) -> Result<(), ProofError> {
    let options = settings.pool.connect_options().as_ref().clone();
    let mut connection = PgConnection::connect_with(&options.application_name("backscroll proof")).await?;
    while !checkpoint::try_hold(&mut connection, NAME).await? {
        settings.stats.change(Signing::StandsBy);
        tokio::select! { () = sleep(STANDBY_INTERVAL) => {}, () = shutdown.cancelled() => return Ok(()) }
    }
    let mut signer = Signer::load(&mut connection, &settings.keys).await?;
    // The senders stop when the holder does.
    let _senders = send::start(&settings.pool, &settings.destinations);
    let mut wake = settings.wake.clone();
    let mut thinned_at = None::<Instant>;
    loop {
        let began = Instant::now();
        let step = signer.step(&mut connection, &settings.keys).await?;
        let before = settings.stats.change(Signing::Signs { size: signer.size() });
        if !matches!(before, Signing::Signs { .. }) {
            info!(size = signer.size(), key = %signer.key(), "this process signs the log");
        }
        if step == Step::Full && !shutdown.is_cancelled() {
            continue;
        }
        if thinned_at.is_none_or(|at| at.elapsed() > THIN_OUT_EVERY) {
            store::thin_out(&mut connection).await?;
            thinned_at = Some(began);
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = async {
                woken(&mut wake).await;
                sleep_until(began + HEAD_INTERVAL_MIN).await;
            } => {}
        }
    }
    Ok(connection.close().await?)
}

/// Returns after a notification of an append, or after a while.
async fn woken(wake: &mut Option<watch::Receiver<i64>>) {
    match wake {
        Some(head) => match timeout(POLL_INTERVAL, head.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => sleep(POLL_INTERVAL).await,
        },
        None => sleep(POLL_INTERVAL).await,
    }
}
