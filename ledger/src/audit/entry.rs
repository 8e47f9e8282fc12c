//! An event as the audit shows it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
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
use super::{AuditError, Filter, TextAccess};

/// The name of the actor if the server itself acted. `actor_id` tells it from a user of this name.
const SERVER: &str = "server";

/// An event of the log: the actor, the aggregate, the time, the origin, the command, the changes, the causes and the
/// effects.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// The position in the log.
    pub position: i64,
    /// The event's identifier.
    pub event_id: Uuid,
    /// When it was recorded.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub recorded_at: DateTime<Utc>,
    /// When it happened, if that was before it was recorded: an import keeps the original times.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub happened_at: Option<DateTime<Utc>>,
    /// The actor.
    pub actor_id: Uuid,
    /// The actor's user name, if it is known. `server` if the server itself acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// For a command of the command line, where nobody is signed in: the user of the operating system and the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ann at db1 (command line)")]
    pub by: Option<String>,
    /// The event's name.
    pub event_type: String,
    /// The version of its payload.
    pub event_version: String,
    /// The workspace. A sign-in has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate's identifier.
    pub aggregate_id: Uuid,
    /// The aggregate's name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate_name: Option<String>,
    /// The place in the aggregate's stream.
    pub sequence: i64,
    /// For an event of a message: the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Uuid>,
    /// The channel's name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_name: Option<String>,
    /// The command that made the event.
    pub command: String,
    /// The IP address of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The session of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Uuid>,
    /// The client's `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request's identifier, as in the server's log lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The correlation: all events of one request have the same.
    pub correlation_id: Uuid,
    /// The event that caused this one, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// The position of the causing event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<i64>,
    /// The positions of the events that this one caused.
    pub caused: Vec<i64>,
    /// The payload, as described in `docs/EVENTS.md`.
    pub payload: Value,
    /// The changes to the aggregate.
    pub changes: Vec<Change>,
    /// Whether a text is left out that the caller may not read.
    pub withheld: bool,
}

/// An operation of a JSON Patch (RFC 6902), with the former value in `was`. The RFC says that readers ignore members
/// that they do not know.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = StateChange)]
pub struct Change {
    /// `add`, `remove` or `replace`.
    pub op: &'static str,
    /// The path (RFC 6901).
    #[schema(example = "/creation/topic")]
    pub path: String,
    /// The new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The former value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
}

/// Events that were found, with everything that their entries need. Texts are withheld later, according to the
/// [`FoundEvents::channels`] that the caller may read.
#[derive(Debug)]
pub struct FoundEvents {
    pub(super) positions: Vec<i64>,
    pub(super) events: Stream,
    pub(super) streams: HashMap<StreamId, Stream>,
    pub(super) names: HashMap<Uuid, String>,
    pub(super) causes: Causes,
}

impl AuditLog {
    /// Returns the events that match the filter.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn find(&self, filter: &Filter) -> Result<FoundEvents, AuditError> {
        let positions = self.positions(filter).await?;
        self.found_at(filter.workspace_id, positions, Extent::Changes).await
    }

    /// Returns the events that match the filter, with everything that [`FoundEvents::history`] needs.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn history(&self, filter: &Filter) -> Result<FoundEvents, AuditError> {
        let positions = self.positions(filter).await?;
        self.found_at(filter.workspace_id, positions, Extent::Whole).await
    }

    /// Returns the events at these positions, in that order.
    pub(super) async fn found_at(
        &self,
        workspace_id: Option<WorkspaceId>,
        positions: Vec<i64>,
        extent: Extent,
    ) -> Result<FoundEvents, AuditError> {
        let mut events = self.events_at(&positions).await?;
        self.remove_addresses_of_erased(&mut events).await?;
        if let Some(workspace_id) = workspace_id {
            self.remove_unrelated_addresses(workspace_id, &mut events).await?;
        }
        let streams = self.streams_of(&events, extent).await?;
        let causes = self.causes_of(workspace_id, &events).await?;
        let mut found = FoundEvents { positions, events, streams, names: HashMap::new(), causes };
        found.names = self.names_of(&found.things()).await?;
        Ok(found)
    }
}

impl FoundEvents {
    /// The channels of the messages among them.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelId> {
        let channels = self.streams.values().filter_map(|stream| conversation(stream));
        channels.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// How many events were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether no event was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The entries of the events, with the texts that the caller may read.
    #[must_use]
    pub fn entries(&self, access: &TextAccess) -> Vec<Entry> {
        let mut changes = self.streams.iter().flat_map(|(id, stream)| self.changes_of(*id, stream, access)).collect::<HashMap<_, _>>();
        let events = self.events.iter().map(|event| (event.position, event)).collect::<HashMap<_, _>>();
        let entry = |position: &i64| {
            let changed = changes.remove(position).unwrap_or_default();
            events.get(position).map(|event| self.entry(event, changed, access))
        };
        self.positions.iter().filter_map(entry).collect()
    }

    /// The identifiers whose names the entries show.
    fn things(&self) -> Vec<Uuid> {
        let of_events = self.events.iter().flat_map(|event| [event.metadata.actor.0, event.stream.id]);
        of_events.chain(self.channels().into_iter().map(|id| id.0)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The changes that each found event made to a stream.
    fn changes_of(&self, id: StreamId, stream: &Stream, access: &TextAccess) -> Vec<(i64, Vec<Change>)> {
        let asked = self.events.iter().filter(|event| event.stream == id).map(|event| event.position).collect::<BTreeSet<_>>();
        let withheld = is_withheld(conversation(stream), id, access);
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

    /// The payload without texts that the caller may not read, and whether a text was left out.
    pub(super) fn payload(&self, event: &Recorded<Event>, access: &TextAccess) -> (Value, bool) {
        let mut payload = serde_json::to_value(&event.event).unwrap_or(Value::Null);
        let channel = self.streams.get(&event.stream).and_then(|stream| conversation(stream));
        let withheld = is_withheld(channel, event.stream, access) && withhold_text(&mut payload);
        (domain::document::shown(payload), withheld)
    }

    fn entry(&self, event: &Recorded<Event>, changes: Vec<Change>, access: &TextAccess) -> Entry {
        let (metadata, stream) = (&event.metadata, event.stream);
        let channel = self.streams.get(&stream).and_then(|stream| conversation(stream));
        let name = |id: Uuid| self.names.get(&id).cloned();
        let (payload, withheld) = self.payload(event, access);
        Entry {
            position: event.position,
            event_id: event.event_id.0,
            recorded_at: event.recorded_at,
            happened_at: metadata.occurred_at,
            actor_id: metadata.actor.0,
            actor_name: if metadata.actor == UserId::SYSTEM { Some(SERVER.into()) } else { name(metadata.actor.0) },
            by: metadata.command_line().map(|called| format!("{} (command line)", called.by())),
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

/// Whether the texts of a stream are withheld. They are withheld if the message's channel is not known.
pub(super) fn is_withheld(channel: Option<ChannelId>, stream: StreamId, access: &TextAccess) -> bool {
    stream.aggregate == AggregateType::Message && !access.reads(channel)
}

/// The changes between two states, without withheld texts.
pub(super) fn shown_changes(mut before: Value, mut after: Value, withheld: bool) -> Vec<Change> {
    if withheld {
        withhold_text(&mut before);
        withhold_text(&mut after);
    }
    changes(before, &after)
}

/// The changes between two JSON documents.
pub(super) fn changes(mut document: Value, to: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for operation in json_patch::diff(&document, to).0 {
        let path = operation.path().to_string();
        let was = document.pointer(&path).filter(|was| !was.is_null()).cloned();
        let (op, value, was) = match &operation {
            PatchOperation::Add(added) => ("add", Some(added.value.clone()), None),
            PatchOperation::Remove(_) => ("remove", None, was),
            PatchOperation::Replace(replaced) => ("replace", Some(replaced.value.clone()), was),
            // A comparison never finds these operations.
            PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => continue,
        };
        // The document is patched step by step, so that indexes of lists are right at each step.
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
    fn a_change_has_the_new_and_the_former_value() {
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
