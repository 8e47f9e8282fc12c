//! The events and the streams that they change, from the log, through its one reading and decoding.

use std::collections::{BTreeMap, HashMap};

use domain::{Event, Recorded, StreamId};

use super::AuditError;
use crate::feed::Delivery;
use crate::feed::log;
use crate::read_models::ReadModels;

/// The first events of a stream, in order.
pub(super) type Stream = Vec<Recorded<Event>>;

impl ReadModels {
    /// The events at those positions, in the order of the positions.
    pub(super) async fn events_at(&self, positions: &[i64]) -> Result<Stream, AuditError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let mut ascending = positions.to_vec();
        ascending.sort_unstable();
        decoded(log::read_positions(&self.pool, &ascending).await?)
    }

    /// The streams of those events, each from its first event up to the last of these.
    pub(super) async fn streams_of(&self, events: &[Recorded<Event>]) -> Result<HashMap<StreamId, Stream>, AuditError> {
        let mut streams = HashMap::<StreamId, BTreeMap<i64, Recorded<Event>>>::new();
        for event in events {
            streams.entry(event.stream).or_default().insert(event.sequence, event.clone());
        }
        // Whose events are here from the first one on need not be asked for: most messages have only one.
        let last = |stream: &BTreeMap<i64, Recorded<Event>>| stream.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let is_whole = |stream: &BTreeMap<i64, Recorded<Event>>| i64::try_from(stream.len()).is_ok_and(|count| count == last(stream));
        let wanted = streams.iter().filter(|(_, stream)| !is_whole(stream)).map(|(id, stream)| (*id, last(stream))).collect::<Vec<_>>();
        for event in self.streams_up_to(&wanted).await? {
            streams.entry(event.stream).or_default().insert(event.sequence, event);
        }
        Ok(streams.into_iter().map(|(id, stream)| (id, stream.into_values().collect())).collect())
    }

    /// The events of those streams, each up to and with that place in it.
    pub(super) async fn streams_up_to(&self, streams: &[(StreamId, i64)]) -> Result<Stream, AuditError> {
        if streams.is_empty() {
            return Ok(Vec::new());
        }
        decoded(log::read_streams(&self.pool, streams).await?)
    }
}

fn decoded(deliveries: Vec<Delivery>) -> Result<Stream, AuditError> {
    let read = |delivery: Delivery| delivery.event.map_err(|source| AuditError::Unreadable { position: delivery.position, source });
    deliveries.into_iter().map(read).collect()
}
