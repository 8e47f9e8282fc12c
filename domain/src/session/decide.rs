//! The rules of sessions: pure functions, one for each command, without async, clock or framework.

use super::{Attempt, EndReason, Session, SessionEvent, SessionRefusal, Start};
use crate::ids::UserId;

type Decision = Result<Vec<SessionEvent>, SessionRefusal>;

/// Starts a session, once.
pub(super) fn start(session: &Session, start: Start) -> Decision {
    not_started(session)?;
    Ok(vec![SessionEvent::Started(start)])
}

/// Records a refused sign-in, once.
pub(super) fn refuse(session: &Session, attempt: Attempt) -> Decision {
    not_started(session)?;
    Ok(vec![SessionEvent::Refused(attempt)])
}

/// Ends the session. A session that has ended is not ended again.
pub(super) fn end(session: &Session, user_id: UserId, reason: EndReason) -> Decision {
    if session.ended.is_some() {
        return Ok(vec![]);
    }
    Ok(vec![SessionEvent::Ended { user_id, reason }])
}

fn not_started(session: &Session) -> Result<(), SessionRefusal> {
    if *session == Session::default() { Ok(()) } else { Err(SessionRefusal::BegunAlready) }
}
