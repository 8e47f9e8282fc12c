//! Frames without a position, about things that are not in the log. They are not repeated: a client that was away reads
//! the state instead.

use bytes::Bytes;
use domain::ids::{ChannelId, UserId};
use serde::Serialize;
use uuid::Uuid;

/// The kind of an ephemeral frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EphemeralKind {
    /// Somebody is typing.
    Typing,
    /// The presence of people changed.
    Presence,
    /// The user moved a read marker, on some device.
    ReadMarker,
    /// The user's unread counts.
    Unread,
}

/// A frame without a position, as JSON. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EphemeralFrame(Bytes);

#[derive(Serialize)]
struct Whole<'a, T> {
    #[serde(rename = "type")]
    frame: &'static str,
    kind: EphemeralKind,
    #[serde(flatten)]
    fields: &'a T,
}

impl EphemeralFrame {
    /// The frame with these fields, which must be those of a JSON object.
    ///
    /// # Errors
    /// The fields are not an object.
    pub fn of(kind: EphemeralKind, fields: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::to_vec(&Whole { frame: "ephemeral", kind, fields })?.into()))
    }

    /// The frame's JSON.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.0
    }
}

/// The connections of this node that get an ephemeral frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// All connections of this user.
    User(UserId),
    /// All connections of these users.
    Users(Vec<UserId>),
    /// These connections.
    Connections(Vec<Uuid>),
    /// All connections of the people who may read the channel now, except this user's.
    ReadersOf {
        /// The channel.
        channel_id: ChannelId,
        /// The user who gets nothing.
        but: Option<UserId>,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_fields_stand_beside_type_and_kind() {
        let frame = EphemeralFrame::of(EphemeralKind::ReadMarker, &json!({"channel_id": 7})).expect("a frame");
        let frame = serde_json::from_slice::<Value>(frame.json()).expect("JSON");
        assert_eq!(frame, json!({"type": "ephemeral", "kind": "read_marker", "channel_id": 7}));
        assert!(EphemeralFrame::of(EphemeralKind::Typing, &7).is_err());
    }
}
