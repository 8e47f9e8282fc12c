//! An event as the log holds it, for who wants no more than that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Sight;
use super::entry::Found;

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LogRow {
    /// Its place in the log.
    pub position: i64,
    /// Its identifier.
    pub event_id: Uuid,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who did it.
    pub actor_id: Uuid,
    /// The workspace that it belongs to.
    pub workspace_id: Option<Uuid>,
    /// The kind of thing that it happened to.
    pub aggregate_type: String,
    /// The thing that it happened to.
    pub aggregate_id: Uuid,
    /// Its place in that thing's stream.
    pub sequence: i64,
    /// Its name.
    pub event_type: String,
    /// The version of its payload.
    pub event_version: String,
    /// What happened.
    pub payload: Value,
    /// Under which circumstances.
    pub metadata: Value,
    /// Whether a text is left out that the asker may not read.
    pub withheld: bool,
}

impl Found {
    /// As the log holds them, for who may read that.
    #[must_use]
    pub fn rows(&self, sight: &Sight) -> Vec<LogRow> {
        let events = self.events.iter().map(|event| (event.position, event)).collect::<HashMap<_, _>>();
        let row = |position: &i64| {
            let event = events.get(position)?;
            let (payload, withheld) = self.payload(event, sight);
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
                metadata: serde_json::to_value(&event.metadata).unwrap_or(Value::Null),
                withheld,
            })
        };
        self.positions.iter().filter_map(row).collect()
    }
}
