//! A frame as it is sent. All connections that get it share its bytes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use crate::changes::ResetReason;
use crate::cursor::Cursor;
use crate::frame::EventFrame;

/// A frame, as JSON and as a server-sent event.
#[derive(Debug)]
pub struct Sent {
    /// The cursor of a client that has handled the frame, if the frame moves it.
    cursor: Option<Cursor>,
    json: Bytes,
    event: OnceLock<Bytes>,
    /// Whether the frame may be dropped if the connection is slow.
    is_ephemeral: bool,
}

/// The first frame of a connection.
#[derive(Serialize)]
struct Hello {
    #[serde(rename = "type")]
    frame: &'static str,
    log_id: Uuid,
    position: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    resumed: bool,
    connection_id: Uuid,
    ping_seconds: u64,
}

/// How a connection begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The client has no cursor.
    New,
    /// The connection goes on behind the client's cursor.
    Resumed,
    /// It cannot, and a `reset` follows. If the connection broke off between the two frames, and the client had kept a
    /// newer cursor already, it would never learn what it missed. So this `hello` has no cursor.
    Reset,
}

#[derive(Serialize)]
struct ResetFrame {
    #[serde(rename = "type")]
    frame: &'static str,
    reason: ResetReason,
    cursor: String,
}

#[derive(Serialize)]
struct Reconnect {
    #[serde(rename = "type")]
    frame: &'static str,
    after_ms: u128,
}

#[derive(Serialize)]
struct Refused<'a> {
    #[serde(rename = "type")]
    frame: &'static str,
    code: &'a str,
    detail: &'a str,
}

impl Sent {
    fn of(cursor: Option<Cursor>, frame: &impl Serialize) -> Arc<Self> {
        // Our frames have no maps with keys that are not texts, so they can be written.
        let json = serde_json::to_vec(frame).unwrap_or_default().into();
        Arc::new(Self { cursor, json, event: OnceLock::new(), is_ephemeral: false })
    }

    /// The frame of an event.
    pub(super) fn event(cursor: Cursor, frame: &EventFrame) -> Arc<Self> {
        Self::of(Some(cursor), frame)
    }

    /// A frame without a position.
    pub(super) fn ephemeral(json: Bytes) -> Arc<Self> {
        Arc::new(Self { cursor: None, json, event: OnceLock::new(), is_ephemeral: true })
    }

    /// The first frame: the connection carries the events behind `begin`.
    pub(super) fn hello(begin: Cursor, start: Start, connection_id: Uuid, ping_seconds: u64) -> Arc<Self> {
        let (log_id, position, resumed) = (begin.log_id.0, begin.position, start == Start::Resumed);
        let cursor = (start != Start::Reset).then_some(begin);
        let cursor_text = cursor.as_ref().map(ToString::to_string);
        let hello = Hello { frame: "hello", log_id, position, cursor: cursor_text, resumed, connection_id, ping_seconds };
        Self::of(cursor, &hello)
    }

    /// The client must read the state again, at the cursor's position or later.
    pub(super) fn reset(cursor: Cursor, reason: ResetReason) -> Arc<Self> {
        Self::of(Some(cursor), &ResetFrame { frame: "reset", reason, cursor: cursor.to_string() })
    }

    /// The client should close the connection, and come back after this time.
    pub(super) fn reconnect(after: std::time::Duration) -> Arc<Self> {
        Self::of(None, &Reconnect { frame: "reconnect", after_ms: after.as_millis() })
    }

    /// A frame of the client was refused.
    #[must_use]
    pub fn refusal(code: &str, detail: &str) -> Arc<Self> {
        Self::of(None, &Refused { frame: "error", code, detail })
    }

    /// The answer to a frame of a client.
    #[must_use]
    pub fn answer(json: Bytes) -> Arc<Self> {
        Arc::new(Self { cursor: None, json, event: OnceLock::new(), is_ephemeral: false })
    }

    /// The position of the frame's event.
    pub(super) fn position(&self) -> Option<i64> {
        self.cursor.map(|cursor| cursor.position)
    }

    pub(super) fn is_ephemeral(&self) -> bool {
        self.is_ephemeral
    }

    /// The frame's JSON: the payload of a text message.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The frame as a server-sent event.
    #[must_use]
    pub fn server_sent_event(&self) -> Bytes {
        let write = || {
            let mut text = Vec::with_capacity(self.json.len() + 80);
            if let Some(cursor) = self.cursor {
                text.extend_from_slice(format!("id: {cursor}\n").as_bytes());
            }
            // JSON is written without line breaks.
            text.extend_from_slice(b"data: ");
            text.extend_from_slice(&self.json);
            text.extend_from_slice(b"\n\n");
            text.into()
        };
        self.event.get_or_init(write).clone()
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::LogId;

    use super::*;

    #[test]
    fn only_frames_that_move_the_cursor_have_an_id() {
        let cursor = Cursor { log_id: LogId(Uuid::nil()), position: 7 };
        let text = |frame: Arc<Sent>| String::from_utf8(frame.server_sent_event().to_vec()).expect("text");
        assert!(
            text(Sent::hello(cursor, Start::Resumed, Uuid::nil(), 10)).starts_with(&format!("id: {cursor}\ndata: {{\"type\":\"hello\""))
        );
        assert!(text(Sent::hello(cursor, Start::Reset, Uuid::nil(), 10)).starts_with("data: {\"type\":\"hello\""));
        assert_eq!(text(Sent::ephemeral(Bytes::from_static(b"{}"))), "data: {}\n\n");
        assert_eq!(text(Sent::reconnect(std::time::Duration::from_millis(5))), "data: {\"type\":\"reconnect\",\"after_ms\":5}\n\n");
    }
}
