//! Every way in: who is asking. Passwords, and the beginning and end of sessions; here commands and state come together.
//!
//! Not here: what somebody may do (`commands/src/authorize.rs`), and where it is kept (`state`).

pub mod confirmation;
pub mod guesses;
pub mod password;
pub mod refused;
pub mod sessions;
pub mod sign_in;

use commands::CommandError;
use guesses::TooMany;
use password::PasswordRefusal;
use state::StateError;

/// Why somebody could not be signed in, kept signed in, or signed out.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No user has that login and that password.
    #[error("the login or the password is wrong")]
    WrongPassword,
    /// Somebody who is signed in was asked for their password again, and gave another one.
    #[error("this is not the password of the user who is signed in")]
    NotConfirmed,
    /// There were too many attempts at that account, from devices that it does not know or from that one.
    #[error("too many attempts at this account")]
    TooManyGuesses(TooMany),
    /// The password was changed, or the session ended, while the request was under way.
    #[error("the password was changed meanwhile, or the session has ended")]
    Overtaken,
    /// More passwords wait to be checked than the server takes.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The log did not take what it is to be told, or refuses it.
    #[error("the log was not told")]
    Log(#[from] CommandError),
    /// What is kept of sessions and passwords was not read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// What is to be a password is none.
    #[error(transparent)]
    Password(#[from] PasswordRefusal),
    /// A password could not be hashed, or what is stored is not a hash.
    #[error("the password could not be hashed or compared")]
    Hash,
}
