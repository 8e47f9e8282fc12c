//! Grows the tree behind the log, and signs its head: one holder, at most a second behind, and never two heads that contradict each other.
//!
//! Each step is one transaction: the tiles, and the head that counts on them. Whoever dies in the middle of one leaves nothing behind.

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
use super::refused::{NotOurs, ProofError, Refused};
use super::send::{self, Destinations};
use super::store::{self, Digest, StoredCheckpoint, stored};
use super::tiles::Edge;
use super::tree::{Hash, check_tree, leaf_hash, prove_tree};

/// What its lock is called.
const NAME: &str = "proof";

/// How often a process that does not hold the proof tries to.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// The least time from one head to the next: what the log does meanwhile shares a head. With what a step takes, it stays under a second.
const PACE: Duration = Duration::from_millis(500);

/// How often the log is looked at although nobody told of an append: another process may have made one.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The most events of one step.
const STEP_EVENTS: i64 = 16_384;

/// How often old heads are thinned out.
const THIN_OUT_EVERY: Duration = Duration::from_secs(3_600);

/// How long to wait after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long to wait after a refusal: it takes people to end it.
const REFUSED_DELAY: Duration = Duration::from_secs(10);

/// What the consumer needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Postgres.
    pub pool: PgPool,
    /// The head of the log as the appender of this process knows it.
    pub wake: Option<watch::Receiver<i64>>,
    /// Where the signing key is.
    pub keys: KeySource,
    /// Where heads are sent.
    pub destinations: Destinations,
    /// What it has come to, for metrics.
    pub stats: Arc<Stats>,
}

/// What the consumer of this process has come to.
#[derive(Debug, Default)]
pub struct Stats {
    /// The size of the last head that this process signed.
    pub size: AtomicI64,
    /// Whether it refuses to sign.
    pub refuses: AtomicBool,
    /// How often it has stopped for a failure, and gone on.
    pub failures: AtomicU64,
}

/// Keeps the tree up with the log until `shutdown`. Whatever fails is tried again for ever; another process takes over where this one dies.
pub async fn run(settings: Settings, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let outcome = hold(&settings, &shutdown).await;
        let delay = match outcome {
            Ok(()) => return,
            Err(ProofError::Refused(refused)) => {
                settings.stats.refuses.store(true, Ordering::Relaxed);
                error!(refused = %chain(&refused), "no head is signed: somebody has changed the log or its proof; see docs/AUDIT.md");
                REFUSED_DELAY
            }
            Err(failed) => {
                settings.stats.failures.fetch_add(1, Ordering::Relaxed);
                warn!(error = %chain(&failed), "the proof stopped, and goes on after a pause");
                RETRY_DELAY
            }
        };
        tokio::select! { () = sleep(delay) => {}, () = shutdown.cancelled() => {} }
    }
}

/// Holds the proof, from when nobody else does until shutdown or a failure.
async fn hold(settings: &Settings, shutdown: &CancellationToken) -> Result<(), ProofError> {
    let options = settings.pool.connect_options().as_ref().clone();
    let mut connection = PgConnection::connect_with(&options.application_name("backscroll proof")).await?;
    while !checkpoint::try_hold(&mut connection, NAME).await? {
        tokio::select! { () = sleep(STANDBY_INTERVAL) => {}, () = shutdown.cancelled() => return Ok(()) }
    }
    let mut state = State::load(&mut connection, &settings.keys).await?;
    info!(size = state.edge.size(), key = %state.signers.current.verifying(), "holding the proof");
    // They end with the hold.
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
                sleep_until(began + PACE).await;
            } => {}
        }
    }
    Ok(connection.close().await?)
}

/// Returns when somebody told of an append, or after a while.
async fn woken(wake: &mut Option<watch::Receiver<i64>>) {
    match wake {
        Some(head) => match timeout(POLL_INTERVAL, head.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => sleep(POLL_INTERVAL).await,
        },
        None => sleep(POLL_INTERVAL).await,
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// There was nothing to do.
    Idle,
    /// A head was signed.
    Signed,
    /// A head was signed, and there is more.
    Full,
}

/// The tree as this holder knows it: what it signed last, and its right edge.
struct State {
    edge: Edge,
    signed: Option<Checkpoint>,
    signers: Signers,
}

impl State {
    /// From what is stored, where all of it fits together.
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

    /// Takes in what the log has more, and signs the head of it.
    async fn step(&mut self, connection: &mut PgConnection, source: &KeySource) -> Result<Step, ProofError> {
        let size = stored(self.edge.size());
        // With the last event of the tree: it must be what it was.
        let events = store::digests(&mut *connection, size.max(1), STEP_EVENTS).await?;
        let fresh = self.fresh(&events)?;
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

    /// The leaves that the log has more than the tree.
    fn fresh(&self, events: &[Digest]) -> Result<Vec<Hash>, Refused> {
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

    /// Writes what has grown and its head, in one transaction, where a consistency proof leads there from the head before.
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
        self.expect(newest.as_ref())?;
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

    /// Whether the head that is stored is the one that was signed last.
    fn expect(&self, newest: Option<&StoredCheckpoint>) -> Result<(), Refused> {
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

fn foreign(head: &StoredCheckpoint, error: impl Into<NotOurs>) -> Refused {
    Refused::Foreign { size: head.size, source: error.into() }
}

/// Proves, out of the tiles as they are stored now, that one tree begins with the other.
async fn check_consistency(connection: &mut PgConnection, from: &Checkpoint, to: &Checkpoint) -> Result<(), ProofError> {
    let path = store::compute(connection, |tiles| prove_tree(to.size, from.size, tiles)).await?;
    let checked = path.and_then(|path| check_tree(&path, to.size, to.root, from.size, from.root));
    checked.map_err(|_| Refused::Inconsistent { from: from.size, to: to.size }.into())
}
