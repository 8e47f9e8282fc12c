//! What is personal in an event's metadata: the address that its request came from, and what the client calls itself. Both are sealed as one, and
//! stand first: `{"sealed":"<key>.<sealed>","actor":…}`. Once the key is destroyed, the event says neither.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::form::unseal;
use super::{Keys, Place, SealError};
use crate::context::Metadata;
use crate::event::Event;
use crate::ids::UserId;

/// What stands before the sealed part. No metadata have a field of their own that is called so and comes first.
const BEFORE_SEALED: &str = r#"{"sealed":""#;

/// Where an event was asked for, as it is sealed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Circumstances<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    user_agent: Option<Cow<'a, str>>,
}

/// Metadata, what is personal in them apart from the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutMetadata {
    /// The personal fields, as JSON, without the braces around them: what is to be sealed.
    pub personal: String,
    rest: String,
}

impl CutMetadata {
    /// Cuts them apart. Nothing where neither an address nor a client is named.
    ///
    /// # Errors
    /// They cannot be written as JSON.
    pub fn of(metadata: &Metadata) -> Result<Option<Self>, serde_json::Error> {
        if metadata.address.is_none() && metadata.user_agent.is_none() {
            return Ok(None);
        }
        let circumstances = Circumstances {
            address: metadata.address.as_deref().map(Cow::Borrowed),
            user_agent: metadata.user_agent.as_deref().map(Cow::Borrowed),
        };
        let mut personal = serde_json::to_string(&circumstances)?;
        personal.pop();
        personal.remove(0);
        let rest = serde_json::to_string(&Metadata { address: None, user_agent: None, ..metadata.clone() })?;
        Ok(Some(Self { personal, rest }))
    }

    /// The metadata with the personal fields sealed under that key.
    #[must_use]
    pub fn sealed(&self, key_id: Uuid, sealed: &str) -> String {
        // Something always follows: nothing is recorded without an actor.
        format!(r#"{BEFORE_SEALED}{}.{sealed}",{}"#, key_id.simple(), self.rest.strip_prefix('{').unwrap_or(&self.rest))
    }

    /// The metadata without the personal fields.
    #[must_use]
    pub fn erased(self) -> String {
        self.rest
    }
}

/// Whose key seals the address and the client in the metadata of an event: the actor's; of a sign-in that was refused, and that the server
/// records, theirs who have the login. Nobody's where neither is a user: a stranger has no key, and none that could be destroyed.
#[must_use]
pub fn metadata_owner(actor: UserId, event: &Event) -> Option<Uuid> {
    if actor != UserId::SYSTEM {
        return Some(actor.0);
    }
    match event {
        Event::Session(event) => event.user_id().map(|id| id.0),
        Event::User(_)
        | Event::Workspace(_)
        | Event::Channel(_)
        | Event::Message(_)
        | Event::Retention(_)
        | Event::Installation(_)
        | Event::Audit(_) => None,
    }
}

/// The key that seals a part of those metadata, where one is sealed.
#[must_use]
pub fn key_of_metadata(metadata: &str) -> Option<Uuid> {
    Uuid::try_parse(sealed_part(metadata)?.split_once('.')?.0).ok()
}

/// Puts the address and the client back into metadata that were read from that JSON, where they are sealed. Once the key is destroyed, they stay away.
///
/// # Errors
/// The key is not in memory, or the sealed part is not what was stored there.
pub(crate) fn reveal_metadata(place: &Place<'_>, stored: &str, metadata: &mut Metadata, keys: &dyn Keys) -> Result<(), SealError> {
    let Some(sealed) = sealed_part(stored) else { return Ok(()) };
    let mut text = b"{".to_vec();
    unseal(&place.of_metadata(), Some(sealed), keys, &mut text)?;
    text.push(b'}');
    let circumstances = serde_json::from_slice::<Circumstances<'_>>(&text).map_err(|_| SealError::Wrong)?;
    metadata.address = circumstances.address.map(Cow::into_owned);
    metadata.user_agent = circumstances.user_agent.map(Cow::into_owned);
    Ok(())
}

fn sealed_part(metadata: &str) -> Option<&str> {
    Some(metadata.strip_prefix(BEFORE_SEALED)?.split_once('"')?.0)
}
