//! The master key wraps the keys of people. It is not in any database.

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hkdf::Hkdf;
use hmac::Mac;
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::KeyError;
use crate::cipher::{Cipher, NONCE_BYTES, TAG_BYTES};
use crate::mac::{MacKey, keyed};

/// The length of a wrapped key, in bytes.
const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

/// An identifier of a master key, which reveals nothing about it.
pub type MasterId = [u8; 8];

/// A master key. Its bytes are never printed, are overwritten when it is dropped, and never leave this crate.
pub struct MasterKey(SecretBox<[u8; 32]>);

impl MasterKey {
    /// Its identifier, which is stored beside what it wraps.
    #[must_use]
    pub fn id(&self) -> MasterId {
        let hash = hashed(b"backscroll master key v1", self);
        let mut id = MasterId::default();
        id.copy_from_slice(&hash[..8]);
        id
    }

    /// The HMAC-SHA-256 of the label and the text under this key. Each purpose has a label of its own, and no label is
    /// the beginning of another.
    #[must_use]
    pub fn mac(&self, label: &str, text: &[u8]) -> [u8; 32] {
        keyed(self.0.expose_secret()).chain_update(label).chain_update(text).finalize().into_bytes().into()
    }

    /// A key for one purpose: HKDF-Expand (RFC 5869) of this key, with the purpose as `info`. Every purpose has its own
    /// name.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HKDF-Expand fails above 8160 bytes, and the key has 32")]
    pub fn derive_mac_key(&self, purpose: &str) -> MacKey {
        let mut key = Zeroizing::new([0; 32]);
        let expand = Hkdf::<Sha256>::from_prk(self.0.expose_secret()).expect("32 bytes are a key of SHA-256");
        expand.expand(purpose.as_bytes(), key.as_mut_slice()).expect("32 bytes can be expanded");
        MacKey::new(&key)
    }
}

impl From<[u8; 32]> for MasterKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(SecretBox::init_with(|| bytes))
    }
}

/// A text that is not a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64")]
pub struct InvalidMasterKey;

impl FromStr for MasterKey {
    type Err = InvalidMasterKey;

    fn from_str(base64: &str) -> Result<Self, InvalidMasterKey> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(base64).map_err(|_| InvalidMasterKey)?);
        <[u8; 32]>::try_from(bytes.as_slice()).map(Self::from).map_err(|_| InvalidMasterKey)
    }
}

impl Clone for MasterKey {
    fn clone(&self) -> Self {
        Self(SecretBox::init_with(|| *self.0.expose_secret()))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The master key, and the previous one while keys are wrapped again.
pub struct MasterKeys {
    current: Wrapper,
    previous: Option<Wrapper>,
}

struct Wrapper {
    id: MasterId,
    cipher: Cipher,
}

impl Wrapper {
    fn new(key: &MasterKey) -> Self {
        // Wrapping has a derived key of its own, because the master key has other uses too.
        Self { id: key.id(), cipher: Cipher::new(&hashed(b"backscroll wrapping v1", key)) }
    }
}

/// All wrapped keys depend on this function, so it must not change. Why it is not HKDF:
/// docs/decisions/0021-where-libraries-replace-our-code.md.
fn hashed(label: &[u8], key: &MasterKey) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::new().chain_update(label).chain_update(key.0.expose_secret()).finalize().into())
}

impl MasterKeys {
    /// The master key, and the previous one, as long as it still wraps some keys.
    #[must_use]
    pub fn new(current: &MasterKey, previous: Option<&MasterKey>) -> Self {
        Self { current: Wrapper::new(current), previous: previous.map(Wrapper::new) }
    }

    /// The identifier of the master key that wraps now.
    pub(crate) fn current_id(&self) -> MasterId {
        self.current.id
    }

    /// The identifier of the previous master key, if there is one.
    pub(crate) fn previous_id(&self) -> Option<MasterId> {
        self.previous.as_ref().map(|wrapper| wrapper.id)
    }

    /// The identifiers of the master key and of the previous one.
    pub(crate) fn ids(&self) -> Vec<MasterId> {
        std::iter::once(self.current_id()).chain(self.previous_id()).collect()
    }

    pub(crate) fn wrap(&self, key_id: Uuid, owner_id: Uuid, key: &[u8; 32]) -> Vec<u8> {
        self.current.cipher.seal(&bound_to(key_id, owner_id), key)
    }

    /// The key, wrapped by the previous master key. `None` if there is none.
    pub(crate) fn wrap_with_previous(&self, key_id: Uuid, owner_id: Uuid, key: &[u8; 32]) -> Option<Vec<u8>> {
        self.previous.as_ref().map(|wrapper| wrapper.cipher.seal(&bound_to(key_id, owner_id), key))
    }

    pub(crate) fn unwrap(&self, key_id: Uuid, owner_id: Uuid, master_id: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let wrappers = [Some(&self.current), self.previous.as_ref()];
        let wrapper = wrappers.into_iter().flatten().find(|wrapper| wrapper.id == master_id).ok_or(KeyError::WrongMasterKey)?;
        let mut buffer = Zeroizing::new(wrapped.to_vec());
        let unwrapped = (buffer.len() == WRAPPED_BYTES).then(|| wrapper.cipher.unseal(&bound_to(key_id, owner_id), &mut buffer, 0));
        let key = unwrapped.flatten().and_then(|()| buffer.as_slice().try_into().ok());
        key.map(Zeroizing::new).ok_or(KeyError::Damaged(key_id))
    }
}

fn bound_to(key_id: Uuid, owner_id: Uuid) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(key_id.as_bytes());
    bytes[16..].copy_from_slice(owner_id.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_is_unwrapped_by_its_master_key_for_its_owner_only() {
        let (old, new) = (MasterKey::from([1; 32]), MasterKey::from([2; 32]));
        let (key_id, owner) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let before = MasterKeys::new(&old, None);
        let wrapped = before.wrap(key_id, owner, &[7; 32]);
        let id = before.current_id();
        assert_eq!(*before.unwrap(key_id, owner, &id, &wrapped).expect("the key"), [7; 32]);
        assert_eq!(*MasterKeys::new(&new, Some(&old)).unwrap(key_id, owner, &id, &wrapped).expect("the key"), [7; 32]);
        assert!(matches!(MasterKeys::new(&new, None).unwrap(key_id, owner, &id, &wrapped), Err(KeyError::WrongMasterKey)));
        assert!(matches!(before.unwrap(key_id, Uuid::from_u128(3), &id, &wrapped), Err(KeyError::Damaged(_))));
    }

    /// The key for which another program computed the expected bytes of these tests.
    fn known() -> MasterKey {
        MasterKey::from(std::array::from_fn(|place| place as u8))
    }

    #[test]
    fn values_derived_from_a_master_key_never_change() {
        assert_eq!(hex::encode(Wrapper::new(&known()).id), "5a151e928db07b1c");
        let wrapping = hashed(b"backscroll wrapping v1", &known());
        assert_eq!(hex::encode(*wrapping), "aed173037e547b764de04018f11c0866552203e621c665eb1d2194305dd9b5dc");
        let proof = known().mac("backscroll proof key", b"");
        assert_eq!(hex::encode(proof), "ce7de176211091bc46023562e0d713c2bda2f089e15f5cdb43721d637c9744ba");
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let tag = |purpose| known().derive_mac_key(purpose).tag(&[b"value"]);
        assert_eq!(tag("one purpose"), tag("one purpose"));
        assert_ne!(tag("one purpose"), tag("another purpose"));
        assert_ne!(tag("one purpose"), MasterKey::from([7; 32]).derive_mac_key("one purpose").tag(&[b"value"]));
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64_and_is_never_printed() {
        let key = BASE64_STANDARD.encode([7; 32]).parse::<MasterKey>().expect("a key");
        assert_eq!(key.mac("a label ", b"a text"), MasterKey::from([7; 32]).mac("a label ", b"a text"));
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
        for wrong in ["", "AAAA", &BASE64_STANDARD.encode([7; 31]), &BASE64_STANDARD.encode([7; 33]), &"A".repeat(43)] {
            assert_eq!(wrong.parse::<MasterKey>().err(), Some(InvalidMasterKey), "{wrong}");
        }
    }
}
