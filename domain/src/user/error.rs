//! The refusals of user commands.

use crate::refusal::refusals;

refusals! {
    /// The refusals of user commands.
    UserRefusal {
        RegisteredAlready = "user.registered_already" Conflict "this user is registered already",
        NotFound = "user.not_found" NotFound "there is no such user",
        Suspended = "user.suspended" Forbidden "this user is suspended: an operator must reactivate them first",
        Erased = "user.erased" Conflict "this user was erased for ever: the account cannot be used or changed any more",
        ErasureRequestedAlready = "user.erasure_requested_already" Conflict "an erasure of this user is requested already: cancel it before you request another",
        ErasureNotRequested = "user.erasure_not_requested" Conflict "no erasure of this user is requested",
        ErasureNotDue = "user.erasure_not_due" Conflict "the erasure of this user is not due yet: until then it can be cancelled",
        ErasureOfTheLastOwner = "user.erasure_of_the_last_owner" Conflict
            "this user is the only owner of a workspace: hand it over, or make another member an owner first",
        ErasureNoLongerAsked = "user.erasure_no_longer_asked" Conflict
            "the user who requested this erasure is neither the user to erase nor an operator any more: an operator must request it again",
        LastOperator = "user.last_operator" Conflict
            "this user is the only operator of this server: run `backscroll users make-operator` for another user first",
        PreferencesTooLarge(max: usize) = "user.preferences_too_large" Invalid("preferences")
            "preferences may have at most {0} bytes of JSON: keep larger data elsewhere",
        StatusOver = "user.custom_status_over" Invalid("expires_at")
            "a custom status must end in the future, and before the year 10000: leave expires_at out for one without an end",
    }
}
