//! What in the log is personal, whose it is, and the two forms in which it lies there: sealed, and erased.
//!
//! The personal fields of an event are sealed as one, under a key of the person they belong to, and stand in the place of its first field:
//! `{"message.posted":{"sealed":"<key>.<sealed>","workspace_id":…}}`. Where the text itself had to go, the log has the erased form, which needs
//! no key: `{"message.posted":{"erased":true,"workspace_id":…}}`. Payloads from before there were keys have their fields as they are.
//!
//! Whoever reads the log sees today's event in either case ([`reveal`]). What is erased, or has lost its key, is seen as a tombstone: an
//! event like any other, without what was personal. The address and the client in an event's metadata are sealed in a like way, under a key of
//! its actor (`circumstances`). Which key seals and unseals, and how, is the keyring's; nothing here holds a secret.

mod circumstances;
mod form;
mod parts;

pub(crate) use circumstances::reveal_metadata;
pub use circumstances::{CutMetadata, key_of_metadata, metadata_owner};
pub use form::{Cut, cut, erase, is_erased, key_of, key_of_value, reveal, reveal_value};
pub use parts::{PARTS, Part, Whose, owner, short_name, types_of};

use uuid::Uuid;

use crate::event::StreamId;

/// Where a sealed part belongs: put anywhere else, it is not unsealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The stream that the event is in.
    pub stream: StreamId,
    /// The event's place in it.
    pub sequence: i64,
    /// The event's name on the wire.
    pub event_type: &'a str,
}

/// What stands in the place of the event's name for what is sealed in its metadata. No event is called so: each has a dot in its name.
const METADATA: &str = "metadata";

impl<'a> Place<'a> {
    /// Where what is sealed in the metadata of that event belongs.
    #[must_use]
    pub fn of_metadata(&self) -> Self {
        Self { event_type: METADATA, ..*self }
    }

    /// The bytes that a sealed part is bound to. The name goes last: everything before it has a fixed length.
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

/// What came of unsealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// The text stands behind what was in the buffer before.
    Yes,
    /// The key was destroyed: nobody reads this again.
    Destroyed,
    /// The key is not in memory: fetch it, and ask again.
    NotHeld,
    /// The part was changed, or belongs elsewhere.
    Wrong,
}

/// What unseals.
pub trait Keys {
    /// Unseals a part under the key of that identifier, and puts its text behind what is in `text`.
    fn unseal(&self, key_id: Uuid, place: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed;
}

/// No keys: reads what is not sealed, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn unseal(&self, _: Uuid, _: &Place<'_>, _: &str, _: &mut Vec<u8>) -> Unsealed {
        Unsealed::NotHeld
    }
}

/// Why a sealed part cannot be read. A destroyed key is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is not in memory: it must be fetched first.
    #[error("the key {0} is not in memory")]
    KeyNotHeld(Uuid),
    /// The sealed part is not what was stored there.
    #[error("the sealed part was changed, or belongs elsewhere")]
    Wrong,
}

#[cfg(test)]
mod tests;
