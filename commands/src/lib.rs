//! The write side: load, decide, append. The event store and the relay.
//!
//! Invariant: nothing here reads a projection. What a decision rests on is read from the log, and guarded in the append.
//!
//! [`Commands`] is the façade that the doors see. A command goes `execute` → `authorize` → the domain's `decide` → the event store.

mod access;
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

use domain::Context;
use uuid::Uuid;

pub use access::ReadAccess;
pub use authorize::AccessRefusal;
pub use erasures::Around;
pub use event_store::{EventStore, Idempotency, IdempotencyKey, InvalidKey, StoreError};
pub use refusal::{CommandRefusal, Taken};
pub use retention::Left;
pub use slots::CHANNELS_EACH_MAX;
pub use workspaces::NewWorkspace;

/// Every command, and who may see what. Clones share everything.
#[derive(Clone)]
pub struct Commands {
    store: EventStore,
}

/// A request: who asks, under which circumstances, and under which key it counts once.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asks, and under which circumstances.
    pub context: Context,
    /// The key under which it counts once.
    pub idempotency: Option<Idempotency>,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the command's last event; where nothing had to change, where the log ended when that was found.
    pub position: i64,
    /// What was created, or acted on.
    pub id: Uuid,
    /// Whether it had happened before: the same key was used again, or there was such a conversation already.
    pub replayed: bool,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It may not, or cannot, be done. Says why, and what to do.
    #[error(transparent)]
    Refused(CommandRefusal),
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request; choose a new one")]
    KeyReused,
    /// What the command rests on changed under it, again and again.
    #[error("too much changed at the same time; try again")]
    Contended,
    /// The store did not do it, or it is not known whether it did. Asking again with the same key is safe.
    #[error("the event store is not available; try again")]
    Unavailable(#[from] StoreError),
}

impl<R: Into<CommandRefusal>> From<R> for CommandError {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Commands {
    /// The commands over that store.
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
