//! The audit: for each event the actor, the aggregate, the time, the origin, the command, the changes, the causes and
//! the effects.
//!
//! [`Filter`] finds events in the read table `audit_log`. The events and their streams are read from the log and
//! applied with the write side's code, so the audit shows only what the log holds. [`TextAccess`] says which texts the
//! caller may read: texts of other conversations are withheld and marked as withheld. The write side decides who may
//! use the audit.
//!
//! | module | content |
//! |---|---|
//! | `filter` | finds events |
//! | `account` | the account events of one user, for that user |
//! | `here` | hides addresses that do not concern a workspace |
//! | `entry` | an event as the audit shows it |
//! | `history`, `as_of`, `difference` | one aggregate through time: after each event, at a moment, between two |
//! | `chain` | the causes and the effects of an event |
//! | `export` | the audit as a file, with a manifest signed with the key of the proof |
//! | `row` | an event as the log stores it |
//! | `state` | what an event changed: the states before and after it |
//! | `load` | reads events and streams from the log |
//! | `names` | names of people, channels and workspaces; positions of causes |

mod account;
mod as_of;
mod chain;
mod difference;
mod entry;
mod export;
mod filter;
mod here;
mod history;
mod load;
mod moment;
mod names;
mod row;
mod state;

use std::collections::HashSet;

use domain::DecodeError;
use domain::ids::ChannelId;
use keyring::Keyring;
use sqlx::PgPool;

pub use as_of::{AsOf, FoundAsOf, MessageThen, MessagesAsOf};
pub use chain::{Chain, FoundChain};
pub use difference::{Difference, TwoMoments};
pub use entry::{Change, Entry, FoundEvents};
pub use export::{Export, Head, Manifest, Unverified, WriteError, verify_export};
pub use filter::{Filter, Order};
pub use history::HistoryEntry;
pub use moment::Moment;
pub use row::LogRow;

use stores::log::LogError;

/// All queries of the audit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditLog {
    pool: PgPool,
    /// The keys that unseal the log.
    keys: Keyring,
}

impl AuditLog {
    /// Reads through this pool. Its connections must have [`stores::postgres::connect_options`].
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring) -> Self {
        Self { pool, keys }
    }
}

/// Why the audit could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not answer, or refused the query.
    #[error("the audit cannot be read")]
    Store(#[from] sqlx::Error),
    /// The log could not be read to its end, or has a gap.
    #[error("the log cannot be read")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An event of the log cannot be decoded.
    #[error("the event at position {position} cannot be read")]
    Unreadable {
        /// Its position.
        position: i64,
        /// Why.
        source: DecodeError,
    },
}

impl From<LogError> for AuditError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(error) => Self::Store(error),
            LogError::Gap { .. } | LogError::Malformed(_) | LogError::Keys(_) | LogError::OfLaterRelease { .. } => {
                Self::Log(Box::new(error))
            }
        }
    }
}

/// The texts that the caller may read.
#[derive(Clone, Debug, Default)]
pub struct TextAccess {
    /// All texts: the caller has the compliance permission, or access to the database itself.
    pub is_everything: bool,
    /// The texts of these channels.
    pub channels: HashSet<ChannelId>,
}

impl TextAccess {
    /// All texts.
    #[must_use]
    pub fn everything() -> Self {
        Self { is_everything: true, channels: HashSet::new() }
    }

    /// Whether texts of this channel may be read. If the channel is not known, they may not.
    pub(crate) fn reads(&self, channel: Option<ChannelId>) -> bool {
        self.is_everything || channel.is_some_and(|channel| self.channels.contains(&channel))
    }
}
