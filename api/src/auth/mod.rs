//! Who is asking: passwords, tokens and sessions. What is secret lives in schema `secret` of Postgres, and in no event.
//!
//! Not here: what somebody may do (`commands/src/authorize.rs`).

pub mod credentials;
pub mod invitations;
pub mod password;
pub mod refused;
pub mod session_cache;
pub mod sessions;
pub mod token;

use commands::CommandError;

/// Why somebody could not be signed in, kept signed in, or signed out.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No user has that login and that password.
    #[error("the login or the password is wrong")]
    WrongPassword,
    /// More passwords wait to be checked than the server takes.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The session is ended, but the cache could not be told.
    #[error("the session cache did not confirm the end of the session")]
    NotConfirmed,
    /// The log did not take what it is to be told, or refuses it.
    #[error("the log was not told")]
    Log(#[from] CommandError),
    /// Postgres did not answer.
    #[error("the secrets cannot be read or written")]
    Store(#[from] sqlx::Error),
    /// A password could not be hashed, or what is stored is not a hash.
    #[error("the password could not be hashed or compared")]
    Hash,
}
