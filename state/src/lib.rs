//! What is not in the log: state that changes all the time, or that is secret. Reads and writes of it, and nothing else: no rule lives here.
//!
//! It lies in Redis, and in the schema `secret` of Postgres. One file a thing.

pub mod credentials;
pub mod devices;
pub mod invitations;
pub mod limits;
pub mod presence;
pub mod sessions;
pub mod token;
pub mod typing;

use std::sync::Arc;

/// Why something was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Postgres did not answer.
    #[error("the secrets cannot be read or written")]
    Store(#[from] sqlx::Error),
    /// Postgres did not answer a question that several asked together.
    #[error("the secrets cannot be read or written")]
    Shared(#[source] Arc<sqlx::Error>),
}
