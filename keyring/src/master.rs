//! The master key: it wraps the keys of people, and is in no database.

use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::KeyError;
use crate::cipher::{Cipher, NONCE_BYTES, TAG_BYTES};

/// How many bytes a wrapped key has.
const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

/// What tells a master key from others, and gives nothing of it away.
pub(crate) type MasterId = [u8; 8];

/// A master key.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey(pub [u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The master key, and the one before it while keys are wrapped anew.
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
        let hash = Sha256::new().chain_update(b"backscroll master key v1").chain_update(key.0).finalize();
        let mut id = MasterId::default();
        id.copy_from_slice(&hash[..8]);
        // Wrapping has a key of its own: the master key is used for other things too.
        let wrapping =
            Zeroizing::new(<[u8; 32]>::from(Sha256::new().chain_update(b"backscroll wrapping v1").chain_update(key.0).finalize()));
        Self { id, cipher: Cipher::new(&wrapping) }
    }
}

impl MasterKeys {
    /// The master key, and the one that was used before, while there are keys that it wrapped.
    #[must_use]
    pub fn new(current: &MasterKey, previous: Option<&MasterKey>) -> Self {
        Self { current: Wrapper::new(current), previous: previous.map(Wrapper::new) }
    }

    /// Which master key wraps now.
    pub(crate) fn current_id(&self) -> MasterId {
        self.current.id
    }

    pub(crate) fn wrap(&self, key_id: Uuid, owner_id: Uuid, key: &[u8; 32]) -> Vec<u8> {
        self.current.cipher.seal(&bound_to(key_id, owner_id), key)
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
        let (old, new) = (MasterKey([1; 32]), MasterKey([2; 32]));
        let (key_id, owner) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let before = MasterKeys::new(&old, None);
        let wrapped = before.wrap(key_id, owner, &[7; 32]);
        let id = before.current_id();
        assert_eq!(*before.unwrap(key_id, owner, &id, &wrapped).expect("the key"), [7; 32]);
        assert_eq!(*MasterKeys::new(&new, Some(&old)).unwrap(key_id, owner, &id, &wrapped).expect("the key"), [7; 32]);
        assert!(matches!(MasterKeys::new(&new, None).unwrap(key_id, owner, &id, &wrapped), Err(KeyError::WrongMasterKey)));
        assert!(matches!(before.unwrap(key_id, Uuid::from_u128(3), &id, &wrapped), Err(KeyError::Damaged(_))));
    }
}
