//! What a projector is, and what may keep it from applying an event.

use domain::{Event, Recorded, StreamId};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

/// Builds one projection from events. It is told each event once and in order; a projection whose store is not Postgres must mind the
/// position all the same, because there the checkpoint moves after the write.
pub(crate) trait Projector: Send {
    /// The projection's name.
    fn name(&self) -> &'static str;

    /// Makes ready what it writes to, each time that the projection is taken up, before anything is applied. It may take long.
    ///
    /// # Errors
    /// The store cannot be used just now.
    fn prepare(&mut self) -> BoxFuture<'_, Result<(), ApplyError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Applies events, in order. The transaction already holds the checkpoint; what is written in it comes and goes with that.
    ///
    /// # Errors
    /// An event cannot be applied ([`ApplyError::is_poison`]), or the store cannot be used just now.
    fn apply<'a>(&'a mut self, tx: &'a mut PgConnection, events: &'a [&'a Recorded<Event>]) -> BoxFuture<'a, Result<(), ApplyError>>;
}

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The event is about something that is not there.
    #[error("{event_type} of {stream} finds no row in {table}")]
    MissingRow {
        /// The table.
        table: &'static str,
        /// The event's name.
        event_type: &'static str,
        /// The event's stream.
        stream: StreamId,
    },
    /// A message was not sent when its identifier says, so it could not be found again.
    #[error("{table}: message {message_id} was sent at another time than its identifier says")]
    WrongMoment {
        /// The message.
        message_id: Uuid,
        /// The table.
        table: &'static str,
    },
    /// The event must belong to a workspace.
    #[error("event {position} belongs to no workspace")]
    NoWorkspace {
        /// Its position.
        position: i64,
    },
    /// The store refused, or cannot be used just now.
    #[error("the store refused or cannot be used")]
    Store(#[from] sqlx::Error),
    /// A store that is not Postgres cannot be used just now. It is never the event's fault.
    #[error("{store} cannot be used just now")]
    Elsewhere {
        /// The store.
        store: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Classes of SQLSTATE that are the data's fault: cardinality, data, integrity, and limits of the program
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Trying again would not help.
const POISON_CLASSES: [&str; 4] = ["21", "22", "23", "54"];

impl ApplyError {
    /// Whether the event itself is at fault, and trying again would not help.
    pub(crate) fn is_poison(&self) -> bool {
        match self {
            Self::MissingRow { .. } | Self::WrongMoment { .. } | Self::NoWorkspace { .. } => true,
            Self::Store(error) => is_poison(error),
            Self::Elsewhere { .. } => false,
        }
    }

    /// What operators are told.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            other => other.to_string(),
        }
    }
}

/// Whether the store refuses the data themselves.
pub(crate) fn is_poison(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| POISON_CLASSES.iter().any(|class| code.starts_with(class)))
}
