//! An event as the log stores it, without the context of an entry.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::TextAccess;
use super::entry::FoundEvents;

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LogRow {
    /// The position in the log.
    pub position: i64,
    /// The event's identifier.
    pub event_id: Uuid,
    /// When it was recorded.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub recorded_at: DateTime<Utc>,
    /// The actor.
    pub actor_id: Uuid,
    /// The workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate's identifier.
    pub aggregate_id: Uuid,
    /// The place in the aggregate's stream.
    pub sequence: i64,
    /// The event's name.
    pub event_type: String,
    /// The version of its payload.
    pub event_version: String,
    /// The payload.
    pub payload: Value,
    /// The metadata: the circumstances of the event.
    pub metadata: Value,
    /// Whether a text is left out that the caller may not read.
    pub withheld: bool,
}

impl FoundEvents {
    /// The events as the log stores them, with the texts that the caller may read.
    #[must_use]
    pub fn rows(&self, access: &TextAccess) -> Vec<LogRow> {
        let events = self.events.iter().map(|event| (event.position, event)).collect::<HashMap<_, _>>();
        let row = |position: &i64| {
            let event = events.get(position)?;
            let (payload, withheld) = self.payload(event, access);
            Some(LogRow {
                position: event.position,
                event_id: event.event_id.0,
                recorded_at: event.recorded_at,
                actor_id: event.metadata.actor.0,
                workspace_id: event.workspace_id.map(|id| id.0),
                aggregate_type: event.stream.aggregate.as_str().into(),
                aggregate_id: event.stream.id,
                sequence: event.sequence,
                event_type: event.event.wire_name().into(),
                event_version: event.event.version().into(),
                payload,
                metadata: domain::document::shown(serde_json::to_value(&event.metadata).unwrap_or_default()),
                withheld,
            })
        };
        self.positions.iter().filter_map(row).collect()
    }
}
