//! What is not in the log: state that changes all the time, or that is secret. Reads and writes of it, and nothing else: no rule lives here.
//!
//! It lies in Redis, and in the schema `secret` of Postgres. One file a thing.

pub mod credentials;
pub mod invitations;
pub mod limits;
pub mod presence;
pub mod sessions;
pub mod token;
pub mod typing;

/// Why something was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A session is ended, but the cache could not be told.
    #[error("the session cache did not confirm the end of the session")]
    NotConfirmed,
    /// Postgres did not answer.
    #[error("the secrets cannot be read or written")]
    Store(#[from] sqlx::Error),
}
