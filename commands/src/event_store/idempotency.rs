//! Idempotency keys: a request with a key takes effect once. The keys are stored in the transaction of the events, so
//! this is exact, and holds for ever.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use domain::{Refusal, RefusalKind};
use keyring::{Keyring, PersonKey};
use sqlx::{PgExecutor, PgPool, query, query_as, query_scalar};
use uuid::Uuid;

use super::StoreError;

/// The beginning of a key that is made of a client's identifier of a message.
const OF_CLIENT_ID: &str = "client_msg_id:";

/// How many keys from earlier releases are hashed in one step.
const HASHED_AT_ONCE: i64 = 1_000;

/// A key that a client chose for a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The error that a text is not a valid key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Idempotency-Key must have 1 to {} visible characters; choose a random UUID", IdempotencyKey::CHARS_MAX)]
pub struct InvalidKey;

impl IdempotencyKey {
    /// The most characters of a key.
    pub const CHARS_MAX: usize = 200;

    /// Parses a key.
    ///
    /// # Errors
    /// The text is empty, too long, or has invisible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let fine = (1..=Self::CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if fine { Ok(Self(text.to_owned())) } else { Err(InvalidKey) }
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stored form. A key that is made of a client's identifier of a message may have the words of its sender, so
    /// it is stored as a hash under the sender's key.
    pub(super) fn stored(&self, actor: &PersonKey) -> String {
        stored(&self.0, actor)
    }
}

fn stored(key: &str, actor: &PersonKey) -> String {
    if !key.starts_with(OF_CLIENT_ID) {
        return key.to_owned();
    }
    format!("{OF_CLIENT_ID}hmac:{}", hex::encode(actor.blind_text("idempotency key", key)))
}

impl Refusal for InvalidKey {
    fn code(&self) -> &'static str {
        "idempotency.key_invalid"
    }

    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn field(&self) -> Option<&'static str> {
        Some("Idempotency-Key")
    }
}

/// A key, with the fingerprint of the request that used it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key. It belongs to the actor: the same key of another actor is another key.
    pub key: IdempotencyKey,
    /// SHA-256 over the meaning of the request: two bodies that are the same JSON value have the same fingerprint.
    pub fingerprint: [u8; 32],
    /// SHA-256 over the bytes of the request. Earlier releases stored it instead. `None` if it is the same.
    pub as_sent: Option<[u8; 32]>,
}

/// The fingerprint of a request, in every form in which it may be stored.
pub(super) struct Fingerprints {
    /// The form that is stored now: blinded with the actor's key. After the actor is erased, it does not reveal the
    /// request any more.
    pub(super) stored: Option<[u8; 32]>,
    /// The forms that are compared with a stored one. Stored fingerprints are kept for ever, so those of earlier
    /// releases must be recognised: over the bytes of the request, and not blinded.
    accepted: [Option<[u8; 32]>; 4],
}

impl Fingerprints {
    /// The fingerprints of a request, by an actor with this key.
    pub(super) fn of(used: &Idempotency, key: Option<&PersonKey>) -> Self {
        let blinded = |fingerprint: &[u8; 32]| key.map(|key| key.blind(fingerprint));
        let stored = blinded(&used.fingerprint);
        let as_sent = used.as_sent.as_ref().and_then(blinded);
        Self { stored, accepted: [stored, Some(used.fingerprint), as_sent, used.as_sent] }
    }

    /// Whether the stored fingerprint is that of this request.
    pub(super) fn is(&self, stored: &[u8]) -> bool {
        self.accepted.iter().flatten().any(|accepted| accepted == stored)
    }
}

/// An earlier request with a key, and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The fingerprint of the request, as it is stored.
    pub fingerprint: Vec<u8>,
    /// The position of the last event that the request appended.
    pub position: i64,
    /// When that event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The identifier of the thing that it created or changed.
    pub subject: Uuid,
}

/// Returns the result of the request that `actor` made with `key`, if there was one.
pub(super) async fn remembered(pool: impl PgExecutor<'_>, actor: UserId, key: &str) -> Result<Option<Remembered>, StoreError> {
    let found = query_as!(
        Remembered,
        "SELECT k.fingerprint, k.position, e.recorded_at, k.subject FROM idempotency_keys k JOIN events e ON e.position = k.position
         WHERE k.actor_id = $1 AND k.key = $2",
        actor.0,
        key,
    )
    .fetch_optional(pool)
    .await?;
    Ok(found)
}

/// Hashes the keys that earlier releases stored in clear. It is done before this process appends anything, so that a
/// repetition of an old request is recognised. If the process is killed, the next one continues.
pub(super) async fn hash_old(pool: &PgPool, keys: &Keyring) -> Result<(), StoreError> {
    loop {
        let old = query!(
            "SELECT actor_id, key FROM idempotency_keys
             WHERE starts_with(key, 'client_msg_id:') AND NOT starts_with(key, 'client_msg_id:hmac:') LIMIT $1",
            HASHED_AT_ONCE
        );
        let old = old.fetch_all(pool).await?;
        if old.is_empty() {
            return Ok(());
        }
        let actors = old.iter().map(|row| row.actor_id).collect::<Vec<_>>();
        let hashed = old.iter().zip(keys.of(&actors).await?).map(|(row, actor)| stored(&row.key, &actor)).collect::<Vec<_>>();
        let old = old.into_iter().map(|row| row.key).collect::<Vec<_>>();
        query_scalar!("SELECT hash_idempotency_keys($1, $2, $3)", &actors, &old, &hashed).fetch_one(pool).await?;
    }
}

/// Returns how many keys of earlier releases were hashed.
pub(super) async fn hashed_count(pool: &PgPool) -> Result<u64, StoreError> {
    let count = query_scalar!("SELECT keys FROM client_id_keys").fetch_optional(pool).await?;
    Ok(count.unwrap_or(0).unsigned_abs())
}
