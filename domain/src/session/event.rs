//! What has happened to a session. From where, and with which client, is said by the event's metadata.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// What has happened to a session. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionEvent {
    /// Somebody signed in.
    #[serde(rename = "session.started")]
    Started(Start),
    /// Somebody was not signed in.
    #[serde(rename = "session.refused")]
    Refused(Attempt),
    /// Somebody is not signed in any more.
    #[serde(rename = "session.ended")]
    Ended {
        /// Who.
        user_id: UserId,
        /// Why.
        reason: End,
    },
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Who.
    pub user_id: UserId,
    /// What kind of device, in the client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
}

/// A sign-in that was refused. Neither the password nor a login that nobody has is in it: people type the one for the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who has the login; nobody, where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Of a login that nobody has, a digest under a key of the server, so that the same one can be told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_digest: Option<String>,
    /// Why.
    pub cause: Cause,
    /// How many refused sign-ins from there were not recorded before this one: a stranger must not fill the log.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_recorded: u64,
}

/// Why a sign-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody has that login.
    UnknownLogin,
    /// The password is another.
    WrongPassword,
    /// The user is locked out.
    NotActive,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// They signed out, here or from another session; or the account was suspended or erased.
    SignedOut,
    /// They changed their password.
    PasswordChanged,
    /// It was not used for too long, became too old, or was the oldest of too many.
    Expired,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl SessionEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Started(_) => "session.started",
            Self::Refused(_) => "session.refused",
            Self::Ended { .. } => "session.ended",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Started(_) | Self::Refused(_) | Self::Ended { .. } => "1",
        }
    }

    /// Whom it is about, where that is known.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Started(start) => Some(start.user_id),
            Self::Refused(attempt) => attempt.user_id,
            Self::Ended { user_id, .. } => Some(*user_id),
        }
    }
}

impl DomainEvent for SessionEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
