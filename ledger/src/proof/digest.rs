//! The digest of a stored event, computed again from its columns. The write side makes it
//! (`commands/src/event_store/digest.rs`). The check here shares no code with it.
//!
//! SHA-256("backscroll event v1" || position || recorded_at || content). The content is SHA-256 over aggregate type,
//! aggregate id, event type, event version, payload and metadata, each after its length, then sequence, event id and
//! workspace. Numbers are 64 bits, big-endian. `recorded_at` is in Unix microseconds. Identifiers are 16 bytes; no
//! workspace is the nil identifier.

use ring::digest::{Context, SHA256};

/// Separates these digests from digests of anything else.
const DOMAIN: &[u8] = b"backscroll event v1";

/// An event as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredEvent<'a> {
    pub position: i64,
    pub aggregate_type: &'a [u8],
    pub aggregate_id: &'a [u8],
    pub sequence: i64,
    pub event_type: &'a [u8],
    pub event_version: &'a [u8],
    pub payload: &'a [u8],
    pub metadata: &'a [u8],
    pub event_id: &'a [u8],
    pub workspace_id: Option<&'a [u8]>,
    /// In Unix microseconds.
    pub recorded_at: i64,
    /// The stored digest.
    pub digest: &'a [u8],
}

impl StoredEvent<'_> {
    /// The digest that the columns must have.
    pub(super) fn computed(&self) -> [u8; 32] {
        let mut content = Context::new(&SHA256);
        for field in [self.aggregate_type, self.aggregate_id, self.event_type, self.event_version, self.payload, self.metadata] {
            content.update(&(field.len() as u64).to_be_bytes());
            content.update(field);
        }
        content.update(&self.sequence.to_be_bytes());
        content.update(self.event_id);
        content.update(self.workspace_id.unwrap_or(&[0; 16]));
        let mut digest = Context::new(&SHA256);
        digest.update(DOMAIN);
        digest.update(&self.position.to_be_bytes());
        digest.update(&self.recorded_at.to_be_bytes());
        digest.update(content.finish().as_ref());
        let mut computed = [0; 32];
        computed.copy_from_slice(digest.finish().as_ref());
        computed
    }
}
