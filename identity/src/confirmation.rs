//! Asking somebody who is signed in for their password again, before what cannot be undone or gives everything away: a session that was taken
//! over is not enough for that.

use domain::ids::UserId;
use keyring::Secret;
use state::credentials::Credentials;

use super::AuthError;
use super::password::Passwords;

/// Confirms that somebody who is signed in knows their password. Clones share everything.
#[derive(Clone)]
pub struct Confirmations {
    credentials: Credentials,
    passwords: Passwords,
}

impl Confirmations {
    /// Of these parts.
    #[must_use]
    pub fn new(credentials: Credentials, passwords: Passwords) -> Self {
        Self { credentials, passwords }
    }

    /// Checks the password of a user who is signed in. A user without a password confirms nothing.
    ///
    /// # Errors
    /// It is another password, too many are waiting to be checked, or Postgres does not answer.
    pub async fn confirm(&self, user_id: UserId, password: Secret) -> Result<(), AuthError> {
        let stored = self.credentials.hash_of(user_id).await?;
        if self.passwords.matches(password, stored).await? { Ok(()) } else { Err(AuthError::NotConfirmed) }
    }
}
