//! The rules of sessions, without async, clock or framework. One function per command.

use super::{Attempt, End, Session, SessionEvent, SessionRefusal, Start};
use crate::ids::UserId;

type Decision = Result<Vec<SessionEvent>, SessionRefusal>;

/// Signs somebody in, once.
pub(super) fn start(session: &Session, start: Start) -> Decision {
    untouched(session)?;
    Ok(vec![SessionEvent::Started(start)])
}

/// Notes an attempt, once.
pub(super) fn refuse(session: &Session, attempt: Attempt) -> Decision {
    untouched(session)?;
    Ok(vec![SessionEvent::Refused(attempt)])
}

/// Ends the session; what has ended is not ended again.
pub(super) fn end(session: &Session, user_id: UserId, reason: End) -> Decision {
    if session.ended.is_some() {
        return Ok(vec![]);
    }
    Ok(vec![SessionEvent::Ended { user_id, reason }])
}

fn untouched(session: &Session) -> Result<(), SessionRefusal> {
    if *session == Session::default() { Ok(()) } else { Err(SessionRefusal::BegunAlready) }
}
