//! Why no head is signed.

use super::key_error::KeyError;
use super::note::{Malformed, Unverified};

/// Why the consumer stops.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofError {
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// The codes of Postgres for a table, and for a schema, that does not exist.
const MISSING: [&str; 2] = ["42P01", "3F000"];

impl ProofError {
    /// The same, as a refusal if the tables of the proof do not exist.
    pub(super) fn of_missing_tables(self) -> Self {
        let code = match &self {
            Self::Database(sqlx::Error::Database(error)) | Self::Key(KeyError::Database(sqlx::Error::Database(error))) => error.code(),
            _ => None,
        };
        if code.is_some_and(|code| MISSING.contains(&code.as_ref())) { Refused::SchemaGone.into() } else { self }
    }
}

/// Why a stored head is not one of this log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignHead {
    /// It is not a signed head.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature is not valid.
    #[error(transparent)]
    Unverified(#[from] Unverified),
}

/// The stored data contradict a head that was already signed. Going on would sign two contradicting heads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The log is shorter than the tree.
    #[error("the log ends before position {0}, which is in a signed head")]
    LogEndsBefore(i64),
    /// The last event of the tree was changed.
    #[error("the event at position {0} is not the one that is in a signed head")]
    LogRewritten(i64),
    /// The log has a gap.
    #[error("the log has position {found} where {expected} must be")]
    Gap {
        /// The expected position.
        expected: i64,
        /// The position found.
        found: i64,
    },
    /// A digest is not 32 bytes long.
    #[error("the event at position {0} has no digest of 32 bytes")]
    NoDigest(i64),
    /// The tiles do not match the head that was signed last.
    #[error("the stored tiles do not have the root of the head of size {0}")]
    TilesDiffer(i64),
    /// Tiles exist, or keys have signed, but no head is stored.
    #[error(
        "heads were signed, but none is stored. Restore the schema proof from the backup. If it is lost, sign with a new key, which the \
         auditors must accept: `backscroll audit rotate-key --new-trust`"
    )]
    HeadsGone,
    /// The newest stored head is older than a head that was signed.
    #[error(
        "the newest stored head is of size {newest}, and one of size {signed} was signed. Restore the schema proof from the backup of \
         the same moment as the log. If it is lost, sign with a new key, which the auditors must accept: `backscroll audit rotate-key \
         --new-trust`"
    )]
    HeadsEndBefore {
        /// The size of the newest stored head.
        newest: i64,
        /// The size of a head that was signed later.
        signed: i64,
    },
    /// The tables of the proof do not exist.
    #[error(
        "the tables of the schema proof do not exist. Restore the schema from the backup. If it is lost, sign with a new key, which the \
         auditors must accept: `backscroll audit rotate-key --new-trust`"
    )]
    SchemaGone,
    /// The last stored head is not a signed note of this log.
    #[error("the stored head of size {size} is not one of this log")]
    Foreign {
        /// The size of the head.
        size: i64,
        /// Why.
        source: ForeignHead,
    },
    /// The stored head was replaced by another one.
    #[error("the head of size {0} is not the one that was signed here")]
    HeadChanged(i64),
    /// No consistency proof leads from the last signed head to this one.
    #[error("no consistency proof leads from the head of size {from} to that of size {to}")]
    Inconsistent {
        /// The size of the head that was signed.
        from: u64,
        /// The size of the head that is refused.
        to: u64,
    },
}
