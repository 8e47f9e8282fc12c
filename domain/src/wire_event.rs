//! An event as NATS carries it: the row of the log as one JSON object, with payload and metadata in their stored form.
//!
//! The relay writes it (`commands`), and the feed reads it (`projections`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::context::Metadata;
use crate::event::{AggregateType, Event, StreamId};
use crate::ids::{EventId, WorkspaceId};
use crate::personal::{self, Keys, Place};
use crate::recorded_event::{DecodeError, Recorded};

/// A row of the log in transit. Nothing in it is checked yet: [`Row::decode`] does that. Sealed parts stay sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireEvent {
    /// The position in the log.
    pub position: i64,
    /// The event's identifier.
    pub event_id: Uuid,
    /// The name of the aggregate's type.
    pub aggregate_type: String,
    /// The identifier of the aggregate.
    pub aggregate_id: String,
    /// The sequence number in the aggregate's stream.
    pub sequence: i64,
    /// The workspace that it belongs to, if there is one.
    pub workspace_id: Option<Uuid>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The event's name.
    pub event_type: String,
    /// The version of the payload.
    pub event_version: String,
    /// The payload, in its stored form.
    pub payload: Box<RawValue>,
    /// The metadata, in their stored form.
    pub metadata: Box<RawValue>,
}

impl WireEvent {
    /// The row, which borrows its parts.
    #[must_use]
    pub fn as_row(&self) -> Row<'_> {
        Row {
            position: self.position,
            event_id: self.event_id,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            workspace_id: self.workspace_id,
            recorded_at: self.recorded_at,
            event_type: &self.event_type,
            event_version: &self.event_version,
            payload: self.payload.get(),
            metadata: self.metadata.get(),
        }
    }
}

/// A row of the log that is not decoded yet. It borrows its parts.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The position in the log.
    pub position: i64,
    /// The event's identifier.
    pub event_id: Uuid,
    /// The name of the aggregate's type.
    pub aggregate_type: &'a str,
    /// The identifier of the aggregate.
    pub aggregate_id: &'a str,
    /// The sequence number in the aggregate's stream.
    pub sequence: i64,
    /// The workspace that it belongs to, if there is one.
    pub workspace_id: Option<Uuid>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The event's name.
    pub event_type: &'a str,
    /// The version of the payload.
    pub event_version: &'a str,
    /// The payload's JSON.
    pub payload: &'a str,
    /// The metadata's JSON.
    pub metadata: &'a str,
}

impl Row<'_> {
    /// The row with parts of its own. `None` if the payload or the metadata are not JSON.
    #[must_use]
    pub fn to_wire(&self) -> Option<WireEvent> {
        Some(WireEvent {
            position: self.position,
            event_id: self.event_id,
            aggregate_type: self.aggregate_type.to_owned(),
            aggregate_id: self.aggregate_id.to_owned(),
            sequence: self.sequence,
            workspace_id: self.workspace_id,
            recorded_at: self.recorded_at,
            event_type: self.event_type.to_owned(),
            event_version: self.event_version.to_owned(),
            payload: RawValue::from_string(self.payload.to_owned()).ok()?,
            metadata: RawValue::from_string(self.metadata.to_owned()).ok()?,
        })
    }

    /// The keys that seal parts of its payload and of its metadata.
    pub fn keys(&self) -> impl Iterator<Item = Uuid> + use<> {
        [personal::key_of(self.event_type, self.payload), personal::key_of_metadata(self.metadata)].into_iter().flatten()
    }

    /// Decodes the row into an event of the present version.
    ///
    /// # Errors
    /// The aggregate's type is unknown, its identifier is invalid, the payload or the metadata cannot be read, or the
    /// key of a sealed part is not in memory ([`DecodeError::missing_key`]).
    pub fn decode(&self, keys: &dyn Keys) -> Result<Recorded<Event>, DecodeError> {
        let aggregate = AggregateType::named(self.aggregate_type).ok_or_else(|| DecodeError::Aggregate(self.aggregate_type.into()))?;
        let id = Uuid::try_parse(self.aggregate_id).map_err(|source| DecodeError::Identifier { id: self.aggregate_id.into(), source })?;
        let mut metadata = serde_json::from_str::<Metadata>(self.metadata).map_err(|source| DecodeError::Metadata { source })?;
        let place = Place { stream: StreamId { aggregate, id }, sequence: self.sequence, event_type: self.event_type };
        personal::reveal_metadata(&place, self.metadata, &mut metadata, keys)
            .map_err(|source| DecodeError::sealed(self.event_type, source))?;
        let event = Event::decode(&place, self.event_version, self.payload, keys)?;
        Ok(Recorded {
            position: self.position,
            event_id: EventId(self.event_id),
            stream: place.stream,
            sequence: self.sequence,
            workspace_id: self.workspace_id.map(WorkspaceId),
            recorded_at: self.recorded_at,
            metadata,
            event,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelEvent;
    use crate::ids::UserId;
    use crate::personal::NoKeys;

    fn archived() -> String {
        let id = Uuid::from_u128(7);
        format!(
            r#"{{"position":12,"event_id":"{id}","aggregate_type":"channel","aggregate_id":"{id}","sequence":3,"workspace_id":"{id}",
            "recorded_at":"2026-01-02T03:04:05.678901Z","event_type":"channel.archived","event_version":"1",
            "payload":{{"channel.archived":{{"by":"{id}"}}}},"metadata":{{"actor":"{id}","command":"archive channel","correlation_id":"{id}"}}}}"#
        )
    }

    #[test]
    fn an_event_is_read_back_to_the_microsecond() {
        let wire = serde_json::from_str::<WireEvent>(&archived()).expect("JSON");
        let again = serde_json::from_str::<WireEvent>(&serde_json::to_string(&wire).expect("JSON")).expect("JSON");
        let read = again.as_row().decode(&NoKeys).expect("an event");
        assert_eq!(read.position, 12);
        assert_eq!(read.recorded_at.timestamp_subsec_micros(), 678_901);
        assert_eq!(read.event, Event::Channel(ChannelEvent::Archived { by: UserId(Uuid::from_u128(7)) }));
    }

    #[test]
    fn an_unknown_aggregate_a_bad_identifier_and_bad_metadata_are_refused() {
        for (from, to) in [("\"channel\"", "\"carrot\""), ("\"aggregate_id\":\"0", "\"aggregate_id\":\"x"), ("\"actor\"", "\"hero\"")] {
            let wire = serde_json::from_str::<WireEvent>(&archived().replacen(from, to, 1)).expect("JSON");
            assert!(wire.as_row().decode(&NoKeys).is_err(), "{to}");
        }
    }
}
