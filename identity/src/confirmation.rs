//! Confirmation: a user who is signed in must give the password again before an operation that cannot be undone or that
//! gives access to everything. A stolen session is not enough for such an operation.

use domain::Context;
use keyring::Secret;
use state::credentials::Credentials;

use super::AuthError;
use super::guesses::Guesses;
use super::password::Passwords;

/// Confirms that a user who is signed in knows the password. Clones share everything.
#[derive(Clone)]
pub struct Confirmations {
    credentials: Credentials,
    passwords: Passwords,
    guesses: Guesses,
}

impl Confirmations {
    /// Makes the service from these parts.
    #[must_use]
    pub fn new(credentials: Credentials, passwords: Passwords, guesses: Guesses) -> Self {
        Self { credentials, passwords, guesses }
    }

    /// Checks the password of the actor, who is signed in, and returns its hash. A user without a password cannot
    /// confirm anything.
    ///
    /// # Errors
    /// The password is wrong, there were too many attempts in this session, too many passwords wait to be checked, or
    /// Postgres does not answer.
    pub async fn confirm(&self, context: &Context, password: Secret) -> Result<String, AuthError> {
        let attempted = self.guesses.count_confirmation(context.actor, context.session).await?;
        let stored = self.credentials.hash_of(context.actor).await?;
        if !self.passwords.matches(password, stored.clone()).await? {
            return Err(AuthError::NotConfirmed);
        }
        self.guesses.give_back(attempted).await;
        stored.ok_or(AuthError::NotConfirmed)
    }
}
