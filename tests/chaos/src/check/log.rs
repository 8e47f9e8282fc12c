//! The log itself: positions without gaps, increasing times, streams without gaps, and a key for every request of a
//! client.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::unseal::{self, Keys};
use super::{Violation, tell};

/// An event, as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) position: i64,
    pub(crate) aggregate_type: String,
    pub(crate) stream: Uuid,
    pub(crate) sequence: i64,
    pub(crate) event_type: String,
    /// The content below the event's name.
    pub(crate) payload: Value,
    /// Whether the event contains an unsealed client address.
    pub(crate) tells_address: bool,
    pub(crate) event_id: Uuid,
    pub(crate) workspace: Option<Uuid>,
    pub(crate) recorded_at: DateTime<Utc>,
    /// The identifier that all events of one request share.
    pub(crate) correlation: Uuid,
    pub(crate) actor: Uuid,
    /// Whether an import wrote the event. Imported events have no keys, and their times are in the past.
    pub(crate) is_import: bool,
}

impl Event {
    /// An identifier in the payload.
    pub(crate) fn id(&self, field: &str) -> Option<Uuid> {
        self.payload.get(field)?.as_str()?.parse().ok()
    }

    /// A text in the payload.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.payload.get(field)?.as_str()
    }
}

/// The command that ran with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) actor: Uuid,
    pub(crate) key: String,
    pub(crate) position: i64,
}

/// The part of the log that was read, with its keys.
#[derive(Debug, Default)]
pub(crate) struct Log {
    events: Vec<Event>,
    sequences: HashMap<(String, Uuid), i64>,
    event_ids: HashSet<Uuid>,
    keys: HashMap<String, Key>,
    keyed_positions: HashMap<i64, Uuid>,
}

impl Log {
    pub(crate) fn head(&self) -> i64 {
        self.events.len() as i64
    }

    /// The events after a position.
    pub(crate) fn since(&self, position: i64) -> &[Event] {
        self.events.get(usize::try_from(position).unwrap_or(0)..).unwrap_or_default()
    }

    pub(crate) fn key(&self, key: &str) -> Option<&Key> {
        self.keys.get(key)
    }

    /// The events of the request whose last event has this position.
    pub(crate) fn request_ending_at(&self, position: i64) -> Vec<&Event> {
        let Some(last) = usize::try_from(position - 1).ok().and_then(|index| self.events.get(index)) else { return Vec::new() };
        let before = self.events.iter().take(last.position as usize).rev();
        before.take_while(|event| event.correlation == last.correlation).collect()
    }

    /// Adds new events and keys, and judges them.
    pub(crate) fn extend(&mut self, events: Vec<Event>, keys: Vec<Key>, found: &mut Vec<Violation>) {
        let from = self.head();
        for event in events {
            self.judge(&event, found);
            self.events.push(event);
        }
        for key in keys {
            self.add_key(key, found);
        }
        self.judge_requests(from, found);
    }

    fn judge(&mut self, event: &Event, found: &mut Vec<Violation>) {
        let last = self.events.last();
        let expected = self.head() + 1;
        if event.position != expected {
            tell(found, "gap in the log", || format!("position {} stands where {expected} should", event.position));
        }
        if let Some(last) = last.filter(|last| last.recorded_at >= event.recorded_at) {
            tell(found, "recorded_at does not increase", || {
                format!("{} at {}, {} at {}", last.recorded_at, last.position, event.recorded_at, event.position)
            });
        }
        let sequence = self.sequences.entry((event.aggregate_type.clone(), event.stream)).or_default();
        *sequence += 1;
        if event.sequence != *sequence {
            let expected = *sequence;
            tell(found, "gap in a stream", || {
                format!(
                    "{} {} has {} where {expected} should stand, at {}",
                    event.aggregate_type, event.stream, event.sequence, event.position
                )
            });
            *sequence = event.sequence;
        }
        if event.tells_address {
            tell(found, "address in the log", || format!("that of {} is not sealed, at {}", event.actor, event.position));
        }
        if !self.event_ids.insert(event.event_id) {
            tell(found, "doubled event", || format!("{} stands again at {}", event.event_id, event.position));
        }
    }

    fn add_key(&mut self, key: Key, found: &mut Vec<Violation>) {
        self.keyed_positions.insert(key.position, key.actor);
        if let Some(other) = self.keys.insert(key.key.clone(), key.clone())
            && other != key
        {
            tell(found, "doubled command", || format!("key {} led to {} and to {}", key.key, other.position, key.position));
        }
    }

    /// Every request of a client has a key. If a request has events but no key, the events were written without it, or
    /// twice.
    fn judge_requests(&self, from: i64, found: &mut Vec<Violation>) {
        let fresh = self.since(from);
        for (index, event) in fresh.iter().enumerate() {
            let is_last = fresh.get(index + 1).is_none_or(|next| next.correlation != event.correlation);
            if !is_last || event.is_import || is_noted(event) || self.keyed_positions.get(&event.position) == Some(&event.actor) {
                continue;
            }
            tell(found, "event without a key", || format!("{} at {} by {}", event.event_type, event.position, event.actor));
        }
    }
}

/// Whether the server writes such an event by itself: sign-ins, reads of the audit and replays. These events have no
/// key.
fn is_noted(event: &Event) -> bool {
    matches!(event.aggregate_type.as_str(), "session" | "audit" | "installation")
}

/// The log after a position.
pub(super) async fn read(pool: &PgPool, keys: &mut Keys, after: i64) -> Result<Vec<Event>> {
    let rows = sqlx::query(
        "SELECT position, aggregate_type, aggregate_id, sequence, event_type, payload, metadata, event_id, workspace_id, recorded_at
         FROM public.events WHERE position > $1 ORDER BY position",
    );
    let rows = rows.bind(after).fetch_all(pool).await?;
    let events = rows
        .into_iter()
        .map(|row| {
            let event_type = row.try_get::<String, _>("event_type")?;
            let mut payload = row.try_get::<Value, _>("payload")?;
            let metadata = row.try_get::<Value, _>("metadata")?;
            let id = |field: &str| metadata.get(field).and_then(Value::as_str).and_then(|id| id.parse().ok()).unwrap_or_default();
            let event = Event {
                position: row.try_get("position")?,
                aggregate_type: row.try_get("aggregate_type")?,
                stream: row.try_get::<String, _>("aggregate_id")?.parse()?,
                sequence: row.try_get("sequence")?,
                payload: payload.get_mut(&event_type).map(Value::take).unwrap_or_default(),
                event_type,
                event_id: row.try_get("event_id")?,
                workspace: row.try_get("workspace_id")?,
                recorded_at: row.try_get("recorded_at")?,
                correlation: id("correlation_id"),
                actor: id("actor"),
                is_import: metadata.get("command").and_then(Value::as_str).is_some_and(|command| command.starts_with("import")),
                tells_address: metadata.get("address").is_some() && !id("actor").is_nil(),
            };
            Ok((event, metadata))
        })
        .collect::<Result<Vec<(Event, Value)>>>();
    let mut events = events?;
    let sealed = events.iter().flat_map(|(event, metadata)| [unseal::key_of(&event.payload), unseal::key_of(metadata)]);
    keys.fetch(pool, sealed.flatten()).await?;
    for (event, metadata) in &mut events {
        keys.unseal(&mut event.payload, event.stream, event.sequence, &event.event_type)?;
        keys.unseal(metadata, event.stream, event.sequence, unseal::METADATA)?;
    }
    Ok(events.into_iter().map(|(event, _)| event).collect())
}

/// The keys of the events after a position.
pub(crate) async fn read_keys(pool: &PgPool, after: i64) -> Result<Vec<Key>> {
    let rows = sqlx::query("SELECT actor_id, key, position FROM public.idempotency_keys WHERE position > $1").bind(after);
    let rows = rows.fetch_all(pool).await?;
    let key = |row: sqlx::postgres::PgRow| Ok(Key { actor: row.try_get(0)?, key: row.try_get(1)?, position: row.try_get(2)? });
    rows.into_iter().map(key).collect()
}
