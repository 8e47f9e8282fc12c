//! The audit: who did what, on what, when, from where, by which command, what it changed, and what caused what.
//!
//! [`Filter`] finds events in the read table `audit_log`; the events themselves, and the streams that they change, are read from the log and
//! folded as the write side folds them, so that the audit can say nothing that the log does not hold. [`Sight`] is what the asker may read:
//! texts of conversations that they may not read are withheld, and marked as withheld. Who may ask at all is judged on the write side.
//!
//! | room | what |
//! |---|---|
//! | `filter` | which events |
//! | `account` | what happened to somebody's account, for themselves |
//! | `here` | which addresses concern what happened in a workspace |
//! | `entry` | an event as an auditor reads it |
//! | `history`, `as_of`, `difference` | one thing through time: after each event, at a moment, between two |
//! | `chain` | what an event was set off by, and what it has set off |
//! | `export` | the audit as a file, with a manifest that is signed with the key of the proof |
//! | `row` | an event as the log holds it |
//! | `state` | what an event changed: the fold of its stream before and after |
//! | `load` | the events and streams, from the log |
//! | `names` | people, channels and workspaces by name; causes by position |

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

pub use as_of::{AsOf, MessageThen, MessagesThen, ThenFound};
pub use chain::{Chain, Links};
pub use difference::{Difference, TwoMoments};
pub use entry::{Change, Entry, Found};
pub use export::{Export, Head, Manifest, Unverified, WriteError, verify_export};
pub use filter::{Filter, Order};
pub use history::HistoryEntry;
pub use moment::Moment;
pub use row::LogRow;

use stores::log::LogError;

/// Every question to the audit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditLog {
    pool: PgPool,
    /// What unseals the log.
    keys: Keyring,
}

impl AuditLog {
    /// Reads through that pool, whose connections must be [`stores::postgres::connect_options`]'.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring) -> Self {
        Self { pool, keys }
    }
}

/// Why the audit was not read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not answer, or did not understand.
    #[error("the audit cannot be read")]
    Store(#[from] sqlx::Error),
    /// The log was not read to its end, or has a gap.
    #[error("the log cannot be read")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An event of the log is not what it should be.
    #[error("the event at position {position} cannot be read")]
    Unreadable {
        /// Which.
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

/// Whose texts the asker may read.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// All of them: the compliance permission, or whoever holds the database itself.
    pub is_everything: bool,
    /// Those of these channels.
    pub channels: HashSet<ChannelId>,
}

impl Sight {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { is_everything: true, channels: HashSet::new() }
    }

    /// Whether texts of that channel may be read. Of one that nobody knows, no.
    pub(crate) fn reads(&self, channel: Option<ChannelId>) -> bool {
        self.is_everything || channel.is_some_and(|channel| self.channels.contains(&channel))
    }
}
