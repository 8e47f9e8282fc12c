//! The events and the streams that they change, from the log, through its one reading and decoding.

use std::collections::{BTreeMap, HashMap};

use domain::{Event, Recorded, StreamId};
use stores::log::Delivery;
use stores::log::read::{self, Beginning};

use super::AuditError;
use super::AuditLog;
use super::state::left_out;

/// How much of its streams is read with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything.
    Whole,
    /// What tells what the events have changed.
    Changes,
}

/// The first events of a stream, in order.
pub(super) type Stream = Vec<Recorded<Event>>;

impl AuditLog {
    /// The events at those positions, in the order of the positions.
    pub(super) async fn events_at(&self, positions: &[i64]) -> Result<Stream, AuditError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let mut ascending = positions.to_vec();
        ascending.sort_unstable();
        decoded(read::read_positions(&self.pool, &self.keys, &ascending).await?)
    }

    /// The streams of those events, each from its first event up to the last of these; whole, or as far as the events' changes rest on them.
    pub(super) async fn streams_of(&self, events: &[Recorded<Event>], extent: Extent) -> Result<HashMap<StreamId, Stream>, AuditError> {
        let mut streams = HashMap::<StreamId, BTreeMap<i64, Recorded<Event>>>::new();
        for event in events {
            streams.entry(event.stream).or_default().insert(event.sequence, event.clone());
        }
        // Whose events are here from the first one on need not be asked for: most messages have only one.
        let last = |stream: &BTreeMap<i64, Recorded<Event>>| stream.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let is_whole = |stream: &BTreeMap<i64, Recorded<Event>>| i64::try_from(stream.len()).is_ok_and(|count| count == last(stream));
        let beginning = |(id, stream): (&StreamId, &BTreeMap<i64, Recorded<Event>>)| Beginning {
            stream: *id,
            to: last(stream),
            only_about: match extent {
                Extent::Whole => None,
                Extent::Changes => left_out(id.aggregate, &stream.values().map(|event| &event.event).collect::<Vec<_>>()),
            },
        };
        let wanted = streams.iter().filter(|(_, stream)| !is_whole(stream)).map(beginning).collect::<Vec<_>>();
        for event in self.beginnings(&wanted).await? {
            streams.entry(event.stream).or_default().insert(event.sequence, event);
        }
        Ok(streams.into_iter().map(|(id, stream)| (id, stream.into_values().collect())).collect())
    }

    /// The events of those streams.
    pub(super) async fn whole_streams(&self, streams: &[StreamId]) -> Result<Stream, AuditError> {
        let whole = |stream: &StreamId| Beginning { stream: *stream, to: i64::MAX, only_about: None };
        self.beginnings(&streams.iter().map(whole).collect::<Vec<_>>()).await
    }

    async fn beginnings(&self, streams: &[Beginning]) -> Result<Stream, AuditError> {
        if streams.is_empty() {
            return Ok(Vec::new());
        }
        decoded(read::read_streams(&self.pool, &self.keys, streams).await?)
    }
}

fn decoded(deliveries: Vec<Delivery>) -> Result<Stream, AuditError> {
    let read = |delivery: Delivery| delivery.event.map_err(|source| AuditError::Unreadable { position: delivery.position, source });
    deliveries.into_iter().map(read).collect()
}
