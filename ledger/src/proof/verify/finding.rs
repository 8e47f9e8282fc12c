//! The findings of a verification.

use std::fmt;

/// A mismatch between the log and its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There is no event at a position.
    Gap {
        /// The position.
        position: i64,
    },
    /// The columns of an event do not have the stored digest.
    Digest {
        /// Its position.
        position: i64,
    },
    /// The digest of an event differs from its leaf in the tree.
    Leaf {
        /// Its position.
        position: i64,
    },
    /// An event was recorded no later than the one before it.
    RecordedAt {
        /// Its position.
        position: i64,
    },
    /// An event does not have the next place in its stream.
    Sequence {
        /// Its position.
        position: i64,
        /// The expected place.
        expected: i64,
        /// The place found.
        found: i64,
    },
    /// A table says that an event was purged, but no event in the log says so.
    Purge {
        /// Its position.
        position: i64,
        /// The position of the event that should say so.
        purged_by: i64,
    },
    /// The log says that an event was purged, but its row is not what a purge leaves.
    NotEmptied {
        /// Its position.
        position: i64,
    },
    /// An event has no leaf, although a signed head covers it.
    LeafMissing {
        /// Its position.
        position: i64,
    },
    /// A tile above the leaves does not match the tiles below it.
    Tile {
        /// Its level.
        level: u8,
        /// Its index.
        index: u64,
    },
    /// The log does not have the root of a head.
    Head {
        /// The size of the head.
        size: u64,
        /// Whether the head was kept outside the database.
        is_outside: bool,
        /// The size of the last earlier head, kept in the same place, that matches the log. The change is after it.
        fits_up_to: u64,
    },
    /// The log is shorter than a head says.
    LogShorter {
        /// The size of the head.
        size: u64,
        /// Whether the head was kept outside the database.
        is_outside: bool,
        /// The last position of the log.
        last: i64,
    },
    /// The signature of a head is not valid.
    Signature {
        /// The size of the head.
        size: u64,
        /// Whether the head was kept outside the database.
        is_outside: bool,
        /// The reason.
        why: String,
    },
    /// A head kept outside belongs to another log.
    OtherLog {
        /// The size of the head.
        size: u64,
        /// The log that it names.
        origin: String,
    },
    /// Keys have signed heads, but none is stored.
    HeadsGone,
}

impl Finding {
    /// A stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "gap",
            Self::Digest { .. } => "digest",
            Self::Leaf { .. } => "leaf",
            Self::RecordedAt { .. } => "recorded_at",
            Self::Sequence { .. } => "sequence",
            Self::Purge { .. } => "purge",
            Self::NotEmptied { .. } => "not_emptied",
            Self::LeafMissing { .. } => "leaf_missing",
            Self::Tile { .. } => "tile",
            Self::Head { .. } => "head",
            Self::LogShorter { .. } => "log_shorter",
            Self::Signature { .. } => "signature",
            Self::OtherLog { .. } => "other_log",
            Self::HeadsGone => "heads_gone",
        }
    }

    /// Whether the finding names one event exactly.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !matches!(self, Self::Head { .. }) && self.position().is_some()
    }

    /// The position of the event that does not match, or of the first event that may be the cause.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        match self {
            Self::Gap { position }
            | Self::Digest { position }
            | Self::Leaf { position }
            | Self::RecordedAt { position }
            | Self::Sequence { position, .. }
            | Self::Purge { position, .. }
            | Self::NotEmptied { position }
            | Self::LeafMissing { position } => Some(*position),
            Self::Head { fits_up_to, .. } => i64::try_from(fits_up_to + 1).ok(),
            Self::LogShorter { last, .. } => Some(last + 1),
            Self::Tile { .. } | Self::Signature { .. } | Self::OtherLog { .. } | Self::HeadsGone => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = |is_outside: &bool| if *is_outside { "kept outside" } else { "stored" };
        match self {
            Self::Gap { position } => write!(f, "event {position} is missing"),
            Self::Digest { position } => write!(f, "event {position} was changed: its columns do not have the digest beside them"),
            Self::Leaf { position } => {
                write!(f, "event {position} is not the one in the tree: it was changed together with its digest, or its tile was")
            }
            Self::RecordedAt { position } => write!(f, "event {position} was recorded no later than the one before it"),
            Self::Sequence { position, expected, found } => {
                write!(f, "event {position} has place {found} in its stream, where {expected} comes next")
            }
            Self::Purge { position, purged_by } => {
                write!(f, "event {position} was changed: a table says that event {purged_by} purged it, but that event does not say so")
            }
            Self::NotEmptied { position } => write!(f, "event {position} was purged, but its row is not what a purge leaves"),
            Self::LeafMissing { position } => write!(f, "event {position} has no leaf in the tree, although a signed head covers it"),
            Self::Tile { level, index } => write!(f, "tile {index} of level {level} does not have the hashes of the tiles below it"),
            Self::Head { size, is_outside, fits_up_to } => write!(
                f,
                "the head of size {size} that is {} has another root than the log: an event from {} to {size} was changed",
                whose(is_outside),
                fits_up_to + 1
            ),
            Self::LogShorter { size, is_outside, last } => {
                write!(f, "the log ends at position {last}, and the head of size {size} that is {} covers more", whose(is_outside))
            }
            Self::Signature { size, is_outside, why } => write!(f, "the head of size {size} that is {}: {why}", whose(is_outside)),
            Self::OtherLog { size, origin } => write!(f, "the head of size {size} that is kept outside is of another log: {origin}"),
            Self::HeadsGone => write!(f, "keys have signed heads of this log, but no head is stored"),
        }
    }
}
