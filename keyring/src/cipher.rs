//! AES-256-GCM (NIST SP 800-38D): seals bytes in place under a key. Sealed bytes are bound to their place, and cannot
//! be unsealed elsewhere.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};

/// The length of the random nonce of each sealing. 96 bits are enough for 2³² sealings under one key, which is more
/// than any person's messages.
pub(crate) const NONCE_BYTES: usize = 12;
/// The length of the tag, which proves that nothing was changed.
pub(crate) const TAG_BYTES: usize = 16;

/// A key, ready to seal.
pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Returns the nonce, the sealed bytes and the tag.
    pub(crate) fn seal(&self, bound_to: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = rand::random::<[u8; NONCE_BYTES]>();
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_at_mut(NONCE_BYTES);
        // The cipher refuses only texts of 64 GiB and more. Such a text is stored as zeros, which cannot be unsealed,
        // and never in the clear.
        let Ok(tag) = self.0.encrypt_inout_detached(&Nonce::from(nonce), bound_to, (&mut *text).into()) else {
            text.fill(0);
            return sealed;
        };
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Unseals in place the bytes that begin at `at`, and leaves the text there. `None` if they were changed or belong
    /// to another place.
    pub(crate) fn unseal(&self, bound_to: &[u8], buffer: &mut Vec<u8>, at: usize) -> Option<()> {
        let (nonce, rest) = buffer.get_mut(at..)?.split_at_mut_checked(NONCE_BYTES)?;
        let length = rest.len().checked_sub(TAG_BYTES)?;
        let (text, tag) = rest.split_at_mut_checked(length)?;
        let (nonce, tag) = (Nonce::try_from(&*nonce).ok()?, Tag::try_from(&*tag).ok()?);
        self.0.decrypt_inout_detached(&nonce, bound_to, text.into(), &tag).ok()?;
        buffer.copy_within(at + NONCE_BYTES..at + NONCE_BYTES + length, at);
        buffer.truncate(at + length);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsealed(cipher: &Cipher, bound_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = [b"before", sealed].concat();
        cipher.unseal(bound_to, &mut buffer, 6)?;
        Some(buffer.split_off(6))
    }

    #[test]
    fn sealed_bytes_can_be_unsealed_only_in_their_place() {
        let (ours, theirs) = (Cipher::new(&[1; 32]), Cipher::new(&[2; 32]));
        let sealed = ours.seal(b"here", b"a secret");
        assert_eq!(unsealed(&ours, b"here", &sealed).as_deref(), Some(b"a secret".as_slice()));
        assert_eq!(unsealed(&ours, b"there", &sealed), None);
        assert_eq!(unsealed(&theirs, b"here", &sealed), None);
        assert_ne!(sealed, ours.seal(b"here", b"a secret"), "no nonce is used twice");
    }

    #[test]
    fn changed_or_shortened_bytes_are_not_unsealed() {
        let cipher = Cipher::new(&[1; 32]);
        let sealed = cipher.seal(b"here", b"a secret");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(unsealed(&cipher, b"here", &changed), None, "byte {place}");
            assert_eq!(unsealed(&cipher, b"here", &sealed[..place]), None, "{place} bytes");
        }
    }

    #[test]
    fn the_cipher_matches_the_test_vector_of_the_standard() {
        // Test case 14 of the GCM specification (McGrew, Viega): a key, a nonce and a block of zeros.
        let cipher = Cipher::new(&[0; 32]);
        let text = [0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18];
        let tag = [0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19];
        let sealed = [&[0; NONCE_BYTES][..], &text, &tag].concat();
        assert_eq!(unsealed(&cipher, b"", &sealed).as_deref(), Some([0; 16].as_slice()));
    }
}
