//! Questions about the log, and about the events of one stream, that no aggregate's state answers.

use domain::StreamId;
use sqlx::query_scalar;
use uuid::Uuid;

use super::{EventStore, StoreError};

impl EventStore {
    /// Returns the position of the event with this place in its stream: the last one that is folded into an aggregate at
    /// that version. It is 0 at version 0.
    ///
    /// # Errors
    /// The database cannot be reached, or there is no such event.
    pub(crate) async fn position_of(&self, stream: StreamId, version: i64) -> Result<i64, StoreError> {
        self.positions.of(&self.pool, stream, version).await
    }

    /// Returns the position of the last event. This process need not know the events up to there.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn end_of_log(&self) -> Result<i64, StoreError> {
        Ok(stores::log::head(&self.pool).await?)
    }

    /// Whether the stream has events after a position, except those of some types.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub(crate) async fn has_changed(&self, stream: StreamId, position: i64, except: &[&str]) -> Result<bool, StoreError> {
        let changed = query_scalar!(
            r#"SELECT EXISTS (SELECT FROM events
                              WHERE aggregate_type = $1 AND aggregate_id = $2 AND position > $3
                                AND event_type <> ALL ($4::text[])) AS "has_changed!""#,
            stream.aggregate.as_str(),
            stream.id.to_string(),
            position,
            except as &[&str],
        );
        Ok(changed.fetch_one(&self.pool).await?)
    }

    /// Whether the stream has an event of this type with this identifier in this field.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub(crate) async fn has_event(&self, stream: StreamId, event_type: &str, field: &str, id: Uuid) -> Result<bool, StoreError> {
        let found = query_scalar!(
            r#"SELECT EXISTS (SELECT FROM events
                              WHERE aggregate_type = $1 AND aggregate_id = $2 AND event_type = $3
                                AND payload -> event_type ->> $4 = $5) AS "found!""#,
            stream.aggregate.as_str(),
            stream.id.to_string(),
            event_type,
            field,
            id.to_string(),
        );
        Ok(found.fetch_one(&self.pool).await?)
    }
}
