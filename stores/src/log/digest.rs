//! The digest of a stored event: SHA-256 over the stored bytes and over the position in the log.
//!
//! It is computed in two steps, so that the caller does the larger part in parallel with the writer. `content` covers
//! what the caller knows. The digest covers `content` and the values that the writer assigns. Each field is preceded by
//! its length, so that no two events have the same bytes.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Separates these digests from digests of anything else.
const DOMAIN: &[u8] = b"backscroll event v1";

/// The parts of a stored event that the writer does not assign.
pub struct Content<'a> {
    /// The name of the aggregate's type.
    pub aggregate_type: &'a str,
    /// The aggregate.
    pub aggregate_id: &'a str,
    /// The place in the aggregate's stream.
    pub sequence: i64,
    /// The event's name.
    pub event_type: &'a str,
    /// The version of the payload.
    pub event_version: &'a str,
    /// The payload, as it is stored.
    pub payload: &'a str,
    /// The metadata, as they are stored.
    pub metadata: &'a str,
    /// The event's identifier.
    pub event_id: Uuid,
    /// The workspace, if it has one.
    pub workspace_id: Option<Uuid>,
}

impl Content<'_> {
    /// The part of the digest that the caller computes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let fields = [self.aggregate_type, self.aggregate_id, self.event_type, self.event_version, self.payload, self.metadata];
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hasher.update(self.sequence.to_be_bytes());
        hasher.update(self.event_id.as_bytes());
        hasher.update(self.workspace_id.unwrap_or_default().as_bytes());
        hasher.finalize().into()
    }
}

/// The digest of the event at `position`.
pub fn digest(position: i64, recorded_at: DateTime<Utc>, content: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(position.to_be_bytes());
    hasher.update(recorded_at.timestamp_micros().to_be_bytes());
    hasher.update(content);
    hasher.finalize().into()
}

/// The digest of a stored event, computed from its columns: the expected value of `events.digest`.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "they are the columns of the table, in its order")]
pub fn event_digest(
    position: i64,
    aggregate_type: &str,
    aggregate_id: &str,
    sequence: i64,
    event_type: &str,
    event_version: &str,
    payload: &str,
    metadata: &str,
    event_id: Uuid,
    workspace_id: Option<Uuid>,
    recorded_at: DateTime<Utc>,
) -> [u8; 32] {
    let content = Content { aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, workspace_id };
    digest(position, recorded_at, &content.hash())
}
