//! Reads the whole log, decoded and in order, as a rebuild does.

use domain::{DecodeError, Event, Recorded};
use keyring::Keyring;
use sqlx::PgPool;

use super::read::{LogError, LogStream};

/// The log cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read")]
pub struct LogUnreadable(#[source] Box<dyn std::error::Error + Send + Sync>);

impl From<LogError> for LogUnreadable {
    fn from(error: LogError) -> Self {
        Self(Box::new(error))
    }
}

/// Calls `each` with every event up to the present end of the log, in order, and returns the last position.
///
/// # Errors
/// The log cannot be read, or has a gap.
pub async fn read_log(
    pool: &PgPool,
    keys: &Keyring,
    mut each: impl FnMut(Result<Recorded<Event>, DecodeError>),
) -> Result<i64, LogUnreadable> {
    let head = super::head(pool).await.map_err(LogError::from)?;
    let mut log = LogStream::open(pool.clone(), keys.clone(), 0, head);
    while let Some(events) = log.next().await {
        for delivery in events? {
            each(delivery.event);
        }
    }
    Ok(head)
}
