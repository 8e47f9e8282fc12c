//! A batch: rows for the database's append function, and the call of it. One round trip, all or nothing.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{Event, Metadata, StreamId};
use sqlx::{PgPool, query_scalar};
use uuid::Uuid;

use super::claim::{Claim, ClaimChange};
use super::digest::{Content, digest};
use super::memory::Key;
use super::request::{Append, PendingEvent, StreamWrite};
use super::{StoreError, seal};

/// An event, written as it is to be stored; its position and its moment are still to come.
pub(super) struct Row {
    pub stream: StreamId,
    pub sequence: i64,
    pub event: Event,
    pub event_id: Uuid,
    workspace_id: Option<Uuid>,
    payload: String,
    metadata: Arc<str>,
    content: [u8; 32],
}

/// A request, written as it is to be stored, by its caller: the writer has less to do.
pub(super) struct Prepared {
    pub rows: Vec<Row>,
    pub request: Append,
}

impl Prepared {
    pub(super) fn new(mut request: Append) -> Result<Self, StoreError> {
        let shared: Arc<str> = serde_json::to_string(&request.metadata)?.into();
        let mut rows = Vec::with_capacity(request.writes.iter().map(|w| w.events.len()).sum());
        for write in &mut request.writes {
            let events = std::mem::take(&mut write.events);
            for (sequence, pending) in (write.expected + 1..).zip(events) {
                rows.push(Row::new(write, sequence, pending, &request.metadata, &shared)?);
            }
        }
        Ok(Self { rows, request })
    }

    pub(super) fn key(&self) -> Option<Key> {
        let used = self.request.idempotency.as_ref()?;
        Some((self.request.metadata.actor.0, used.key.as_str().to_owned()))
    }
}

impl Row {
    fn new(write: &StreamWrite, sequence: i64, pending: PendingEvent, metadata: &Metadata, shared: &Arc<str>) -> Result<Self, StoreError> {
        let metadata = match pending.original {
            None => Arc::clone(shared),
            Some((actor, at)) => serde_json::to_string(&Metadata { actor, occurred_at: Some(at), ..metadata.clone() })?.into(),
        };
        let payload = seal::seal(serde_json::to_string(&pending.event)?);
        let (event_id, workspace_id) = (Uuid::now_v7(), write.workspace_id.map(Uuid::from));
        let content = Content {
            aggregate_type: write.stream.aggregate.as_str(),
            aggregate_id: &write.stream.id.to_string(),
            sequence,
            event_type: pending.event.wire_name(),
            event_version: pending.event.version(),
            payload: &payload,
            metadata: &metadata,
            event_id,
            workspace_id,
        }
        .hash();
        Ok(Self { stream: write.stream, sequence, event: pending.event, event_id, workspace_id, payload, metadata, content })
    }
}

/// What a batch touches: requests that touch each other go into different batches, so that each is judged on what stands.
#[derive(Default)]
pub(super) struct Touched {
    written: HashSet<StreamId>,
    guarded: HashSet<StreamId>,
    claims: HashSet<Claim>,
    keys: HashSet<Key>,
}

impl Touched {
    pub(super) fn touches(&self, prepared: &Prepared) -> bool {
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

/// The arguments of the database's function, column by column.
#[derive(Default)]
pub(super) struct Columns {
    aggregate_types: Vec<&'static str>,
    aggregate_ids: Vec<String>,
    sequences: Vec<i64>,
    event_types: Vec<&'static str>,
    event_versions: Vec<&'static str>,
    payloads: Vec<String>,
    metadata: Vec<Arc<str>>,
    event_ids: Vec<Uuid>,
    workspace_ids: Vec<Option<Uuid>>,
    recorded_ats: Vec<DateTime<Utc>>,
    digests: Vec<Vec<u8>>,
    released: ClaimColumns,
    taken: ClaimColumns,
    taken_holders: Vec<Uuid>,
    key_actors: Vec<Uuid>,
    keys: Vec<String>,
    key_fingerprints: Vec<Vec<u8>>,
    key_positions: Vec<i64>,
    key_subjects: Vec<Uuid>,
}

#[derive(Default)]
struct ClaimColumns {
    kinds: Vec<&'static str>,
    scopes: Vec<Uuid>,
    values: Vec<String>,
}

impl ClaimColumns {
    fn push(&mut self, claim: &Claim) {
        self.kinds.push(claim.kind.as_str());
        self.scopes.push(claim.scope);
        self.values.push(claim.value.clone());
    }
}

impl Columns {
    /// Adds a request whose first event is to be at `first`.
    pub(super) fn add(&mut self, prepared: &Prepared, first: i64, moments: &mut impl Iterator<Item = DateTime<Utc>>) {
        let mut position = first;
        for (row, recorded_at) in prepared.rows.iter().zip(moments) {
            self.add_row(row, position, recorded_at);
            position += 1;
        }
        for change in &prepared.request.claims {
            match change {
                ClaimChange::Release(claim) => self.released.push(claim),
                ClaimChange::Take(claim, holder) => {
                    self.taken.push(claim);
                    self.taken_holders.push(*holder);
                }
            }
        }
        if let Some(used) = &prepared.request.idempotency {
            self.key_actors.push(prepared.request.metadata.actor.0);
            self.keys.push(used.key.as_str().to_owned());
            self.key_fingerprints.push(used.fingerprint.to_vec());
            self.key_positions.push(position - 1);
            self.key_subjects.push(prepared.request.subject);
        }
    }

    fn add_row(&mut self, row: &Row, position: i64, recorded_at: DateTime<Utc>) {
        self.aggregate_types.push(row.stream.aggregate.as_str());
        self.aggregate_ids.push(row.stream.id.to_string());
        self.sequences.push(row.sequence);
        self.event_types.push(row.event.wire_name());
        self.event_versions.push(row.event.version());
        self.payloads.push(row.payload.clone());
        self.metadata.push(Arc::clone(&row.metadata));
        self.event_ids.push(row.event_id);
        self.workspace_ids.push(row.workspace_id);
        self.recorded_ats.push(recorded_at);
        self.digests.push(digest(position, recorded_at, &row.content).to_vec());
    }

    pub(super) fn len(&self) -> usize {
        self.sequences.len()
    }

    /// When the last event is recorded.
    pub(super) fn last_recorded_at(&self) -> DateTime<Utc> {
        self.recorded_ats.last().copied().unwrap_or_default()
    }

    /// Appends behind `expected_head`, and returns where the log ended before: at `expected_head`, or nothing was appended.
    pub(super) async fn append(&self, pool: &PgPool, expected_head: i64) -> Result<i64, sqlx::Error> {
        let metadata = self.metadata.iter().map(AsRef::as_ref).collect::<Vec<&str>>();
        query_scalar!(
            r#"SELECT append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
               AS "head!""#,
            expected_head,
            &self.aggregate_types as _,
            &self.aggregate_ids as _,
            &self.sequences,
            &self.event_types as _,
            &self.event_versions as _,
            &self.payloads,
            &metadata as _,
            &self.event_ids,
            &self.workspace_ids as _,
            &self.recorded_ats,
            &self.digests,
            &self.released.kinds as _,
            &self.released.scopes,
            &self.released.values,
            &self.taken.kinds as _,
            &self.taken.scopes,
            &self.taken.values,
            &self.taken_holders,
            &self.key_actors,
            &self.keys,
            &self.key_fingerprints,
            &self.key_positions,
            &self.key_subjects,
        )
        .fetch_one(pool)
        .await
    }
}
