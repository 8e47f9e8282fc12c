//! The personal fields of an event's metadata: the address that its request came from, and the client's own name. Both
//! are sealed together, and the sealed part is first: `{"sealed":"<key>.<sealed>","actor":…}`. Once the key is
//! destroyed, the event has neither.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::form::unseal;
use super::{Keys, Place, SealError};
use crate::context::Metadata;
use crate::event::Event;
use crate::ids::UserId;

/// The text before the sealed part. Plain metadata never start with a field of this name.
const BEFORE_SEALED: &str = r#"{"sealed":""#;

/// The address and the client, in the form that is sealed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Circumstances<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    user_agent: Option<Cow<'a, str>>,
}

/// Metadata, with their personal fields separated from the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitMetadata {
    /// The personal fields to seal, as JSON without the braces around them.
    pub personal: String,
    rest: String,
}

impl SplitMetadata {
    /// Separates the personal fields. Returns `None` if the metadata have neither an address nor a client.
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

    /// The metadata with the personal fields sealed under this key.
    #[must_use]
    pub fn sealed(&self, key_id: Uuid, sealed: &str) -> String {
        // The rest is never empty, because every event has an actor.
        format!(r#"{BEFORE_SEALED}{}.{sealed}",{}"#, key_id.simple(), self.rest.strip_prefix('{').unwrap_or(&self.rest))
    }

    /// The metadata without the personal fields.
    #[must_use]
    pub fn erased(self) -> String {
        self.rest
    }
}

/// The user whose key seals the address and the client in an event's metadata: the actor. The server itself records a
/// refused sign-in, so there it is the user who has the login. `None` if neither is a user: a stranger has no key.
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

/// The key that seals a part of these metadata, if there is one.
#[must_use]
pub fn key_of_metadata(metadata: &str) -> Option<Uuid> {
    Uuid::try_parse(sealed_part(metadata)?.split_once('.')?.0).ok()
}

/// Puts the address and the client back into metadata that were read from `stored`, if they are sealed. If the key was
/// destroyed, they stay out.
///
/// # Errors
/// The key is not in memory, or the sealed part is not the one that was stored there.
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
