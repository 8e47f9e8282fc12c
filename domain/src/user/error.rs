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
        Erased = "user.erased" Conflict "this user was erased, for ever: nothing can be asked of them any more",
        ErasureRequestedAlready = "user.erasure_requested_already" Conflict "this user is to be erased already: cancel that first to ask anew",
        ErasureNotRequested = "user.erasure_not_requested" Conflict "nobody has asked for this user to be erased",
        ErasureNotDue = "user.erasure_not_due" Conflict "this user can still be kept: the erasure is not due yet",
        ErasureOfTheLastOwner = "user.erasure_of_the_last_owner" Conflict
            "this user is the only owner of a workspace: hand it over, or make somebody else an owner first",
        ErasureNoLongerAsked = "user.erasure_no_longer_asked" Conflict
            "the user who asked for this erasure is neither the erased user nor an operator any more: an operator must ask anew",
        LastOperator = "user.last_operator" Conflict
            "this user is the only operator of this server: run `backscroll users make-operator` for another user first",
        PreferencesTooLarge(max: usize) = "user.preferences_too_large" Invalid("preferences")
            "preferences may have at most {0} bytes of JSON: keep what is larger elsewhere",
        StatusOver = "user.status_over" Invalid("expires_at")
            "a status must end in the future, and before the year 10000: leave expires_at out for one without an end",
    }
}
