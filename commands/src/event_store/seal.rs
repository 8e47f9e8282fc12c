//! The last step before an event's payload is stored: what is personal in it is sealed under a key of the person it belongs to.
//!
//! It is the caller's step, beside the writer. Everything after it (the digest, the stored bytes, the relay) works on what this returns, and
//! never on the event itself.

use std::collections::HashMap;

use domain::StreamId;
use domain::personal::{self, Place};
use keyring::{Keyring, PersonKey};
use uuid::Uuid;

use super::StoreError;
use super::request::{Append, PendingEvent};

/// The keys that seal the events of a request.
pub(super) struct Seal {
    keys: HashMap<Uuid, PersonKey>,
}

impl Seal {
    /// The keys of everybody whom something in the request belongs to.
    pub(super) async fn of(request: &Append, keyring: &Keyring) -> Result<Self, StoreError> {
        let events = request.writes.iter().flat_map(|write| write.events.iter().map(|pending| (write.stream, pending)));
        let mut owners = events.filter_map(|(stream, pending)| personal::owner(stream, &pending.event)).collect::<Vec<_>>();
        if request.idempotency.is_some() {
            owners.push(request.metadata.actor.0);
        }
        owners.sort_unstable();
        owners.dedup();
        let keys = keyring.of(&owners).await?;
        Ok(Self { keys: owners.into_iter().zip(keys).collect() })
    }

    /// The form of an event's payload that is stored.
    pub(super) fn payload(&self, stream: StreamId, sequence: i64, pending: &PendingEvent) -> Result<String, StoreError> {
        let payload = serde_json::to_string(&pending.event)?;
        let event_type = pending.event.wire_name();
        let key = personal::owner(stream, &pending.event).and_then(|owner| self.keys.get(&owner));
        let sealed = key.and_then(|key| Some(key.seal(&Place { stream, sequence, event_type }, &personal::cut(event_type, &payload)?)));
        Ok(sealed.unwrap_or(payload))
    }

    /// The form of a request's fingerprint that is stored: once the actor is erased, it does not tell any more what they asked.
    pub(super) fn fingerprint(&self, request: &Append) -> Option<[u8; 32]> {
        let used = request.idempotency.as_ref()?;
        self.keys.get(&request.metadata.actor.0).map(|key| key.blind(&used.fingerprint))
    }
}
