//! The personal fields of events: whose they are, and their two stored forms, sealed and erased.
//!
//! The personal fields of an event are sealed together, under a key of the user that they belong to. The sealed part
//! stands in the place of the first such field: `{"message.posted":{"sealed":"<key>.<sealed>","workspace_id":…}}`. If
//! the text itself was removed, the log has the erased form, which needs no key:
//! `{"message.posted":{"erased":true,"workspace_id":…}}`. Payloads from before there were keys have their fields in
//! plain form.
//!
//! Readers of the log get today's event in every case ([`reveal`]). An event that is erased, or whose key was
//! destroyed, is read as a tombstone: an event like any other, without its personal fields. The address and the client
//! in an event's metadata are sealed in the same way, under a key of the actor (`circumstances`). Not here: which key
//! seals a part, and the cryptography (`keyring`). Nothing here holds a secret.

mod circumstances;
mod client_id;
mod form;
mod parts;

pub(crate) use circumstances::reveal_metadata;
pub use circumstances::{SplitMetadata, key_of_metadata, metadata_owner};
pub use client_id::{has_client_id, lost_client_id, without_client_id};
pub use form::{SplitPayload, cut, erase, is_erased, key_of, key_of_value, reveal, reveal_value};
pub use parts::{PARTS, Part, PartOwner, owner, short_name, types_of};

use uuid::Uuid;

use crate::event::StreamId;

/// The place that a sealed part is bound to. It cannot be unsealed in any other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The stream that the event is in.
    pub stream: StreamId,
    /// The event's sequence number in the stream.
    pub sequence: i64,
    /// The event's name on the wire.
    pub event_type: &'a str,
}

/// The name that stands in the place of an event's name for sealed metadata. No event has this name, because every
/// event's name has a dot.
const METADATA: &str = "metadata";

impl<'a> Place<'a> {
    /// The place of the sealed part in the event's metadata.
    #[must_use]
    pub fn of_metadata(&self) -> Self {
        Self { event_type: METADATA, ..*self }
    }

    /// The bytes that a sealed part is bound to. The name is last, because everything before it has a fixed length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        const DOMAIN: &[u8] = b"backscroll personal v1";
        let mut bytes = Vec::with_capacity(DOMAIN.len() + 16 + 8 + self.event_type.len());
        bytes.extend_from_slice(DOMAIN);
        bytes.extend_from_slice(self.stream.id.as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(self.event_type.as_bytes());
        bytes
    }
}

/// The outcome of unsealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// The text was added to the buffer.
    Yes,
    /// The key was destroyed, so the part cannot be read any more.
    Destroyed,
    /// The key is not in memory. The caller must fetch it, and ask again.
    NotHeld,
    /// The part was changed, or belongs to another place.
    Wrong,
}

/// Unseals parts of events.
pub trait Keys {
    /// Unseals a part under the key with this identifier, and adds its text to the end of `text`.
    fn unseal(&self, key_id: Uuid, place: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed;
}

/// Holds no keys: reads only events without a sealed part.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn unseal(&self, _: Uuid, _: &Place<'_>, _: &str, _: &mut Vec<u8>) -> Unsealed {
        Unsealed::NotHeld
    }
}

/// Why a sealed part cannot be read. A destroyed key is not an error: the event is read as a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is not in memory. It must be fetched first.
    #[error("the key {0} is not in memory")]
    KeyNotHeld(Uuid),
    /// The sealed part is not the one that was stored there.
    #[error("the sealed part was changed, or belongs elsewhere")]
    Wrong,
}

#[cfg(test)]
mod tests;
