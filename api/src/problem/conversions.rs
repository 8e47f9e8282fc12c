//! The errors of the other crates as problems.

use actix_web::http::StatusCode;
use commands::{CommandError, StoreError};
use domain::text::InvalidText;
use identity::AuthError;
use identity::guesses::TooMany;
use ledger::audit::AuditError;
use ledger::proof::{KeyError, ProveError};
use live::{ChangesError, OpenError};
use processes::erasure::ErasureError;
use processes::retention::RunError;
use projections::search::query::QueryMistake;
use projections::search::{ResolveError, SearchError};
use projections::{QueryError, WaitError};
use state::StateError;
use state::limits::Class;
use stores::error::chain;
use stores::postgres::was_cancelled;

use super::mistake::Place;
use super::{Problem, RETRY_UPGRADE};

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::refused(&refusal),
            CommandError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency.key_reused",
                "this key was used for another request: use a new key for each new request",
            ),
            CommandError::Contended => {
                Self::unavailable("service.contended", "other requests changed the same data at the same time: try again")
            }
            CommandError::Unavailable(error) => Self::from(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UpgradeUnderWay(_) => Self::unavailable(
                "release.upgrade_under_way",
                "servers of an older release still run, and cannot read what this request writes: try again when the upgrade is done",
            )
            .retry_after(RETRY_UPGRADE),
            StoreError::ClockAhead => Self::unavailable(
                "clock.ahead",
                "the clock of this server is more than 5 seconds ahead of its database's clock: set it right, or ask another server",
            ),
            StoreError::Outdated(_) => {
                tracing::warn!(error = %chain(&error), "a server that must stop received a request");
                Self::unavailable("release.outdated", "this server has an older release than its database, and stops: try again")
            }
            StoreError::Postgres(cause) if was_cancelled(cause) => Self::query_too_slow(&error),
            StoreError::Postgres(_)
            | StoreError::Stream(_)
            | StoreError::Unreadable { .. }
            | StoreError::Busy
            | StoreError::Stopped
            | StoreError::Keys(_)
            | StoreError::Unwritable(_) => Self::store_failed(&error),
        }
    }
}

impl From<InvalidText> for Problem {
    fn from(error: InvalidText) -> Self {
        Self::refused(&error)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::database_failed(&error, &error.0)
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Store(ref cause) => Self::database_failed(&error, cause),
            AuditError::Log(_) | AuditError::Unreadable { .. } => Self::internal(&error),
        }
    }
}

impl From<ChangesError> for Problem {
    fn from(error: ChangesError) -> Self {
        match error {
            ChangesError::Commands(error) => error.into(),
            ChangesError::Store(ref cause) => Self::database_failed(&error, cause),
            ChangesError::Log(_) => Self::internal(&error),
        }
    }
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooMany => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "request.too_many_connections",
                "the user or the address has too many live connections: close some",
            ),
            OpenError::SessionEnded => Self::unauthenticated("auth.token_invalid", "the session has ended: sign in again"),
            OpenError::Unavailable => {
                Self::unavailable("service.unavailable", "this server takes no further live connection now: try again")
            }
            OpenError::Changes(error) => error.into(),
        }
    }
}

impl From<QueryMistake> for Problem {
    fn from(QueryMistake { mistake, at }: QueryMistake) -> Self {
        let place = Place { offset: at.offset, length: at.length };
        Self::malformed("search.query_invalid", None, mistake.to_string()).at("q", Some(place))
    }
}

impl From<ResolveError> for Problem {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Mistake(mistake) => mistake.into(),
            ResolveError::Unavailable(error) => error.into(),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::ForeignPage => Self::malformed("request.cursor_invalid", Some("after".into()), error.to_string()),
            SearchError::Store(ref cause) => Self::database_failed(&error, cause),
            SearchError::Unavailable(_) => Self::store_failed(&error),
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        match error {
            RunError::UnderWay => Self::conflict("retention.under_way", error.to_string()),
            RunError::Behind(error) => error.into(),
            RunError::Read(error) => error.into(),
            RunError::Database(ref cause) => Self::database_failed(&error, cause),
            RunError::Command(error) => error.into(),
        }
    }
}

impl From<WaitError> for Problem {
    fn from(behind: WaitError) -> Self {
        match behind {
            WaitError::NotReached { retry_after, .. } => Self::projection_behind(behind.to_string(), retry_after),
            WaitError::Unknown(_) => Self::not_found("projection.not_found", behind.to_string()),
            WaitError::Unavailable(ref cause) => Self::database_failed(&behind, cause),
        }
    }
}

impl From<ProveError> for Problem {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Unavailable(ref cause) => Self::database_failed(&error, cause),
            ProveError::NoHead => Self::not_found("proof.no_head", error.to_string()),
            ProveError::NoName => Self::not_found("proof.no_name", error.to_string()),
            ProveError::OutOfRange { field, .. } => Self::not_found("proof.not_in_tree", error.to_string()).at_field(field),
            ProveError::TilesMissing => Self::internal(&error),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(ref cause) => Self::database_failed(&error, cause),
            KeyError::NoName => Self::unavailable("proof.no_name", error.to_string()),
            // The reason may name files of the server, so only operators see it.
            _ => {
                tracing::error!(error = %chain(&error), "an export cannot be signed");
                Self::unavailable("proof.cannot_sign", "the server cannot sign now: an operator must act")
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::WrongPassword => Self::unauthenticated("session.wrong_credentials", "no user has this login and this password"),
            AuthError::NotConfirmed => Self::invalid("password.wrong", "current_password", "this is not your password"),
            AuthError::TooManyGuesses(TooMany { requests, window, retry_after }) => {
                Self::rate_limited(Class::SignInAccount.as_str(), requests, window, retry_after)
            }
            AuthError::ChangedMeanwhile => {
                Self::unauthenticated("auth.token_invalid", "the password was changed, or the session has ended: sign in again")
            }
            AuthError::Busy => Self::unavailable("auth.busy", "too many passwords are being checked now: try again"),
            AuthError::Log(error) => error.into(),
            AuthError::State(error) => error.into(),
            // Handlers name the field themselves. This is the default.
            AuthError::Password(refusal) => Self::password_refused("password", refusal),
            AuthError::Hash => Self::internal(&error),
        }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Store(error) => Self::database_failed(&error, &error),
            StateError::Shared(ref cause) => Self::database_failed(&error, cause),
        }
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Command(error) => error.into(),
            ErasureError::Wait(error) => error.into(),
            ErasureError::Read(error) => error.into(),
            ErasureError::Sessions(error) => error.into(),
            ErasureError::Credentials(error) => error.into(),
            ErasureError::Replays(error) => error.into(),
        }
    }
}
