//! What a projector is, and why it may fail to apply an event.

use domain::{Event, Recorded, StreamId};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

/// Builds one projection from events. It is given each event once and in order. A projection whose store is not
/// Postgres must still compare positions: its checkpoint moves after its write, so an event may come twice.
pub(crate) trait Projector: Send {
    /// The projection's name.
    fn name(&self) -> &'static str;

    /// Prepares the projection's store. Called each time a process takes the projection, before any event is applied.
    /// It may take long.
    ///
    /// # Errors
    /// The store cannot be used at the moment.
    fn prepare(&mut self) -> BoxFuture<'_, Result<(), ApplyError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Applies events in order. The transaction has already locked the checkpoint. Writes in it are committed with the
    /// checkpoint, or not at all.
    ///
    /// # Errors
    /// An event cannot be applied ([`ApplyError::is_poison`]), or the store cannot be used at the moment.
    fn apply<'a>(&'a mut self, tx: &'a mut PgConnection, events: &'a [&'a Recorded<Event>]) -> BoxFuture<'a, Result<(), ApplyError>>;
}

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The row that the event changes does not exist.
    #[error("{event_type} of {stream} finds no row in {table}")]
    MissingRow {
        /// The table.
        table: &'static str,
        /// The event's name.
        event_type: &'static str,
        /// The event's stream.
        stream: StreamId,
    },
    /// A message's time differs from the time in its identifier. Its row could not be found again.
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
    /// Postgres refused the write, or cannot be used at the moment.
    #[error("the store refused or cannot be used")]
    Store(#[from] sqlx::Error),
    /// A store other than Postgres cannot be used at the moment. The event is never the cause.
    #[error("{store} cannot be used at the moment")]
    OtherStore {
        /// The store.
        store: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Classes of SQLSTATE that the data cause: cardinality, data, integrity, and program limits
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Trying again would not help.
const POISON_CLASSES: [&str; 4] = ["21", "22", "23", "54"];

impl ApplyError {
    /// Whether the event itself is the cause, so that trying again would not help.
    pub(crate) fn is_poison(&self) -> bool {
        match self {
            Self::MissingRow { .. } | Self::WrongMoment { .. } | Self::NoWorkspace { .. } => true,
            Self::Store(error) => is_poison(error),
            Self::OtherStore { .. } => false,
        }
    }

    /// The text of the error for operators.
    pub(crate) fn operator_text(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            other => other.to_string(),
        }
    }
}

/// Whether Postgres refuses the data themselves.
pub(crate) fn is_poison(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| POISON_CLASSES.iter().any(|class| code.starts_with(class)))
}
