//! Reads events and their streams from the log.

use std::collections::{BTreeMap, HashMap};

use domain::{Event, Recorded, StreamId};
use stores::log::Delivery;
use stores::log::read::{self, StreamPrefix};

use super::AuditError;
use super::AuditLog;
use super::state::left_out;

/// How much of the streams is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All events.
    Whole,
    /// Only the events needed to see what the found events changed.
    Changes,
}

/// The first events of a stream, in order.
pub(super) type Stream = Vec<Recorded<Event>>;

impl AuditLog {
    /// Returns the events at these positions, in order of the positions.
    pub(super) async fn events_at(&self, positions: &[i64]) -> Result<Stream, AuditError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let mut ascending = positions.to_vec();
        ascending.sort_unstable();
        decoded(read::read_positions(&self.pool, &self.keys, &ascending).await?)
    }

    /// Returns the streams of these events, each up to the last of them: whole, or only what their changes need.
    pub(super) async fn streams_of(&self, events: &[Recorded<Event>], extent: Extent) -> Result<HashMap<StreamId, Stream>, AuditError> {
        let mut streams = HashMap::<StreamId, BTreeMap<i64, Recorded<Event>>>::new();
        for event in events {
            streams.entry(event.stream).or_default().insert(event.sequence, event.clone());
        }
        // A stream whose first events are all here need not be read: most messages have only one event.
        let last = |stream: &BTreeMap<i64, Recorded<Event>>| stream.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let is_whole = |stream: &BTreeMap<i64, Recorded<Event>>| i64::try_from(stream.len()).is_ok_and(|count| count == last(stream));
        let prefix = |(id, stream): (&StreamId, &BTreeMap<i64, Recorded<Event>>)| StreamPrefix {
            stream: *id,
            to: last(stream),
            only_about: match extent {
                Extent::Whole => None,
                Extent::Changes => left_out(id.aggregate, &stream.values().map(|event| &event.event).collect::<Vec<_>>()),
            },
        };
        let wanted = streams.iter().filter(|(_, stream)| !is_whole(stream)).map(prefix).collect::<Vec<_>>();
        for event in self.prefixes(&wanted).await? {
            streams.entry(event.stream).or_default().insert(event.sequence, event);
        }
        Ok(streams.into_iter().map(|(id, stream)| (id, stream.into_values().collect())).collect())
    }

    /// Returns all events of these streams.
    pub(super) async fn whole_streams(&self, streams: &[StreamId]) -> Result<Stream, AuditError> {
        let whole = |stream: &StreamId| StreamPrefix { stream: *stream, to: i64::MAX, only_about: None };
        self.prefixes(&streams.iter().map(whole).collect::<Vec<_>>()).await
    }

    async fn prefixes(&self, streams: &[StreamPrefix]) -> Result<Stream, AuditError> {
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
