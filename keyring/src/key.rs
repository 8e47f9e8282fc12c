//! A person's key in memory.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::personal::{Place, SplitMetadata, SplitPayload, Unsealed};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::Cipher;
use crate::mac::keyed;

/// A key, or the record that it was destroyed.
pub(crate) struct Key {
    pub(crate) key_id: Uuid,
    pub(crate) owner_id: Uuid,
    /// `None` after it is destroyed.
    secret: Option<Secret>,
}

struct Secret {
    cipher: Cipher,
    /// The key for hashes that nobody can compare after the key is destroyed.
    blinding: Hmac<Sha256>,
}

impl Key {
    pub(crate) fn new(key_id: Uuid, owner_id: Uuid, bytes: &[u8; 32]) -> Self {
        // A second key, derived from the same secret: no key is used for two purposes.
        let blinding = Zeroizing::new(<[u8; 32]>::from(keyed(bytes).chain_update(b"backscroll blinding v1").finalize().into_bytes()));
        Self { key_id, owner_id, secret: Some(Secret { cipher: Cipher::new(bytes), blinding: keyed(&blinding) }) }
    }

    pub(crate) fn destroyed(key_id: Uuid, owner_id: Uuid) -> Self {
        Self { key_id, owner_id, secret: None }
    }

    pub(crate) fn unseal(&self, place: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed {
        let Some(secret) = &self.secret else { return Unsealed::Destroyed };
        let at = text.len();
        let unsealed = BASE64_URL_SAFE_NO_PAD.decode_vec(sealed, text).ok();
        match unsealed.and_then(|()| secret.cipher.unseal(&place.to_bytes(), text, at)) {
            Some(()) => Unsealed::Yes,
            None => Unsealed::Wrong,
        }
    }

    pub(crate) fn blind(&self, name: &[&[u8]]) -> [u8; 32] {
        let Some(secret) = &self.secret else { return rand::random() };
        let mut hash = secret.blinding.clone();
        for part in name {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into_bytes().into()
    }
}

/// A person's key, for sealing.
#[derive(Clone)]
pub struct PersonKey(pub(crate) Arc<Key>);

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonKey").field("owner_id", &self.0.owner_id).finish_non_exhaustive()
    }
}

impl PersonKey {
    /// Returns the payload with its personal fields sealed, or without them if the key is destroyed.
    #[must_use]
    pub fn seal(&self, place: &Place<'_>, split: &SplitPayload<'_>) -> String {
        let Some(secret) = &self.0.secret else { return split.erased() };
        let sealed = secret.cipher.seal(&place.to_bytes(), split.personal.as_bytes());
        split.sealed(self.0.key_id, &BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Returns the metadata of the event at that place with their personal fields sealed, or without them if the key is
    /// destroyed.
    #[must_use]
    pub fn seal_metadata(&self, place: &Place<'_>, split: SplitMetadata) -> String {
        let Some(secret) = &self.0.secret else { return split.erased() };
        let sealed = secret.cipher.seal(&place.of_metadata().to_bytes(), split.personal.as_bytes());
        split.sealed(self.0.key_id, &BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Returns a keyed hash that can be compared, and that says nothing after the key is destroyed.
    #[must_use]
    pub fn blind(&self, hash: &[u8; 32]) -> [u8; 32] {
        self.0.blind(&[hash])
    }

    /// Returns a keyed hash of a text for one purpose. It stays the same when the master key changes, and says nothing
    /// after this key is destroyed: then every hash is another one.
    #[must_use]
    pub fn blind_text(&self, purpose: &str, text: &str) -> [u8; 32] {
        self.0.blind(&[purpose.as_bytes(), text.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_name_never_changes() {
        let key = Key::new(Uuid::nil(), Uuid::nil(), &std::array::from_fn(|place| place as u8));
        let hash = key.blind(&[b"rate limit", b"192.0.2.7"]);
        assert_eq!(hex::encode(hash), "1eee02e5c46514930dd07cd7ffdddf4971154846b782c9c1f4153414a7d73bd3");
    }
}
