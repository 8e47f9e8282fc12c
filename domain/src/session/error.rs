//! Every "no" to a command of a session.

use crate::refusal::refusals;

refusals! {
    /// Every "no" to a command of a session.
    SessionRefusal {
        BegunAlready = "session.begun_already" Conflict "this session was started or refused already: sign in again",
    }
}
