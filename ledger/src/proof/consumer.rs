//! Grows the tree behind the log and signs its head. One process does it at a time, at most a second behind the log. It
//! never signs two heads that contradict each other.
//!
//! Each step is one transaction: the tiles, and the head that relies on them. A process that dies during a step leaves
//! nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use stores::checkpoint;
use stores::error::chain;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::keyring::{self, KeyError, KeySource, Signers};
use super::note::{Checkpoint, Malformed, SignedCheckpoint};
use super::refused::{ForeignHead, ProofError, Refused};
use super::send::{self, Destinations};
use super::store::{self, Digest, StoredCheckpoint, stored};
use super::tiles::Edge;
use super::tree::{Hash, check_tree, leaf_hash, prove_tree};

/// The name of its lock.
const NAME: &str = "proof";

/// How often a process tries to take the proof if it does not hold it.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two heads: all events of that time share one head. Together with a step's own time it stays
/// under a second.
const HEAD_INTERVAL_MIN: Duration = Duration::from_millis(500);

/// How often the log is checked without a notification: another process may have appended.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The most events of one step.
const STEP_EVENTS: i64 = 16_384;

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

/// Counters of this process's consumer.
#[derive(Debug, Default)]
pub struct Stats {
    /// The size of the last head that this process signed.
    pub size: AtomicI64,
    /// Whether it refuses to sign.
    pub refuses: AtomicBool,
    /// How often it has stopped after a failure and started again.
    pub failures: AtomicU64,
}

/// Grows the tree until `shutdown`. After any failure it tries again, without limit. If this process dies, another one
/// takes over.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let outcome = hold(&settings, &shutdown).await;
        let delay = match outcome {
            Ok(()) => return,
            Err(ProofError::Refused(refused)) => {
                settings.stats.refuses.store(true, Ordering::Relaxed);
                error!(refused = %chain(&refused), "no head is signed: the log or its proof was changed; see docs/AUDIT.md");
                REFUSED_DELAY
            }
            Err(failed) => {
                settings.stats.failures.fetch_add(1, Ordering::Relaxed);
                warn!(error = %chain(&failed), "the proof stopped; it starts again after a pause");
                RETRY_DELAY
            }
        };
        tokio::select! { () = sleep(delay) => {}, () = shutdown.cancelled() => {} }
    }
}

/// Takes the proof as soon as no other process holds it, and holds it until shutdown or a failure.
async fn hold(settings: &Settings, shutdown: &CancellationToken) -> Result<(), ProofError> {
    let options = settings.pool.connect_options().as_ref().clone();
    let mut connection = PgConnection::connect_with(&options.application_name("backscroll proof")).await?;
    while !checkpoint::try_hold(&mut connection, NAME).await? {
        tokio::select! { () = sleep(STANDBY_INTERVAL) => {}, () = shutdown.cancelled() => return Ok(()) }
    }
    let mut state = State::load(&mut connection, &settings.keys).await?;
    info!(size = state.edge.size(), key = %state.signers.current.verifying(), "holding the proof");
    // The senders stop when the holder does.
    let _senders = send::start(&settings.pool, &settings.destinations);
    let mut wake = settings.wake.clone();
    let mut thinned_at = None::<Instant>;
    loop {
        let began = Instant::now();
        let step = state.step(&mut connection, &settings.keys).await?;
        settings.stats.size.store(stored(state.edge.size()), Ordering::Relaxed);
        settings.stats.refuses.store(false, Ordering::Relaxed);
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

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The log has no new events.
    Idle,
    /// A head was signed.
    Signed,
    /// A head was signed, and the log has more events.
    Full,
}

/// The tree as this holder knows it: the last signed head, and the right edge.
struct State {
    edge: Edge,
    signed: Option<Checkpoint>,
    signers: Signers,
}

impl State {
    /// Reads the stored tree, if its parts match.
    async fn load(connection: &mut PgConnection, source: &KeySource) -> Result<Self, ProofError> {
        let mut transaction = connection.begin().await?;
        let signers = keyring::signers(&mut transaction, source).await?;
        let published = keyring::verifying(&mut transaction).await?;
        let newest = store::newest(&mut *transaction).await?;
        let state = match newest {
            None if signers.has_signed || signers.previous.is_some() => return Err(Refused::HeadsGone.into()),
            None => Self { edge: Edge::default(), signed: None, signers },
            Some(head) => {
                let signed = parse(&head).map_err(|error| foreign(&head, error))?;
                signed.verify(&published).map_err(|error| foreign(&head, error))?;
                let signed = signed.checkpoint;
                let tiles = store::tiles(&mut *transaction, Edge::tiles(signed.size)).await?;
                let edge = Edge::of(signed.size, &tiles).filter(|edge| edge.root() == signed.root);
                Self { edge: edge.ok_or(Refused::TilesDiffer(head.size))?, signed: Some(signed), signers }
            }
        };
        transaction.commit().await?;
        Ok(state)
    }

    /// Adds the log's new events to the tree, and signs the new head.
    async fn step(&mut self, connection: &mut PgConnection, source: &KeySource) -> Result<Step, ProofError> {
        let size = stored(self.edge.size());
        // The tree's last event is read again, to check that it has not changed.
        let events = store::digests(&mut *connection, size.max(1), STEP_EVENTS).await?;
        let fresh = self.new_leaves(&events)?;
        let is_full = i64::try_from(events.len()).is_ok_and(|found| found == STEP_EVENTS);
        let vkey = keyring::newest(&mut *connection).await?;
        let is_rotated = vkey.is_some_and(|vkey| vkey != self.signers.current.verifying().to_string());
        let must_sign = !fresh.is_empty() || is_rotated || (!self.signers.has_signed && size > 0);
        if !must_sign || (fresh.is_empty() && size == 0) {
            return Ok(Step::Idle);
        }
        if is_rotated {
            self.signers = keyring::signers(&mut *connection, source).await?;
        }
        self.sign(connection, fresh).await?;
        Ok(if is_full { Step::Full } else { Step::Signed })
    }

    /// The leaves of the new events.
    fn new_leaves(&self, events: &[Digest]) -> Result<Vec<Hash>, Refused> {
        let mut expected = stored(self.edge.size()).max(1);
        let leaves = events.iter().map(|event| {
            if event.position != expected {
                return Err(Refused::Gap { expected, found: event.position });
            }
            expected += 1;
            if event.digest.len() == 32 { Ok(leaf_hash(&event.digest)) } else { Err(Refused::NoDigest(event.position)) }
        });
        let mut leaves = leaves.collect::<Result<Vec<_>, _>>()?;
        let Some(last) = self.edge.last() else { return Ok(leaves) };
        let size = stored(self.edge.size());
        match leaves.first() {
            None => Err(Refused::LogEndsBefore(size)),
            Some(first) if first != last => Err(Refused::LogRewritten(size)),
            Some(_) => Ok(leaves.split_off(1)),
        }
    }

    /// Writes the new tiles and their head in one transaction, if a consistency proof leads to it from the last head.
    async fn sign(&mut self, connection: &mut PgConnection, fresh: Vec<Hash>) -> Result<(), ProofError> {
        let (mut edge, mut changed) = (self.edge.clone(), Vec::new());
        for leaf in fresh {
            edge.append(leaf, |tile, hashes| changed.push((tile, hashes)));
        }
        changed.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
        let name = self.signers.current.verifying().name().to_owned();
        let head = Checkpoint { origin: name, size: edge.size(), root: edge.root() };

        let mut transaction = connection.begin().await?;
        let newest = store::newest(&mut *transaction).await?;
        self.check_newest(newest.as_ref())?;
        store::put_tiles(&mut transaction, changed).await?;
        if let Some(signed) = &self.signed {
            check_consistency(&mut transaction, signed, &head).await?;
        }
        let size = stored(head.size);
        let note = head.sign(&self.signers.keys()).map_err(KeyError::from)?;
        store::put_checkpoint(&mut transaction, size, &head.root.0, &note).await?;
        if !self.signers.has_signed {
            keyring::take_over(&mut transaction, &self.signers.current.verifying().to_string(), size).await?;
        }
        transaction.commit().await?;
        (self.edge, self.signed) = (edge, Some(head));
        (self.signers.has_signed, self.signers.previous) = (true, None);
        Ok(())
    }

    /// Checks that the stored head is the one that was signed last.
    fn check_newest(&self, newest: Option<&StoredCheckpoint>) -> Result<(), Refused> {
        match (&self.signed, newest) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(Refused::HeadsGone),
            (None, Some(found)) => Err(Refused::HeadChanged(found.size)),
            (Some(signed), Some(found)) => {
                let is_same = stored(signed.size) == found.size && parse(found).is_ok_and(|note| note.checkpoint == *signed);
                if is_same { Ok(()) } else { Err(Refused::HeadChanged(found.size)) }
            }
        }
    }
}

fn parse(head: &StoredCheckpoint) -> Result<SignedCheckpoint, Malformed> {
    head.note.parse()
}

fn foreign(head: &StoredCheckpoint, error: impl Into<ForeignHead>) -> Refused {
    Refused::Foreign { size: head.size, source: error.into() }
}

/// Proves from the stored tiles that one tree begins with the other.
async fn check_consistency(connection: &mut PgConnection, from: &Checkpoint, to: &Checkpoint) -> Result<(), ProofError> {
    let path = store::compute(connection, |tiles| prove_tree(to.size, from.size, tiles)).await?;
    let checked = path.and_then(|path| check_tree(&path, to.size, to.root, from.size, from.root));
    checked.map_err(|_| Refused::Inconsistent { from: from.size, to: to.size }.into())
}
