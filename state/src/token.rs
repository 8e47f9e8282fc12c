//! Tokens: opaque, random, and never stored. The stores have their SHA-256, so nobody can sign in with a copy of a
//! store.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyring::{MasterKey, Secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The prefix of a session's token. Scanners for leaked secrets can find it.
const SESSION_PREFIX: &str = "bs_";
/// The prefix of an invitation's token.
const INVITATION_PREFIX: &str = "bsi_";
/// The prefix of a known device's token.
const DEVICE_PREFIX: &str = "bsd_";
/// The prefix of a ticket, which opens one connection.
const TICKET_PREFIX: &str = "bst_";
/// 32 bytes in base64 without padding.
const SECRET_CHARS: usize = 43;

/// The secret that a client sends. It is never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Secret);

/// The SHA-256 of a token, which stores use as its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl Token {
    /// Makes a token for a new session from 256 random bits of the system.
    #[must_use]
    pub fn of_new_session() -> Self {
        Self::written(SESSION_PREFIX, &rand::random::<[u8; 32]>())
    }

    /// Makes a token for a new device. It authenticates no client. It only shows that a user signed in from the device
    /// before.
    #[must_use]
    pub fn of_new_device() -> Self {
        Self::written(DEVICE_PREFIX, &rand::random::<[u8; 32]>())
    }

    /// Parses a device's token from a client. `None` if the text cannot be one.
    #[must_use]
    pub fn parse_device(text: &str) -> Option<Self> {
        Self::parse(DEVICE_PREFIX, text)
    }

    /// Makes a ticket from 256 random bits of the system. It opens one connection ([`crate::tickets`]).
    #[must_use]
    pub fn of_new_ticket() -> Self {
        Self::written(TICKET_PREFIX, &rand::random::<[u8; 32]>())
    }

    /// Parses a ticket from a client. `None` if the text cannot be one.
    #[must_use]
    pub fn parse_ticket(text: &str) -> Option<Self> {
        Self::parse(TICKET_PREFIX, text)
    }

    /// The token of an invitation. It is derived from the key, so a repeated request with the same idempotency key gets
    /// the same token.
    #[must_use]
    pub fn of_invitation(key: &MasterKey, invitation_id: Uuid) -> Self {
        Self::written(INVITATION_PREFIX, &key.mac("backscroll invitation ", invitation_id.as_bytes()))
    }

    fn written(prefix: &str, secret: &[u8]) -> Self {
        Self(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(secret)).into())
    }

    /// Parses a session's token from a client. `None` if the text cannot be one.
    #[must_use]
    pub fn parse_session(text: &str) -> Option<Self> {
        Self::parse(SESSION_PREFIX, text)
    }

    /// Parses an invitation's token from a client. `None` if the text cannot be one.
    #[must_use]
    pub fn parse_invitation(text: &str) -> Option<Self> {
        Self::parse(INVITATION_PREFIX, text)
    }

    fn parse(prefix: &str, text: &str) -> Option<Self> {
        let secret = text.strip_prefix(prefix)?;
        let fine = secret.len() == SECRET_CHARS && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fine.then(|| Self(text.to_owned().into()))
    }

    /// The identifier that stores use.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// The token itself, for the answer to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl std::fmt::Display for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_as_it_was_given_out() {
        let token = Token::of_new_session();
        assert_eq!(Token::parse_session(token.expose()), Some(token.clone()));
        assert_ne!(token, Token::of_new_session());
        assert_eq!(token.hash().to_string().len(), 64);
    }

    #[test]
    fn a_text_that_cannot_be_a_token_is_not_looked_up() {
        for text in ["", "bs_", "bs_short", "bsi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &format!("bs_{}", " ".repeat(43))] {
            assert_eq!(Token::parse_session(text), None, "{text}");
        }
    }

    #[test]
    fn an_invitation_has_one_token_for_each_master_key() {
        let id = Uuid::from_u128(7);
        let token = Token::of_invitation(&MasterKey::from([1; 32]), id);
        assert_eq!(token, Token::of_invitation(&MasterKey::from([1; 32]), id));
        assert_ne!(token, Token::of_invitation(&MasterKey::from([2; 32]), id));
        assert_eq!(Token::parse_invitation(token.expose()), Some(token));
    }

    #[test]
    fn an_invitation_that_was_given_out_long_ago_has_the_same_token_today() {
        let token = Token::of_invitation(&MasterKey::from(std::array::from_fn(|place| place as u8)), Uuid::from_u128(7));
        assert_eq!(token.expose(), "bsi_SP5EOiEwwsF1tLE1abkwh4i6gMTlHq2lVE1E3oSyKBw");
    }

    #[test]
    fn a_token_is_never_printed() {
        assert_eq!(format!("{:?}", Token::of_new_session()), "Token([secret])");
    }
}
