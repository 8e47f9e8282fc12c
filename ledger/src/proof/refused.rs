//! Why no head is signed.

use super::keyring::KeyError;
use super::note::{Malformed, Unverified};

/// What stops the consumer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofError {
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("no head is signed")]
    Refused(#[from] Refused),
}

/// Why a stored head is none of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is no signed head.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature does not hold.
    #[error(transparent)]
    Unverified(#[from] Unverified),
}

/// What contradicts a head that was signed: to go on would be to sign a fork.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The log is shorter than the tree.
    #[error("the log ends before position {0}, which is in a signed head")]
    LogEndsBefore(i64),
    /// The last event of the tree is another one now.
    #[error("the event at position {0} is not the one that is in a signed head")]
    LogRewritten(i64),
    /// The log has a gap.
    #[error("the log has position {found} where {expected} must be")]
    Gap {
        /// The position that comes next.
        expected: i64,
        /// What came.
        found: i64,
    },
    /// A digest has another length.
    #[error("the event at position {0} has no digest of 32 bytes")]
    NoDigest(i64),
    /// The tiles are not those of the head that was signed last.
    #[error("the stored tiles do not have the root of the head of size {0}")]
    TilesDiffer(i64),
    /// There are tiles, or keys that have signed, and no head.
    #[error("heads were signed, and none is stored")]
    HeadsGone,
    /// The head that was signed last is no signed note of ours.
    #[error("the stored head of size {size} is none of ours")]
    Foreign {
        /// The size of the head.
        size: i64,
        /// Why.
        source: NotOurs,
    },
    /// Somebody else has stored another head.
    #[error("the head of size {0} is not the one that was signed here")]
    HeadChanged(i64),
    /// No proof leads from the head that was signed last to this one.
    #[error("no consistency proof leads from the head of size {from} to that of size {to}")]
    Inconsistent {
        /// The size of the head that was signed.
        from: u64,
        /// The size of the head that is refused.
        to: u64,
    },
}
