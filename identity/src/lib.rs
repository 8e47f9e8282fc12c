//! Authentication: it finds out which user sends a request. Here are passwords, registrations, and the start and end of
//! sessions. This
//! crate connects commands and state.
//!
//! Not here: the permissions of a user (`commands/src/authorize.rs`), and the storage (`state`).

pub mod confirmation;
pub mod guesses;
pub mod password;
pub mod password_reset;
pub mod refused;
pub mod registration;
pub mod sessions;
pub mod sign_in;

use commands::CommandError;
use guesses::TooMany;
use password::PasswordRefusal;
use state::StateError;

/// Why a sign-in, a sign-out or another operation on a session failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No user has this login and this password.
    #[error("the login or the password is wrong")]
    WrongPassword,
    /// A signed-in user had to give the password again, and it was wrong.
    #[error("this is not the password of the user who is signed in")]
    NotConfirmed,
    /// There were too many attempts at the account, from unknown devices or from this device.
    #[error("too many attempts at this account")]
    TooManyGuesses(TooMany),
    /// The password was changed, or the session ended, while the request was running.
    #[error("the password was changed in the meantime, or the session has ended")]
    ChangedMeanwhile,
    /// Too many passwords wait to be checked.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The event could not be appended to the log, or the command was refused.
    #[error("the event could not be recorded in the log")]
    Log(#[from] CommandError),
    /// The stored sessions or passwords could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The text cannot be used as a password.
    #[error(transparent)]
    Password(#[from] PasswordRefusal),
    /// A password could not be hashed, or the stored text is not a hash.
    #[error("the password could not be hashed or compared")]
    Hash,
}
