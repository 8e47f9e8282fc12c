//! The tree in memory, and the signing of its next head. It never signs two heads that contradict each other.
//!
//! Each step is one transaction: the tiles, and the head that relies on them. A process that dies during a step leaves
//! nothing behind.

use sqlx::{Connection, PgConnection};

use super::evidence;
use super::keyring::{self, KeyError, KeySource, Signers};
use super::note::{Checkpoint, Malformed, SignedCheckpoint, VerifyingKey};
use super::refused::{ForeignHead, ProofError, Refused};
use super::store::{self, Digest, StoredCheckpoint, stored};
use super::tiles::Edge;
use super::tree::{Hash, check_tree, leaf_hash, prove_tree};

/// The most events of one step.
const STEP_EVENTS: i64 = 16_384;

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The log has no new events.
    Idle,
    /// A head was signed.
    Signed,
    /// A head was signed, and the log has more events.
    Full,
}

/// The tree as this holder knows it: the last signed head, and the right edge.
pub(super) struct Signer {
    edge: Edge,
    signed: Option<Checkpoint>,
    signers: Signers,
}

impl Signer {
    /// Reads the stored tree and the keys, if their parts match.
    pub(super) async fn load(connection: &mut PgConnection, source: &KeySource) -> Result<Self, ProofError> {
        let mut transaction = connection.begin().await?;
        keyring::remove_unused(&mut transaction, source).await?;
        let signers = keyring::signers(&mut transaction, source).await?;
        evidence::check_recorded(&mut transaction).await?;
        let signed_size = store::signed_size(&mut *transaction).await?;
        let published = keyring::verifying(&mut transaction).await?;
        let newest = store::newest(&mut *transaction).await?;
        let state = match newest {
            None if signed_size.is_some() || signers.previous.is_some() => return Err(Refused::HeadsGone.into()),
            Some(StoredCheckpoint { size: newest, .. }) if signed_size.is_some_and(|signed| signed > newest) => {
                return Err(Refused::HeadsEndBefore { newest, signed: signed_size.unwrap_or_default() }.into());
            }
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

    /// The number of events in the tree.
    pub(super) fn size(&self) -> i64 {
        stored(self.edge.size())
    }

    /// The key that signs.
    pub(super) fn key(&self) -> &VerifyingKey {
        self.signers.current.verifying()
    }

    /// Adds the log's new events to the tree, and signs the new head.
    pub(super) async fn step(&mut self, connection: &mut PgConnection, source: &KeySource) -> Result<Step, ProofError> {
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
