//! Sign-in with a password: the decision whether the client may act as the user.

use commands::{CommandError, Commands};
use domain::Context;
use domain::ids::UserId;
use keyring::Secret;
use state::credentials::Credentials;
use state::sessions::Session;
use state::token::Token;

use super::AuthError;
use super::guesses::{Account, Guesses};
use super::password::Passwords;
use super::refused::RefusedSignIns;
use super::sessions::{Device, Sessions};

/// Signs users in. Clones share everything.
#[derive(Clone)]
pub struct SignIns {
    commands: Commands,
    credentials: Credentials,
    passwords: Passwords,
    sessions: Sessions,
    refused: RefusedSignIns,
    guesses: Guesses,
}

/// A successful sign-in.
pub struct SignedIn {
    /// The token of the session.
    pub token: Token,
    /// The session.
    pub session: Session,
    /// The token that identifies the device from now on.
    pub device_token: Token,
}

/// The result of checking a login and a password.
enum Checked {
    /// The password is right. The user's sessions had this generation when the hash was read.
    Right(UserId, i64),
    /// The password is wrong, or no user has this login.
    Wrong,
}

impl SignIns {
    /// Makes the service from these parts.
    #[must_use]
    pub fn new(
        commands: Commands,
        credentials: Credentials,
        passwords: Passwords,
        sessions: Sessions,
        refused: RefusedSignIns,
        guesses: Guesses,
    ) -> Self {
        Self { commands, credentials, passwords, sessions, refused, guesses }
    }

    /// Signs a user in by login and password.
    ///
    /// # Errors
    /// The password is wrong, there were too many attempts, the user is suspended, or a store does not answer.
    pub async fn with_password(&self, login: &str, password: Secret, device: Device) -> Result<SignedIn, AuthError> {
        let user_id = self.commands.user_by_login(login).await?;
        let account = user_id.map_or(Account::Unknown(login), Account::Known);
        let attempted = match self.guesses.count(account, device.token.as_ref(), device.address()).await {
            Err(error @ AuthError::TooManyGuesses(_)) => {
                self.refused.count(&device, login, user_id);
                return Err(error);
            }
            attempted => attempted?,
        };
        let (user_id, generation) = match self.check(user_id, password).await {
            Ok(Checked::Right(user_id, generation)) => (user_id, generation),
            Ok(Checked::Wrong) => {
                self.refused.count_and_record(&device, login, user_id, false).await;
                return Err(AuthError::WrongPassword);
            }
            Err(error) => {
                // The password was not checked, so the attempt does not count.
                self.guesses.give_back(attempted).await;
                return Err(error);
            }
        };
        let started = self.sessions.start_in(user_id, generation, device.clone()).await;
        if matches!(started, Err(AuthError::Log(CommandError::Refused(_)))) {
            self.refused.count_and_record(&device, login, Some(user_id), true).await;
        }
        let (token, session) = started?;
        self.guesses.give_back(attempted).await;
        let device_token = self.remember(user_id, &device).await;
        Ok(SignedIn { token, session, device_token })
    }

    /// Forgets the devices of the actor except the one at the request's address, because the password was changed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn forget_other_devices(&self, context: &Context) -> Result<(), AuthError> {
        let address = context.address.as_deref().and_then(|address| address.parse().ok());
        self.guesses.forget_others(context.actor, address).await
    }

    /// Records a summary of the refused sign-ins that were only counted.
    pub async fn summarise_refused(&self) {
        self.refused.summarise().await;
    }

    /// Returns the device's token if it is known, or else a new one. The sign-in succeeds even if the token cannot be
    /// stored.
    async fn remember(&self, user_id: UserId, device: &Device) -> Token {
        let shown = match &device.token {
            Some(token) => self.guesses.knows_token(user_id, token).await.unwrap_or_default().then(|| token.clone()),
            None => None,
        };
        let token = shown.unwrap_or_else(Token::of_new_device);
        if let Err(error) = self.guesses.remember(user_id, &token, device.address()).await {
            tracing::warn!(%error, "the device of a sign-in could not be stored");
        }
        token
    }

    /// Checks the password. It takes the same time for a login that no user has, so the answer does not reveal which
    /// users exist.
    async fn check(&self, user_id: Option<UserId>, password: Secret) -> Result<Checked, AuthError> {
        let stored = match user_id {
            Some(user_id) => self.credentials.of(user_id).await?,
            None => None,
        };
        let generation = stored.as_ref().map_or(0, |credential| credential.generation);
        let matches = self.passwords.matches(password, stored.map(|credential| credential.password_hash)).await?;
        Ok(match user_id {
            Some(user_id) if matches => Checked::Right(user_id, generation),
            _ => Checked::Wrong,
        })
    }
}
