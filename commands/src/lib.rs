//! The write side: load, decide, append. It also holds the event store and the relay.
//!
//! Invariant: nothing here reads a projection. The data that a decision depends on are read from the log, and guarded
//! in the append.
//!
//! [`Commands`] is the façade for the API, the command line and the processes. A command runs through `execute` →
//! `authorize` → the domain's `decide` → the event store.

mod access;
mod access_refusal;
mod audits;
mod authorize;
mod channels;
mod erasures;
pub mod event_store;
mod execute;
mod installation;
mod messages;
mod reader;
mod refusal;
pub mod relay;
mod retention;
mod sessions;
mod slots;
mod users;
mod workspaces;

use chrono::{DateTime, Utc};
use domain::Context;
use uuid::Uuid;

pub use access::{Audience, Judgement, ListedChannel, LiveAccess, Moment, Past, People, Reach, ReadAccess, Shown, Sight};
pub use access_refusal::AccessRefusal;
pub use erasures::ErasureCandidates;
pub use event_store::{EventStore, Idempotency, IdempotencyKey, InvalidKey, StoreError};
pub use messages::{Posted, PostedMessage};
pub use refusal::{CommandRefusal, Taken};
pub use retention::RemovedMessages;
pub use slots::CHANNELS_EACH_MAX;
pub use workspaces::NewWorkspace;

/// All commands, and the access checks for queries. Clones share everything.
#[derive(Clone)]
pub struct Commands {
    store: EventStore,
}

/// A request: its context, and the key under which it takes effect once.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    /// The actor, and the circumstances of the request.
    pub context: Context,
    /// The key under which the request takes effect once.
    pub idempotency: Option<Idempotency>,
    /// The position at which the actor read the row that the command changes. The command is refused if the row has
    /// changed since.
    pub unchanged_since: Option<i64>,
}

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the command's last event. If nothing changed, the end of the log at that time.
    pub position: i64,
    /// When that event was recorded. If nothing changed, the time of the request.
    pub recorded_at: DateTime<Utc>,
    /// The identifier of the thing that was created or changed.
    pub id: Uuid,
    /// Whether it had happened before: the same key was used again.
    pub replayed: bool,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command is refused. The text says why, and what to do.
    #[error(transparent)]
    Refused(CommandRefusal),
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request; choose a new one")]
    KeyReused,
    /// The streams that the command depends on changed in every attempt.
    #[error("the data changed too often at the same time; try again")]
    Contended,
    /// The store failed, or the outcome is unknown. The caller can safely ask again with the same key.
    #[error("the event store is not available; try again")]
    Unavailable(#[from] StoreError),
}

impl<R: Into<CommandRefusal>> From<R> for CommandError {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Commands {
    /// The commands over the store.
    #[must_use]
    pub fn new(store: EventStore) -> Self {
        Self { store }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &EventStore {
        &self.store
    }
}
