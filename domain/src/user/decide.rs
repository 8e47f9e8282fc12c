//! The rules of users: pure functions, one for each command, without async, clock or framework.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::{CustomStatus, Preferences, Profile, Registration, User, UserEvent, UserRefusal};
use crate::context::Context;
use crate::ids::{InvitationId, WorkspaceId};
use crate::text::{Emoji, Reason, StatusText};

type Decision = Result<Vec<UserEvent>, UserRefusal>;

/// The last year that RFC 3339 can express. The limits of databases are not much higher.
const YEAR_MAX: i32 = 9999;

/// How large preferences can be. There is a limit because every node keeps the preferences of many users in memory.
pub(super) const PREFERENCES_BYTES_MAX: usize = 32 * 1024;

/// Registers a user, once.
pub(super) fn register(user: &User, registration: Box<Registration>) -> Decision {
    if user.registration.is_some() {
        return Err(UserRefusal::RegisteredAlready);
    }
    Ok(vec![UserEvent::Registered(registration)])
}

/// Changes the user's profile.
pub(super) fn change_profile(user: &User, profile: Box<Profile>) -> Decision {
    if active(user)?.profile == *profile {
        return Ok(vec![]);
    }
    Ok(vec![UserEvent::ProfileChanged(profile)])
}

/// Changes the user's preferences.
pub(super) fn change_preferences(user: &User, preferences: Preferences) -> Decision {
    if active(user)?.preferences == preferences {
        return Ok(vec![]);
    }
    if written_bytes(&preferences) > PREFERENCES_BYTES_MAX {
        return Err(UserRefusal::PreferencesTooLarge(PREFERENCES_BYTES_MAX));
    }
    Ok(vec![UserEvent::PreferencesChanged(preferences)])
}

/// Sets or clears the user's custom status.
pub(super) fn change_status(
    user: &User,
    context: &Context,
    text: Option<StatusText>,
    emoji: Option<Emoji>,
    expires_at: Option<DateTime<Utc>>,
) -> Decision {
    active(user)?;
    if expires_at.is_some_and(|end| end <= context.at || end.year() > YEAR_MAX) {
        return Err(UserRefusal::StatusOver);
    }
    let status = CustomStatus { text, emoji, expires_at };
    if user.custom_status == status {
        return Ok(vec![]);
    }
    let CustomStatus { text, emoji, expires_at } = status;
    Ok(vec![UserEvent::StatusChanged { text, emoji, expires_at }])
}

/// Suspends the user on the whole server. If they are suspended, nothing changes, and the first reason stays.
pub(super) fn suspend(user: &User, reason: Option<Reason>) -> Decision {
    registered(user)?;
    if user.suspended {
        return Ok(vec![]);
    }
    Ok(vec![UserEvent::Suspended { reason }])
}

/// Reactivates a suspended user. If they are not suspended, nothing changes.
pub(super) fn reactivate(user: &User) -> Decision {
    registered(user)?;
    if !user.suspended {
        return Ok(vec![]);
    }
    Ok(vec![UserEvent::Reactivated {}])
}

/// Makes the user an operator, once.
pub(super) fn make_operator(user: &User) -> Decision {
    if active(user)?.is_operator { Ok(vec![]) } else { Ok(vec![UserEvent::MadeOperator {}]) }
}

/// Makes the user an ordinary user again. If they are not an operator, nothing changes. A suspended operator can lose the
/// role too. Another rule checks that an operator remains.
pub(super) fn remove_operator(user: &User) -> Decision {
    if registered(user)?.is_operator { Ok(vec![UserEvent::OperatorRemoved {}]) } else { Ok(vec![]) }
}

/// Records that an operator sets a new password. A suspended user may get one too: the suspension stays.
pub(super) fn reset_password(user: &User) -> Decision {
    registered(user)?;
    Ok(vec![UserEvent::PasswordReset {}])
}

/// Records that an owner of the workspace proposes the user's erasure. A second proposal of the same owner is not
/// recorded, unless another owner proposed in between.
pub(super) fn propose_erasure(user: &User, context: &Context, workspace_id: WorkspaceId) -> Decision {
    registered(user)?;
    if user.proposals.get(&workspace_id) == Some(&context.actor) {
        return Ok(vec![]);
    }
    Ok(vec![UserEvent::ErasureProposed { proposed_by: context.actor, workspace_id }])
}

/// Requests the user's erasure, which is due after the waiting time. A second request of the same actor changes nothing,
/// and neither does a request for a user who is erased. A request of another actor is refused meanwhile: it would not end
/// when the first actor loses the right to ask.
pub(super) fn request_erasure(user: &User, context: &Context, wait: TimeDelta) -> Decision {
    user.registration.as_ref().ok_or(UserRefusal::NotFound)?;
    let is_asked = user.erasure.is_some_and(|erasure| erasure.requested_by == context.actor);
    if user.erased || is_asked {
        return Ok(vec![]);
    }
    if user.erasure.is_some() {
        return Err(UserRefusal::ErasureRequestedAlready);
    }
    Ok(vec![UserEvent::ErasureRequested { requested_by: context.actor, due_at: context.at + wait }])
}

/// Cancels the requested erasure. If none is requested, nothing changes.
pub(super) fn cancel_erasure(user: &User, context: &Context) -> Decision {
    registered(user)?;
    if user.erasure.is_none() {
        return Ok(vec![]);
    }
    Ok(vec![UserEvent::ErasureCancelled { cancelled_by: context.actor }])
}

/// Erases the user for ever.
pub(super) fn erase(user: &User, context: &Context, invitations: Vec<InvitationId>) -> Decision {
    registered(user)?;
    let erasure = user.erasure.ok_or(UserRefusal::ErasureNotRequested)?;
    if erasure.due_at > context.at {
        return Err(UserRefusal::ErasureNotDue);
    }
    Ok(vec![UserEvent::Erased { invitations }])
}

fn active(user: &User) -> Result<&Registration, UserRefusal> {
    let registration = registered(user)?;
    if user.suspended { Err(UserRefusal::Suspended) } else { Ok(registration) }
}

fn registered(user: &User) -> Result<&Registration, UserRefusal> {
    let registration = user.registration.as_ref().ok_or(UserRefusal::NotFound)?;
    if user.erased { Err(UserRefusal::Erased) } else { Ok(registration) }
}

/// The size of the preferences as JSON.
fn written_bytes(preferences: &Preferences) -> usize {
    serde_json::to_vec(preferences).map_or(usize::MAX, |json| json.len())
}
