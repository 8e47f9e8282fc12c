//! The refusals of frames.

use domain::ids::UserId;
use live::FrameRefusal;
use live::watches::WATCHED_MAX;

use crate::problem::Problem;

/// A problem as the refusal of a frame: the same code and the same words.
pub(super) fn of_frame(problem: impl Into<Problem>) -> FrameRefusal {
    let problem = problem.into();
    FrameRefusal { code: problem.code(), detail: problem.detail().to_owned() }
}

/// Refuses a list of more people than a connection may watch.
pub(super) fn unless_few(users: &[UserId]) -> Result<(), FrameRefusal> {
    if users.len() <= WATCHED_MAX {
        return Ok(());
    }
    let detail = format!("users must have at most {WATCHED_MAX} identifiers: watch those whom you show");
    Err(FrameRefusal { code: "live.too_many_watched", detail })
}
