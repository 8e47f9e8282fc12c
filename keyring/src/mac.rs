//! HMAC with SHA-256 (RFC 2104): hashes that only the holder of a key can make.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key that authenticates values of one purpose, stored where others can write. It is derived from the master key
/// ([`MasterKey::derive_mac_key`](crate::MasterKey::derive_mac_key)).
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(keyed(key))
    }

    /// The tag of these parts, in this order.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether this is the tag of these parts. The comparison takes the same time for a wrong tag as for the right one.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.over(parts).verify_slice(tag).is_ok()
    }

    /// Each part follows its length, so that two lists of parts never have the same bytes.
    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut hash = self.0.clone();
        for part in parts {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 2)")]
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use hkdf::Hkdf;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        /// RFC 5869, section 2.2: HKDF-Extract is HMAC of the input keying material, with the salt as its key.
        #[test]
        fn a_keyed_hash_is_the_extract_step_of_hkdf(key: [u8; 32], text in vec(any::<u8>(), 0..200)) {
            let ours = keyed(&key).chain_update(&text).finalize().into_bytes();
            prop_assert_eq!(ours, Hkdf::<Sha256>::extract(Some(&key), &text).0);
        }
    }

    #[test]
    fn a_tag_is_of_its_parts_and_its_key_alone() {
        let key = MacKey::new(&[1; 32]);
        let tag = key.tag(&[b"key", b"value"]);
        assert!(key.verify(&[b"key", b"value"], &tag));
        assert!(!key.verify(&[b"keyv", b"alue"], &tag), "where a part ends counts");
        assert!(!MacKey::new(&[2; 32]).verify(&[b"key", b"value"], &tag));
        assert!(!key.verify(&[b"key", b"value"], &tag[..31]));
    }
}
