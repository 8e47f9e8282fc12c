//! HMAC with SHA-256 (RFC 2104): hashes that only the holder of a key can make.

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 2)")]
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use hkdf::Hkdf;
    use hmac::Mac;
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
}
