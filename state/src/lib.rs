//! State that is not in the log, because it changes all the time or because it is secret. This crate reads and writes
//! it, and has no rules.
//!
//! The state is stored in Redis, and in the schemas `secret` and `state` of Postgres. There is one file for each kind of state.

pub mod connections;
pub mod credentials;
pub mod devices;
pub mod exports;
pub mod invitations;
pub mod limits;
pub mod presence;
pub mod sessions;
mod tagged;
pub mod tickets;
pub mod token;
pub mod typing;

use std::sync::Arc;

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Postgres did not answer.
    #[error("the state in postgres cannot be read or written")]
    Store(#[from] sqlx::Error),
    /// Postgres did not answer a query that several requests shared.
    #[error("the state in postgres cannot be read or written")]
    Shared(#[source] Arc<sqlx::Error>),
}
