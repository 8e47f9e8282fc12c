//! Signing in with a password: the one decision whether somebody is who they say.

use commands::{CommandError, Commands};
use domain::ids::UserId;
use keyring::Secret;
use state::credentials::Credentials;
use state::sessions::Session;
use state::token::Token;

use super::AuthError;
use super::password::Passwords;
use super::refused::RefusedSignIns;
use super::sessions::{Device, Sessions};

/// Signs people in. Clones share everything.
#[derive(Clone)]
pub struct SignIns {
    commands: Commands,
    credentials: Credentials,
    passwords: Passwords,
    sessions: Sessions,
    refused: RefusedSignIns,
}

/// What a login and a password are together.
enum Checked {
    /// That user's, whose sessions were of that generation when the password's hash was read.
    Right(UserId, i64),
    /// The password is wrong, or no user has that login. The user who has the login, if there is one.
    Wrong(Option<UserId>),
}

impl SignIns {
    /// Of these parts.
    #[must_use]
    pub fn new(commands: Commands, credentials: Credentials, passwords: Passwords, sessions: Sessions, refused: RefusedSignIns) -> Self {
        Self { commands, credentials, passwords, sessions, refused }
    }

    /// Signs somebody in who knows the password of that login.
    ///
    /// # Errors
    /// The password is wrong, the user is suspended, or a store does not answer.
    pub async fn with_password(&self, login: &str, password: Secret, device: Device) -> Result<(Token, Session), AuthError> {
        let (user_id, generation) = match self.check(login, password).await? {
            Checked::Right(user_id, generation) => (user_id, generation),
            Checked::Wrong(user_id) => {
                self.refused.note(&device, login, user_id, false).await;
                return Err(AuthError::WrongPassword);
            }
        };
        let started = self.sessions.start_in(user_id, generation, device.clone()).await;
        if matches!(started, Err(AuthError::Log(CommandError::Refused(_)))) {
            self.refused.note(&device, login, Some(user_id), true).await;
        }
        started
    }

    /// Takes as long for a login that nobody has, so that nobody learns who is here.
    async fn check(&self, login: &str, password: Secret) -> Result<Checked, AuthError> {
        let user_id = self.commands.user_by_login(login).await?;
        let stored = match user_id {
            Some(user_id) => self.credentials.of(user_id).await?,
            None => None,
        };
        let generation = stored.as_ref().map_or(0, |credential| credential.generation);
        let matches = self.passwords.matches(password, stored.map(|credential| credential.password_hash)).await?;
        Ok(match user_id {
            Some(user_id) if matches => Checked::Right(user_id, generation),
            user_id => Checked::Wrong(user_id),
        })
    }
}
