//! An event as an auditor reads it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, WorkspaceId};
use domain::{AggregateType, Event, Recorded, StreamId};
use json_patch::PatchOperation;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AuditLog;
use super::load::{Extent, Stream};
use super::names::Causes;
use super::state::{State, withhold_text};
use super::{AuditError, Filter, Sight};

/// An event of the log: who, what, on what, when, from where, by which command, what it changed, what caused it and what it caused.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    /// Its place in the log.
    pub position: i64,
    /// Its identifier.
    pub event_id: Uuid,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it happened, where that was before: an import keeps the original times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<DateTime<Utc>>,
    /// Who did it.
    pub actor_id: Uuid,
    /// The name that others mention, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// Its name.
    pub event_type: String,
    /// The version of its payload.
    pub event_version: String,
    /// The workspace that it belongs to; a sign-in belongs to none.
    pub workspace_id: Option<Uuid>,
    /// The kind of thing that it happened to.
    pub aggregate_type: String,
    /// The thing that it happened to.
    pub aggregate_id: Uuid,
    /// That thing's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate_name: Option<String>,
    /// Its place in that thing's stream.
    pub sequence: i64,
    /// Of a message, the channel that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Uuid>,
    /// That channel's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_name: Option<String>,
    /// The command that it came of.
    pub command: String,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The session that the actor asked in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Uuid>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request, as it is named in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Shared by everything that one request set off.
    pub correlation_id: Uuid,
    /// The event that set it off, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// Where that one stands in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<i64>,
    /// Where the events stand that it has set off.
    pub caused: Vec<i64>,
    /// What happened, as `docs/EVENTS.md` shows it.
    pub payload: Value,
    /// What it changed of the thing that it happened to.
    pub changes: Vec<Change>,
    /// Whether a text is left out that the asker may not read.
    pub withheld: bool,
}

/// An operation of a JSON Patch (RFC 6902), with what was there before it in `was`, which the RFC has readers ignore who do not know it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// `add`, `remove` or `replace`.
    pub op: &'static str,
    /// Where (RFC 6901).
    #[schema(example = "/creation/topic")]
    pub path: String,
    /// What is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
}

/// Events that were found, with everything that their entries rest on. What the asker may read of them is said afterwards, of the
/// [`Found::channels`].
#[derive(Debug)]
pub struct Found {
    pub(super) positions: Vec<i64>,
    pub(super) events: Stream,
    pub(super) streams: HashMap<StreamId, Stream>,
    pub(super) names: HashMap<Uuid, String>,
    pub(super) causes: Causes,
}

impl AuditLog {
    /// The events that the filter means.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn find(&self, filter: &Filter) -> Result<Found, AuditError> {
        let positions = self.positions(filter).await?;
        self.found_at(filter.workspace_id, positions, Extent::Changes).await
    }

    /// The events that the filter means, with everything that [`Found::history`] rests on.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn history(&self, filter: &Filter) -> Result<Found, AuditError> {
        let positions = self.positions(filter).await?;
        self.found_at(filter.workspace_id, positions, Extent::Whole).await
    }

    /// The events at those positions, in that order.
    pub(super) async fn found_at(
        &self,
        workspace_id: Option<WorkspaceId>,
        positions: Vec<i64>,
        extent: Extent,
    ) -> Result<Found, AuditError> {
        let mut events = self.events_at(&positions).await?;
        self.forget_the_erased(&mut events).await?;
        if let Some(workspace_id) = workspace_id {
            self.forget_elsewhere(workspace_id, &mut events).await?;
        }
        let streams = self.streams_of(&events, extent).await?;
        let causes = self.causes_of(workspace_id, &events).await?;
        let mut found = Found { positions, events, streams, names: HashMap::new(), causes };
        found.names = self.names_of(&found.things()).await?;
        Ok(found)
    }
}

impl Found {
    /// The channels whose messages are among them.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelId> {
        let channels = self.streams.values().filter_map(|stream| conversation(stream));
        channels.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// As an auditor reads them who may read that.
    #[must_use]
    pub fn entries(&self, sight: &Sight) -> Vec<Entry> {
        let mut changes = self.streams.iter().flat_map(|(id, stream)| self.changes_of(*id, stream, sight)).collect::<HashMap<_, _>>();
        let events = self.events.iter().map(|event| (event.position, event)).collect::<HashMap<_, _>>();
        let entry = |position: &i64| {
            let changed = changes.remove(position).unwrap_or_default();
            events.get(position).map(|event| self.entry(event, changed, sight))
        };
        self.positions.iter().filter_map(entry).collect()
    }

    /// Everything whose name is to be known.
    fn things(&self) -> Vec<Uuid> {
        let of_events = self.events.iter().flat_map(|event| [event.metadata.actor.0, event.stream.id]);
        of_events.chain(self.channels().into_iter().map(|id| id.0)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What each of the events that were asked for has changed in that stream.
    fn changes_of(&self, id: StreamId, stream: &Stream, sight: &Sight) -> Vec<(i64, Vec<Change>)> {
        let asked = self.events.iter().filter(|event| event.stream == id).map(|event| event.position).collect::<BTreeSet<_>>();
        let withheld = is_withheld(conversation(stream), id, sight);
        let (mut state, mut changed) = (State::new(id.aggregate), Vec::new());
        for event in stream {
            let before = asked.contains(&event.position).then(|| state.part(&event.event));
            state.apply(&event.event);
            if let Some(before) = before {
                changed.push((event.position, shown_changes(before, state.part(&event.event), withheld)));
            }
        }
        changed
    }

    /// What happened, as far as it may be read, and whether that is not all of it.
    pub(super) fn payload(&self, event: &Recorded<Event>, sight: &Sight) -> (Value, bool) {
        let mut payload = serde_json::to_value(&event.event).unwrap_or(Value::Null);
        let channel = self.streams.get(&event.stream).and_then(|stream| conversation(stream));
        let withheld = is_withheld(channel, event.stream, sight) && withhold_text(&mut payload);
        (payload, withheld)
    }

    fn entry(&self, event: &Recorded<Event>, changes: Vec<Change>, sight: &Sight) -> Entry {
        let (metadata, stream) = (&event.metadata, event.stream);
        let channel = self.streams.get(&stream).and_then(|stream| conversation(stream));
        let name = |id: Uuid| self.names.get(&id).cloned();
        let (payload, withheld) = self.payload(event, sight);
        Entry {
            position: event.position,
            event_id: event.event_id.0,
            recorded_at: event.recorded_at,
            happened_at: metadata.occurred_at,
            actor_id: metadata.actor.0,
            actor_name: name(metadata.actor.0),
            event_type: event.event.wire_name().into(),
            event_version: event.event.version().into(),
            workspace_id: event.workspace_id.map(|id| id.0),
            aggregate_type: stream.aggregate.as_str().into(),
            aggregate_id: stream.id,
            aggregate_name: name(stream.id),
            sequence: event.sequence,
            channel_id: channel.map(|id| id.0),
            channel_name: channel.and_then(|id| name(id.0)),
            command: metadata.command.clone(),
            address: metadata.address.clone(),
            session_id: metadata.session.map(|id| id.0),
            user_agent: metadata.user_agent.clone(),
            request_id: metadata.request_id.clone(),
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id.map(|id| id.0),
            caused_by: metadata.causation_id.and_then(|id| self.causes.position_of.get(&id.0).copied()),
            caused: self.causes.effects_of.get(&event.event_id.0).cloned().unwrap_or_default(),
            payload,
            changes,
            withheld,
        }
    }
}

/// The channel of a message's stream.
pub(super) fn conversation(stream: &[Recorded<Event>]) -> Option<ChannelId> {
    let first = stream.first()?;
    let mut state = State::new(first.stream.aggregate);
    state.apply(&first.event);
    state.conversation()
}

/// Whether the texts of that stream are not to be read. That of a message whose channel is not known is not.
pub(super) fn is_withheld(channel: Option<ChannelId>, stream: StreamId, sight: &Sight) -> bool {
    stream.aggregate == AggregateType::Message && !sight.reads(channel)
}

/// What leads from one state to the next, as far as it may be read.
pub(super) fn shown_changes(mut before: Value, mut after: Value, withheld: bool) -> Vec<Change> {
    if withheld {
        withhold_text(&mut before);
        withhold_text(&mut after);
    }
    changes(before, &after)
}

/// What leads from one document to another.
pub(super) fn changes(mut document: Value, to: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for operation in json_patch::diff(&document, to).0 {
        let path = operation.path().to_string();
        let was = document.pointer(&path).cloned();
        let (op, value, was) = match &operation {
            PatchOperation::Add(added) => ("add", Some(added.value.clone()), None),
            PatchOperation::Remove(_) => ("remove", None, was),
            PatchOperation::Replace(replaced) => ("replace", Some(replaced.value.clone()), was),
            // A comparison finds none of these.
            PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => continue,
        };
        // In step, so that places in lists are those of the moment.
        if json_patch::patch(&mut document, std::slice::from_ref(&operation)).is_err() {
            break;
        }
        changes.push(Change { op, path, value, was });
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_says_what_is_there_and_what_was() {
        let before = json!({"topic": "old", "members": {"a": 1}, "reactions": {"tada": ["x", "y", "z"]}});
        let after = json!({"topic": null, "members": {"a": 1, "b": 2}, "reactions": {"tada": ["x"]}});
        let found = serde_json::to_value(changes(before.clone(), &after)).expect("JSON");
        assert!(found.as_array().expect("a list").contains(&json!({"op": "replace", "path": "/topic", "value": null, "was": "old"})));
        assert!(found.as_array().expect("a list").contains(&json!({"op": "remove", "path": "/reactions/tada/1", "was": "z"})));
        let patch = serde_json::from_value::<json_patch::Patch>(found).expect("a patch by RFC 6902");
        let mut document = before;
        json_patch::patch(&mut document, &patch).expect("it applies");
        assert_eq!(document, after);
    }

    #[test]
    fn a_withheld_text_is_in_no_change() {
        let state = |text: &str| json!({"posting": {"content": text, "formatted": {}, "author": "ann"}, "pinned": false});
        assert_eq!(shown_changes(state("secret"), state("more secret"), true), Vec::new());
        let begun = shown_changes(json!({"posting": null, "pinned": false}), state("secret"), true);
        assert_eq!(begun[0].value, Some(json!({"author": "ann"})));
    }
}
