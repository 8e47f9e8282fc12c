//! Registration: a password and an event for a new user. Here is also the setting of who may register without an
//! operator. The command line registers users whatever the setting is.

use std::str::FromStr;

use commands::{AccessRefusal, Appended, CommandError, CommandRequest, Commands};
use domain::WorkspaceRefusal;
use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::user::Registration;
use keyring::Secret;
use state::credentials::Credentials;
use state::invitations::InvitationTokens;
use state::token::Token;

use super::AuthError;
use super::password::{Password, Passwords};

/// Who may register without an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Everybody.
    Open,
    /// People who are invited to a workspace, with the address that was invited.
    Invited,
    /// Nobody: operators register users on the command line.
    Closed,
}

impl RegistrationPolicy {
    /// Its name in the settings and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invited => "invited",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for RegistrationPolicy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "open" => Ok(Self::Open),
            "invited" => Ok(Self::Invited),
            "closed" => Ok(Self::Closed),
            _ => Err(()),
        }
    }
}

/// Admits people who register over HTTP. Clones share everything.
#[derive(Clone)]
pub struct Admissions {
    policy: RegistrationPolicy,
    invitations: InvitationTokens,
}

impl Admissions {
    /// Makes the service from these parts.
    #[must_use]
    pub fn new(policy: RegistrationPolicy, invitations: InvitationTokens) -> Self {
        Self { policy, invitations }
    }

    /// Admits a person who registers, and returns the invitation that the registration must match, if there must be one.
    /// A text that cannot be a token is refused even if registration is open, so that a client notices its mistake on
    /// every server.
    ///
    /// # Errors
    /// The person may not register, no invitation has this token, or Postgres does not answer.
    pub async fn admit(&self, token: Option<&Secret>) -> Result<Option<(WorkspaceId, InvitationId)>, AuthError> {
        let unknown = || CommandError::from(WorkspaceRefusal::InvitationNotFound);
        let token = token.map(|text| Token::parse_invitation(text.expose()).ok_or_else(unknown));
        match (self.policy, token) {
            (RegistrationPolicy::Closed, _) => Err(CommandError::from(AccessRefusal::RegistrationClosed).into()),
            (RegistrationPolicy::Invited, None) => Err(CommandError::from(AccessRefusal::RegistrationInvited).into()),
            (RegistrationPolicy::Open, token) => {
                token.transpose()?;
                Ok(None)
            }
            (RegistrationPolicy::Invited, Some(token)) => Ok(Some(self.invitations.find(&token?).await?.ok_or_else(unknown)?)),
        }
    }
}

/// Registers users. Clones share everything.
#[derive(Clone)]
pub struct Registrations {
    commands: Commands,
    credentials: Credentials,
    passwords: Passwords,
}

impl Registrations {
    /// Makes the service from these parts.
    #[must_use]
    pub fn new(commands: Commands, credentials: Credentials, passwords: Passwords) -> Self {
        Self { commands, credentials, passwords }
    }

    /// Registers a user with a password. If there is an `invitation`, it must be for the address of the registration.
    /// The password of a refused registration is removed again.
    ///
    /// # Errors
    /// The registration is refused, too many passwords are waiting, or a store does not answer.
    pub async fn register(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        registration: Registration,
        password: Password,
        invitation: Option<(WorkspaceId, InvitationId)>,
    ) -> Result<Appended, AuthError> {
        let hash = self.passwords.hash(password).await?;
        let added = self.credentials.add(user_id, &hash).await?;
        let appended = match invitation {
            Some(invitation) => self.commands.register_invited_user(asked, user_id, registration, invitation).await,
            None => self.commands.register_user(asked, user_id, registration).await,
        };
        if added && matches!(appended, Err(CommandError::Refused(_) | CommandError::KeyReused)) {
            self.credentials.remove(user_id).await?;
        }
        Ok(appended?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_one_of_three_words() {
        let all = [("open", RegistrationPolicy::Open), ("invited", RegistrationPolicy::Invited), ("closed", RegistrationPolicy::Closed)];
        for (text, policy) in all {
            assert_eq!(text.parse(), Ok(policy));
        }
        for text in ["", "Open", "close", "true"] {
            assert_eq!(text.parse::<RegistrationPolicy>(), Err(()), "{text:?}");
        }
    }
}
