//! Signatures of manifests: Ed25519, with keys and signatures in the forms of a signed note (<https://c2sp.org/signed-note>).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The byte that stands for Ed25519.
const ED25519_TYPE: u8 = 1;

/// It is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no Ed25519 key of a signed note: <name>+<id>+<base64>")]
pub struct NoKey;

/// A public key with its name: a *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// The first four bytes of SHA-256(name || 0x0A || 0x01 || public key).
    fn id(&self) -> [u8; 4] {
        let hash = Sha256::digest([self.name.as_bytes(), &[b'\n', ED25519_TYPE], &self.public].concat());
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether that is its signature of that text.
    #[must_use]
    pub fn verifies(&self, text: &str, signature: &str) -> bool {
        let Ok(bytes) = BASE64.decode(signature) else { return false };
        let Some((id, signature)) = bytes.split_first_chunk::<4>() else { return false };
        *id == self.id() && UnparsedPublicKey::new(&ED25519, self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[ED25519_TYPE], self.public.as_slice()].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl FromStr for VerifyingKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(NoKey) };
        let key = BASE64.decode(key).map_err(|_| NoKey)?;
        let (&ED25519_TYPE, public) = key.split_first().ok_or(NoKey)? else { return Err(NoKey) };
        let key = Self { name: name.to_owned(), public: public.try_into().map_err(|_| NoKey)? };
        if key.to_string() == text.trim() { Ok(key) } else { Err(NoKey) }
    }
}

/// A private key. Never printed.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// The key that comes of 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// They make none.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoKey)?;
        Ok(Self { pair, verifying: VerifyingKey { name: name.to_owned(), public } })
    }

    /// The public key.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The signature of a text, with the key's id before it, in base64.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        BASE64.encode([&self.verifying.id(), self.pair.sign(text.as_bytes()).as_ref()].concat())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_text_and_its_key_alone() {
        let key = SigningKey::from_seed("backscroll", &[7; 32]).expect("a key");
        let signature = key.sign("text\n");
        let read = key.verifying().to_string().parse::<VerifyingKey>().expect("a vkey");
        assert!(read.verifies("text\n", &signature));
        assert!(!read.verifies("texts\n", &signature));
        let other = SigningKey::from_seed("backscroll", &[8; 32]).expect("a key");
        assert!(!other.verifying().verifies("text\n", &signature));
        assert_eq!("nonsense".parse::<VerifyingKey>(), Err(NoKey));
    }
}
