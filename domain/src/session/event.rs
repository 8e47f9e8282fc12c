//! The events of a session. The event's metadata have the address and the client.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// The events of a session. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionEvent {
    /// A user signed in.
    #[serde(rename = "session.started")]
    Started(Start),
    /// A sign-in was refused.
    #[serde(rename = "session.refused")]
    Refused(Attempt),
    /// The session ended.
    #[serde(rename = "session.ended")]
    Ended {
        /// The user.
        user_id: UserId,
        /// Why.
        reason: EndReason,
    },
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The user.
    pub user_id: UserId,
    /// The kind of device, as the client names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
}

/// A sign-in that was refused. It has neither the password nor a login that no user has, because people sometimes type
/// the password into the login field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The user who has the login, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The digest of a login that no user has, under a key of the server. Equal logins have equal digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_digest: Option<String>,
    /// Why.
    pub cause: RefusalCause,
    /// How many refused sign-ins of the same account or address were not recorded before this one. The limit keeps
    /// strangers from filling the log.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_recorded: u64,
}

/// Why a sign-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCause {
    /// No user has this login.
    UnknownLogin,
    /// The password is wrong.
    WrongPassword,
    /// The user is suspended or erased.
    NotActive,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user ended it, in this session or from another one; or the user was suspended or erased.
    SignedOut,
    /// The user changed the password.
    PasswordChanged,
    /// It was unused for too long, reached its maximum age, or was the oldest of too many sessions.
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

    /// The user whom it is about, if known.
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
