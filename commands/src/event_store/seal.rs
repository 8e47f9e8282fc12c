//! Sealing: the last step before an event is stored. The personal fields of its payload and of its metadata are sealed
//! under a key of the user whom they belong to.
//!
//! The caller's task does this, and not the writer. All later steps (the digest, the stored bytes, the relay) use the
//! sealed form, and never the event itself.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use domain::personal::{self, Place, SplitMetadata};
use domain::text::ClientMsgId;
use domain::{Event, MessageEvent, Metadata, StreamId};
use keyring::{Keyring, PersonKey};
use uuid::Uuid;

use super::StoreError;
use super::idempotency::Fingerprints;
use super::request::{Append, PendingEvent};

/// The keys that seal the events of a request.
pub(super) struct Seal {
    keys: HashMap<Uuid, PersonKey>,
}

impl Seal {
    /// Fetches the keys of all users whose personal data the request has.
    pub(super) async fn of(request: &Append, keyring: &Keyring) -> Result<Self, StoreError> {
        let events = request.writes.iter().flat_map(|write| write.events.iter().map(|pending| (write.stream, pending)));
        let owners_of = |(stream, pending): (StreamId, &PendingEvent)| {
            [personal::owner(stream, &pending.event), metadata_owner(&request.metadata, pending)].into_iter().flatten()
        };
        let mut owners = events.flat_map(owners_of).collect::<Vec<_>>();
        if request.idempotency.is_some() {
            owners.push(request.metadata.actor.0);
        }
        owners.sort_unstable();
        owners.dedup();
        let keys = keyring.of(&owners).await?;
        Ok(Self { keys: owners.into_iter().zip(keys).collect() })
    }

    /// The event with everything hashed that is kept as a hash only: the identifier that the author's client gave to a
    /// message.
    pub(super) fn hashed(&self, mut pending: PendingEvent) -> PendingEvent {
        if let Event::Message(MessageEvent::Posted(posting)) = &mut pending.event
            && let Some(name) = posting.client_msg_id.take()
        {
            let key = self.keys.get(&posting.author.0);
            posting.client_msg_id = key.map(|key| ClientMsgId::kept(&hex::encode(key.blind_text("client_msg_id", name.as_str()))));
        }
        pending
    }

    /// The stored form of the request's idempotency key.
    pub(super) fn idempotency_key(&self, request: &Append) -> Option<String> {
        let used = request.idempotency.as_ref()?;
        Some(used.key.stored(self.keys.get(&request.metadata.actor.0)?))
    }

    /// The stored form of an event's payload.
    pub(super) fn payload(&self, place: &Place<'_>, pending: &PendingEvent) -> Result<String, StoreError> {
        let payload = serde_json::to_string(&pending.event)?;
        let key = personal::owner(place.stream, &pending.event).and_then(|owner| self.keys.get(&owner));
        let sealed = key.and_then(|key| Some(key.seal(place, &personal::cut(place.event_type, &payload)?)));
        Ok(sealed.unwrap_or(payload))
    }

    /// The stored form of an event's metadata. If they have no personal fields, it is `shared`, the request's metadata
    /// in plain form.
    pub(super) fn metadata(
        &self,
        place: &Place<'_>,
        pending: &PendingEvent,
        metadata: &Metadata,
        shared: &Arc<str>,
    ) -> Result<Arc<str>, StoreError> {
        let key = metadata_owner(metadata, pending).and_then(|owner| self.keys.get(&owner));
        let own = match pending.original {
            Some((actor, at)) => Cow::Owned(Metadata { actor, occurred_at: Some(at), ..metadata.clone() }),
            None if key.is_none() => return Ok(Arc::clone(shared)),
            None => Cow::Borrowed(metadata),
        };
        match (key, SplitMetadata::of(&own)?) {
            (Some(key), Some(cut)) => Ok(key.seal_metadata(place, cut).into()),
            (None, _) | (_, None) => Ok(serde_json::to_string(&own)?.into()),
        }
    }

    /// The fingerprints of a request that has an idempotency key.
    pub(super) fn fingerprints(&self, request: &Append) -> Option<Fingerprints> {
        let used = request.idempotency.as_ref()?;
        Some(Fingerprints::of(used, self.keys.get(&request.metadata.actor.0)))
    }
}

/// The user whose key seals the personal fields of the event's metadata. `None` if there are none.
fn metadata_owner(metadata: &Metadata, pending: &PendingEvent) -> Option<Uuid> {
    if metadata.address.is_none() && metadata.user_agent.is_none() {
        return None;
    }
    let actor = pending.original.map_or(metadata.actor, |(actor, _)| actor);
    personal::metadata_owner(actor, &pending.event)
}
