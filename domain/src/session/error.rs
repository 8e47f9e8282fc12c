//! The refusals of session commands.

use crate::refusal::refusals;

refusals! {
    /// The refusals of session commands.
    SessionRefusal {
        BegunAlready = "session.begun_already" Conflict "this session was started or refused already: sign in again",
    }
}
