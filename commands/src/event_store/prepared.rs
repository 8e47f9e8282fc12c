//! A request in its stored form, and the conflicts between the requests of a batch.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use domain::ids::{EventId, MessageId};
use domain::message::Moment;
use domain::personal::Place;
use domain::{Event, MessageEvent, Metadata, StreamId};
use keyring::Keyring;
use stores::log::digest::Content;
use uuid::Uuid;

use super::StoreError;
use super::claim::{Claim, Stored};
use super::idempotency::{Fingerprints, Remembered};
use super::memory::Key;
use super::request::{Append, Outcome, PendingEvent, StreamWrite};
use super::seal::Seal;

/// An event in its stored form. Only its position and its time are missing.
pub(super) struct Row {
    pub stream: StreamId,
    pub sequence: i64,
    pub event: Event,
    pub event_id: Uuid,
    pub aggregate_id: String,
    pub workspace_id: Option<Uuid>,
    pub payload: String,
    pub metadata: Arc<str>,
    /// The part of the digest that does not depend on the position in the log.
    pub content: [u8; 32],
}

/// A request in its stored form. The caller's task prepares it, so that the writer has less to do.
pub(super) struct Prepared {
    pub rows: Vec<Row>,
    /// The identifiers of the messages whose moment is the time of recording.
    pub drawn: Vec<MessageId>,
    /// The request's fingerprints, if it has an idempotency key.
    pub fingerprints: Option<Fingerprints>,
    /// The request's idempotency key, in its stored form.
    pub idempotency_key: Option<String>,
    /// The request's claims, in order and in their stored form.
    pub claims: Vec<Stored>,
    pub request: Append,
}

impl Prepared {
    pub(super) async fn new(mut request: Append, keys: &Keyring) -> Result<Self, StoreError> {
        let seal = Seal::of(&request, keys).await?;
        let shared: Arc<str> = serde_json::to_string(&request.metadata)?.into();
        let mut rows = Vec::with_capacity(request.writes.iter().map(|w| w.events.len()).sum());
        for write in &mut request.writes {
            let events = std::mem::take(&mut write.events);
            let causation_id = write.caused_by.and_then(|cause| last_of(&rows, cause));
            let (metadata, shared) = match causation_id {
                None => (Cow::Borrowed(&request.metadata), Arc::clone(&shared)),
                Some(_) => {
                    let metadata = Metadata { causation_id, ..request.metadata.clone() };
                    let shared = serde_json::to_string(&metadata)?.into();
                    (Cow::Owned(metadata), shared)
                }
            };
            for (sequence, pending) in (write.expected + 1..).zip(events) {
                rows.push(Row::new(write, sequence, pending, &metadata, &shared, &seal)?);
            }
        }
        let claims = request.claims.iter().map(|change| change.claim().stored(keys)).collect();
        let drawn = rows.iter().filter_map(Row::drawn).collect();
        let (fingerprints, idempotency_key) = (seal.fingerprints(&request), seal.idempotency_key(&request));
        Ok(Self { rows, drawn, fingerprints, idempotency_key, claims, request })
    }

    /// The request's fingerprint, in the form that is stored.
    pub(super) fn fingerprint(&self) -> Option<[u8; 32]> {
        self.fingerprints.as_ref()?.stored
    }

    /// The outcome of the request, if an earlier one had the same key.
    pub(super) fn replay(&self, remembered: &Remembered) -> Outcome {
        Outcome::of_used_key(remembered, self.fingerprints.as_ref())
    }

    pub(super) fn key(&self) -> Option<Key> {
        Some((self.request.metadata.actor.0, self.idempotency_key.clone()?))
    }
}

/// The last event of the stream among the rows.
fn last_of(rows: &[Row], stream: StreamId) -> Option<EventId> {
    rows.iter().rev().find(|row| row.stream == stream).map(|row| EventId(row.event_id))
}

impl Row {
    /// The message that this event posts, if its moment is the time of recording.
    fn drawn(&self) -> Option<MessageId> {
        let Event::Message(MessageEvent::Posted(posting)) = &self.event else { return None };
        (posting.moment == Moment::Recorded).then_some(MessageId(self.stream.id))
    }

    fn new(
        write: &StreamWrite,
        sequence: i64,
        pending: PendingEvent,
        metadata: &Metadata,
        shared: &Arc<str>,
        seal: &Seal,
    ) -> Result<Self, StoreError> {
        let pending = seal.hashed(pending);
        let place = Place { stream: write.stream, sequence, event_type: pending.event.wire_name() };
        let metadata = seal.metadata(&place, &pending, metadata, shared)?;
        let payload = seal.payload(&place, &pending)?;
        let (event_id, workspace_id) = (Uuid::now_v7(), write.workspace_id.map(Uuid::from));
        let aggregate_id = write.stream.id.to_string();
        let content = Content {
            aggregate_type: write.stream.aggregate.as_str(),
            aggregate_id: &aggregate_id,
            sequence,
            event_type: pending.event.wire_name(),
            event_version: pending.event.version(),
            payload: &payload,
            metadata: &metadata,
            event_id,
            workspace_id,
        }
        .hash();
        let (stream, event) = (write.stream, pending.event);
        Ok(Self { stream, sequence, event, event_id, aggregate_id, workspace_id, payload, metadata, content })
    }
}

/// The streams, claims and keys of a batch. Requests that share any of them go into different batches, so that each is
/// checked against the committed state.
#[derive(Default)]
pub(super) struct BatchScope {
    written: HashSet<StreamId>,
    guarded: HashSet<StreamId>,
    claims: HashSet<Claim>,
    keys: HashSet<Key>,
}

impl BatchScope {
    pub(super) fn overlaps(&self, prepared: &Prepared) -> bool {
        let request = &prepared.request;
        request.writes.iter().any(|w| self.written.contains(&w.stream) || self.guarded.contains(&w.stream))
            || request.guards.iter().any(|(stream, _)| self.written.contains(stream))
            || request.claims.iter().any(|change| self.claims.contains(change.claim()))
            || prepared.key().is_some_and(|key| self.keys.contains(&key))
    }

    pub(super) fn add(&mut self, prepared: &Prepared) {
        let request = &prepared.request;
        self.written.extend(request.writes.iter().map(|w| w.stream));
        self.guarded.extend(request.guards.iter().map(|(stream, _)| *stream));
        self.claims.extend(request.claims.iter().map(|change| change.claim().clone()));
        self.keys.extend(prepared.key());
    }
}
