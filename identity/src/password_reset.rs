//! The reset of a password by an operator, who does not know the old one. The command line does this, because it needs
//! no session: a server whose only operator forgot the password is not lost.

use commands::{Appended, CommandRequest, Commands};
use domain::UserCommand;
use domain::ids::UserId;
use state::credentials::Credentials;
use state::devices::KnownDevices;

use super::AuthError;
use super::password::{Password, Passwords};
use super::sessions::Sessions;

/// Resets passwords. Clones share everything.
#[derive(Clone)]
pub struct PasswordResets {
    commands: Commands,
    credentials: Credentials,
    passwords: Passwords,
    sessions: Sessions,
    devices: KnownDevices,
}

impl PasswordResets {
    /// Makes the service from these parts.
    #[must_use]
    pub fn new(commands: Commands, credentials: Credentials, passwords: Passwords, sessions: Sessions, devices: KnownDevices) -> Self {
        Self { commands, credentials, passwords, sessions, devices }
    }

    /// Sets a new password, ends all sessions of the user, and makes all devices of the user unknown. The event comes
    /// first, so no password changes without a trace in the log. After an error, it can be called again.
    ///
    /// # Errors
    /// The command is refused, too many passwords are waiting, or a store does not answer.
    pub async fn reset(&self, asked: &CommandRequest, user_id: UserId, password: Password) -> Result<Appended, AuthError> {
        let hash = self.passwords.hash(password).await?;
        let appended = self.commands.user(asked, user_id, UserCommand::ResetPassword).await?;
        self.sessions.replace_password(&self.credentials, &asked.context, user_id, &hash).await?;
        self.devices.forget_others(user_id, None).await?;
        Ok(appended)
    }
}
