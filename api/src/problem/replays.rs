//! The problems of replays and parked events.

use processes::parked::ParkedError;
use processes::replays::StartError;
use projections::{RebuildError, UnparkError};

use super::Problem;

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Rebuild(error) => error.into(),
            StartError::Command(error) => error.into(),
            StartError::Database(ref cause) => Self::database_failed(&error, cause),
            StartError::Again => Self::conflict("replay.under_way", error.to_string()),
            StartError::NoView(_) => Self::invalid("replay.no_view", "until_position", error.to_string()),
            StartError::RelationalOnly => Self::invalid("replay.relational_only", "workspace_id", error.to_string()),
        }
    }
}

impl From<ParkedError> for Problem {
    fn from(error: ParkedError) -> Self {
        match error {
            ParkedError::Unpark(error) => error.into(),
            ParkedError::Command(error) => error.into(),
        }
    }
}

impl From<RebuildError> for Problem {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Unknown(_) => Self::no_such_projection(),
            RebuildError::UnderWay(_) => {
                Self::conflict("replay.under_way", "a replay of this projection is running: GET …/replays/current shows it")
            }
            RebuildError::Database(ref cause) => Self::database_failed(&error, cause),
            RebuildError::IndicesLeft(_) => Self::unavailable("replay.indices_left", error.to_string()),
            other => Self::internal(&other),
        }
    }
}

impl From<UnparkError> for Problem {
    fn from(error: UnparkError) -> Self {
        match error {
            UnparkError::NotParked(_) => {
                Self::not_found("parked.not_found", "no events are parked under this key: GET …/parked lists the keys")
            }
            UnparkError::Unknown(_) => Self::no_such_projection(),
            UnparkError::StillPoison { .. } => Self::conflict("parked.still_not_applied", error.to_string()),
            UnparkError::OtherEvent { .. } => Self::conflict("parked.other_event", error.to_string()),
            UnparkError::OtherStore(_) => Self::unavailable("service.unavailable", error.to_string()),
            UnparkError::Unavailable(ref cause) => Self::database_failed(&error, cause),
            UnparkError::Log(_) => Self::internal(&error),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::database_failed(&error, &error)
    }
}

impl Problem {
    /// No projection has the name.
    pub(crate) fn no_such_projection() -> Self {
        Self::not_found("projection.not_found", "there is no such projection: GET /v1/projections lists all projections")
    }
}
