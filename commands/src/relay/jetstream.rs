//! Publishing to JetStream: subjects, headers (CloudEvents' binding for NATS, binary mode), and the order.

use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::{Client, HeaderMap, jetstream};
use chrono::SecondsFormat;
use domain::wire_event::WireEvent;
use futures::future::try_join_all;
use uuid::Uuid;

use super::leader::Cursor;
use super::{RelayError, nats_error};

/// The header with the position.
const POSITION: &str = "ce-position";
/// The header with the event's identifier.
const EVENT_ID: &str = "ce-id";
/// The header with the previous position in the same partition. It is 0 for the first.
const PREVIOUS_POSITION: &str = "ce-previousposition";

pub(super) struct Publisher {
    context: jetstream::Context,
    /// The prefix of every subject.
    root: String,
    /// The sequence number of the stream's last message. The next message must follow it.
    last_sequence: u64,
    /// The position of the stream's last message. It is 0 if there is none.
    last_position: i64,
    /// The event of the stream's last message.
    last_event_id: Option<Uuid>,
}

impl Publisher {
    /// Creates the stream if it does not exist, and finds its end.
    pub(super) async fn connect(nats: &Client, stream: &str) -> Result<Self, RelayError> {
        let context = jetstream::new(nats.clone());
        let config = migrations::nats::events_stream(stream);
        let stream_handle = context.get_or_create_stream(config).await.map_err(nats_error("open the stream"))?;
        let last_sequence = stream_handle.get_info().await.map_err(nats_error("describe the stream"))?.state.last_sequence;
        let root = migrations::nats::subjects_root(stream);
        let last = match stream_handle.get_last_raw_message_by_subject(&format!("{root}.>")).await {
            Ok(message) => Some(message.headers),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => None,
            Err(error) => return Err(nats_error("find the last message")(error)),
        };
        let header = |name| last.as_ref().and_then(|headers| headers.get(name));
        let last_position = header(POSITION).and_then(|value| value.as_str().parse().ok()).unwrap_or(0);
        let last_event_id = header(EVENT_ID).and_then(|value| value.as_str().parse().ok());
        Ok(Self { context, root, last_sequence, last_position, last_event_id })
    }

    /// The position and the event of the stream's last message, if it names both.
    pub(super) fn last_event(&self) -> Option<(i64, Uuid)> {
        self.last_event_id.filter(|_| self.last_position > 0).map(|event_id| (self.last_position, event_id))
    }

    /// Deletes the stream, with everything that NATS remembers of it.
    pub(super) async fn delete(self, stream: &str) -> Result<(), RelayError> {
        self.context.delete_stream(stream).await.map(drop).map_err(nats_error("delete the stream"))
    }

    /// The position of the stream's last message. It is 0 if there is none.
    pub(super) fn last_position(&self) -> i64 {
        self.last_position
    }

    /// Publishes the events in order, without waiting between them. Returns when the server has acknowledged all of
    /// them.
    pub(super) async fn publish(&mut self, events: &[WireEvent], cursor: &mut Cursor) -> Result<(), RelayError> {
        let mut acks = Vec::with_capacity(events.len());
        for event in events {
            acks.push(self.send(event, cursor).await?);
        }
        try_join_all(acks.into_iter().map(IntoFuture::into_future)).await.map_err(nats_error("acknowledge an event"))?;
        Ok(())
    }

    async fn send(&mut self, event: &WireEvent, cursor: &mut Cursor) -> Result<PublishAckFuture, RelayError> {
        let partition = cursor.partition(event.workspace_id);
        let previous = cursor.advance(event.position, event.workspace_id);
        let message = PublishMessage::build()
            .payload(serde_json::to_vec(event)?.into())
            .headers(headers(event, previous))
            .message_id(event.position.to_string())
            .expected_last_sequence(self.last_sequence);
        self.last_sequence += 1;
        self.context.send_publish(self.subject(event, partition), message).await.map_err(nats_error("take an event"))
    }

    /// The subject: `events.<partition>.<workspace or _>.<aggregate>.<event>`. An event's name is `<aggregate>.<event>`
    /// already.
    fn subject(&self, event: &WireEvent, partition: usize) -> String {
        let root = &self.root;
        match event.workspace_id {
            Some(workspace_id) => format!("{root}.{partition}.{workspace_id}.{}", event.event_type),
            None => format!("{root}.{partition}._.{}", event.event_type),
        }
    }
}

/// The headers of CloudEvents 1.0, with the position and the previous position in the same partition.
fn headers(event: &WireEvent, previous: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert(EVENT_ID, event.event_id.to_string());
    headers.insert("ce-source", "/backscroll");
    headers.insert("ce-type", event.event_type.as_str());
    headers.insert("ce-subject", format!("{}/{}", event.aggregate_type, event.aggregate_id));
    headers.insert("ce-time", event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true));
    headers.insert("ce-datacontenttype", "application/json");
    headers.insert(POSITION, event.position.to_string());
    headers.insert(PREVIOUS_POSITION, previous.to_string());
    headers
}
