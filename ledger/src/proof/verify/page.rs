//! A page of the log: each event reduced to the compared values, and the tiles beside it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use domain::personal;
use futures::StreamExt;
use sqlx::{PgConnection, query};
use stores::log::copy_out::{Malformed, Parser, Values, bytes, int8, micros};

use super::VerifyError;
use crate::proof::digest::StoredEvent;
use crate::proof::tiles::TileId;
use crate::proof::tree::{Hash, leaf_hash};

/// The columns of an event, including its digest.
const FIELDS: usize = 12;

/// Random states for hashing stream names: nobody can choose names with equal hashes.
static STREAMS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// An event, reduced to the compared values.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventSummary {
    pub(super) position: i64,
    /// In Unix microseconds.
    pub(super) recorded_at: i64,
    /// Its stream, as a hash of 128 bits.
    pub(super) stream: u128,
    pub(super) sequence: i64,
    pub(super) columns: Columns,
    pub(super) leaf: Hash,
}

/// How the columns of an event relate to its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// They have the digest.
    Match,
    /// They do not have the digest, but the payload is what a purge leaves.
    Emptied,
    /// They do not have the digest, but the payload has lost the identifier that a client gave to the message.
    WithoutClientId,
    /// They do not have the digest.
    Changed,
}

/// The events of a page, in order, and its tiles of level 0, by index.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) events: Vec<EventSummary>,
    pub(super) tiles: HashMap<u64, Vec<u8>>,
}

/// Reads the events behind `after`, up to and including `to`.
pub(super) async fn read(connection: &mut PgConnection, after: i64, to: i64) -> Result<Page, VerifyError> {
    let statement = format!(
        "COPY (SELECT position, event_id, aggregate_type, aggregate_id, sequence, workspace_id, recorded_at, event_type, event_version, \
         payload, metadata, digest FROM events WHERE position > {after} AND position <= {to} ORDER BY position) TO STDOUT (FORMAT binary)"
    );
    let mut page = Page::default();
    let mut parser = Parser::<FIELDS>::default();
    let mut rows = connection.copy_out_raw(&statement).await?;
    while let Some(bytes) = rows.next().await {
        parser.feed(&bytes?, |row| {
            page.events.push(reduce(&as_event(row)?));
            Ok(())
        })?;
    }
    drop(rows);
    let tiles = query!("SELECT index, hashes FROM proof.tiles WHERE level = 0 AND index BETWEEN $1 AND $2", after / 256, (to - 1) / 256);
    page.tiles = tiles.fetch_all(connection).await?.into_iter().map(|tile| (tile.index.unsigned_abs(), tile.hashes)).collect();
    Ok(page)
}

/// Reads the tiles above level 0: one hash for each 256 events, and fewer at higher levels.
pub(super) async fn upper_tiles(connection: &mut PgConnection) -> sqlx::Result<HashMap<TileId, Vec<u8>>> {
    let tiles = query!("SELECT level, index, hashes FROM proof.tiles WHERE level > 0").fetch_all(connection).await?;
    let named = |level: i16, index: i64| TileId { level: level.try_into().unwrap_or(u8::MAX), index: index.unsigned_abs() };
    Ok(tiles.into_iter().map(|tile| (named(tile.level, tile.index), tile.hashes)).collect())
}

fn as_event(values: Values<'_, FIELDS>) -> Result<StoredEvent<'_>, Malformed> {
    let [
        position,
        event_id,
        aggregate_type,
        aggregate_id,
        sequence,
        workspace_id,
        recorded_at,
        event_type,
        event_version,
        payload,
        metadata,
        digest,
    ] = values;
    Ok(StoredEvent {
        position: int8(position)?,
        aggregate_type: bytes(aggregate_type)?,
        aggregate_id: bytes(aggregate_id)?,
        sequence: int8(sequence)?,
        event_type: bytes(event_type)?,
        event_version: bytes(event_version)?,
        payload: bytes(payload)?,
        metadata: bytes(metadata)?,
        event_id: bytes(event_id)?,
        workspace_id,
        recorded_at: micros(recorded_at)?,
        digest: bytes(digest)?,
    })
}

fn reduce(event: &StoredEvent<'_>) -> EventSummary {
    let half = |state: &RandomState| u128::from(state.hash_one((event.aggregate_type, event.aggregate_id)));
    let [high, low] = &*STREAMS;
    EventSummary {
        position: event.position,
        recorded_at: event.recorded_at,
        stream: half(high) << 64 | half(low),
        sequence: event.sequence,
        columns: columns(event),
        leaf: leaf_hash(event.digest),
    }
}

fn columns(event: &StoredEvent<'_>) -> Columns {
    if event.computed() == event.digest {
        return Columns::Match;
    }
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let (event_type, payload) = (text(event.event_type), text(event.payload));
    if personal::is_erased(event_type, payload) {
        Columns::Emptied
    } else if personal::lost_client_id(event_type, payload) {
        Columns::WithoutClientId
    } else {
        Columns::Changed
    }
}
