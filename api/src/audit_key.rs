//! The key that exports of the audit are signed with.

use hmac::{Hmac, KeyInit, Mac};
use projections::audit::{NoKey, SigningKey};
use sha2::Sha256;

use crate::config::MasterKey;

/// The key's name.
const NAME: &str = "backscroll-export";

/// The key: derived from the master key, so that every node signs with the same one.
///
/// # Errors
/// What is derived makes no key.
pub fn signing_key(master_key: &MasterKey) -> Result<SigningKey, NoKey> {
    // RFC 2104 fills a key up with zeros to the block of its hash.
    let mut block = [0; 64];
    block[..master_key.0.len()].copy_from_slice(&master_key.0);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(b"backscroll key of exports");
    SigningKey::from_seed(NAME, &mac.finalize().into_bytes().into())
}
