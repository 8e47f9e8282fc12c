//! Every "no" to a command of a user.

use crate::refusal::refusals;

refusals! {
    /// Every "no" to a command of a user.
    UserRefusal {
        RegisteredAlready = "user.registered_already" Conflict "this user is registered already",
        NotFound = "user.not_found" NotFound "there is no such user",
        Suspended = "user.suspended" Forbidden "this user is suspended: an operator must reactivate them first",
        SuspendedAlready = "user.suspended_already" Conflict "this user is suspended already",
        NotSuspended = "user.not_suspended" Conflict "this user is not suspended",
        StatusOver = "user.status_over" Invalid("expires_at")
            "a status must end in the future, and before the year 10000: leave expires_at out for one without an end",
    }
}
