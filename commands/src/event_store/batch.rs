//! A batch: the columns for the database's append function, and its call. It takes one round trip, and all events are
//! appended or none.

use chrono::{DateTime, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, PgPool, Postgres, Type, query_scalar};
use stores::log::digest::digest;
use uuid::Uuid;

use super::claim::{ClaimChange, Stored};
use super::prepared::{Prepared, Row};

/// The arguments of the database's function, one for each column.
#[derive(Default)]
pub(super) struct Columns<'a> {
    aggregate_types: Vec<&'static str>,
    aggregate_ids: Vec<&'a str>,
    sequences: Vec<i64>,
    event_types: Vec<&'static str>,
    event_versions: Vec<&'static str>,
    payloads: Vec<Json<'a>>,
    metadata: Vec<Json<'a>>,
    event_ids: Vec<Uuid>,
    workspace_ids: Vec<Option<Uuid>>,
    recorded_ats: Vec<DateTime<Utc>>,
    digests: Vec<[u8; 32]>,
    released: ClaimColumns<'a>,
    taken: ClaimColumns<'a>,
    taken_holders: Vec<Uuid>,
    key_actors: Vec<Uuid>,
    keys: Vec<&'a str>,
    key_fingerprints: Vec<[u8; 32]>,
    key_positions: Vec<i64>,
    key_subjects: Vec<Uuid>,
}

#[derive(Default)]
struct ClaimColumns<'a> {
    kinds: Vec<&'static str>,
    scopes: Vec<Uuid>,
    values: Vec<&'a str>,
}

impl<'a> ClaimColumns<'a> {
    fn push(&mut self, claim: &'a Stored) {
        self.kinds.push(claim.kind);
        self.scopes.push(claim.scope);
        self.values.push(&claim.value);
    }
}

impl<'a> Columns<'a> {
    /// The columns of these requests. The first event gets the position `first`.
    pub(super) fn of(
        requests: impl Iterator<Item = &'a Prepared> + Clone,
        first: i64,
        mut moments: impl Iterator<Item = DateTime<Utc>>,
    ) -> Self {
        let mut columns = Self::with_capacity(requests.clone().map(|prepared| prepared.rows.len()).sum());
        for prepared in requests {
            columns.add(prepared, first, &mut moments);
        }
        columns
    }

    fn with_capacity(events: usize) -> Self {
        Self {
            aggregate_types: Vec::with_capacity(events),
            aggregate_ids: Vec::with_capacity(events),
            sequences: Vec::with_capacity(events),
            event_types: Vec::with_capacity(events),
            event_versions: Vec::with_capacity(events),
            payloads: Vec::with_capacity(events),
            metadata: Vec::with_capacity(events),
            event_ids: Vec::with_capacity(events),
            workspace_ids: Vec::with_capacity(events),
            recorded_ats: Vec::with_capacity(events),
            digests: Vec::with_capacity(events),
            ..Self::default()
        }
    }

    fn add(&mut self, prepared: &'a Prepared, first: i64, moments: &mut impl Iterator<Item = DateTime<Utc>>) {
        for (row, recorded_at) in prepared.rows.iter().zip(moments) {
            self.add_row(row, first + self.len() as i64, recorded_at);
        }
        for (change, claim) in prepared.request.claims.iter().zip(&prepared.claims) {
            match change {
                ClaimChange::Release(_) => self.released.push(claim),
                ClaimChange::Take(_, holder) => {
                    self.taken.push(claim);
                    self.taken_holders.push(*holder);
                }
            }
        }
        if let (Some(key), Some(fingerprint)) = (&prepared.idempotency_key, prepared.fingerprint()) {
            self.key_actors.push(prepared.request.metadata.actor.0);
            self.keys.push(key);
            self.key_fingerprints.push(fingerprint);
            self.key_positions.push(first + self.len() as i64 - 1);
            self.key_subjects.push(prepared.request.subject);
        }
    }

    fn add_row(&mut self, row: &'a Row, position: i64, recorded_at: DateTime<Utc>) {
        self.aggregate_types.push(row.stream.aggregate.as_str());
        self.aggregate_ids.push(&row.aggregate_id);
        self.sequences.push(row.sequence);
        self.event_types.push(row.event.wire_name());
        self.event_versions.push(row.event.version());
        self.payloads.push(Json(&row.payload));
        self.metadata.push(Json(&row.metadata));
        self.event_ids.push(row.event_id);
        self.workspace_ids.push(row.workspace_id);
        self.recorded_ats.push(recorded_at);
        self.digests.push(digest(position, recorded_at, &row.content));
    }

    pub(super) fn len(&self) -> usize {
        self.sequences.len()
    }

    /// The times at which the events are recorded.
    pub(super) fn into_recorded_ats(self) -> Vec<DateTime<Utc>> {
        self.recorded_ats
    }

    /// Appends after `expected_head`, and returns the end of the log before the call. If that is not `expected_head`,
    /// nothing was appended.
    pub(super) async fn append(&self, pool: &PgPool, expected_head: i64) -> Result<i64, sqlx::Error> {
        query_scalar!(
            r#"SELECT append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
               AS "head!""#,
            expected_head,
            &self.aggregate_types as _,
            &self.aggregate_ids as _,
            &self.sequences,
            &self.event_types as _,
            &self.event_versions as _,
            &self.payloads as _,
            &self.metadata as _,
            &self.event_ids,
            &self.workspace_ids as _,
            &self.recorded_ats,
            &self.digests as _,
            &self.released.kinds as _,
            &self.released.scopes,
            &self.released.values as _,
            &self.taken.kinds as _,
            &self.taken.scopes,
            &self.taken.values as _,
            &self.taken_holders,
            &self.key_actors,
            &self.keys as _,
            &self.key_fingerprints as _,
            &self.key_positions,
            &self.key_subjects,
        )
        .fetch_one(pool)
        .await
    }
}

/// A document of the type `json`. The text was written by this program.
struct Json<'a>(&'a str);

impl Type<Postgres> for Json<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(114))
    }
}

impl PgHasArrayType for Json<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(199))
    }
}

impl Encode<'_, Postgres> for Json<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&str as Encode<Postgres>>::encode(self.0, buffer)
    }
}
