//! Identifiers computed from the export's content, so that the same thing gets the same identifier in every run.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The identifiers of everything that is imported into one workspace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids(WorkspaceId);

impl Ids {
    pub(super) fn of(workspace_id: WorkspaceId) -> Self {
        Self(workspace_id)
    }

    /// The user with this identifier in the export.
    pub(super) fn user(&self, slack_id: &str) -> UserId {
        UserId(Uuid::new_v5(&self.0.0, format!("user\0{slack_id}").as_bytes()))
    }

    /// The channel with this identifier in the export.
    pub(super) fn channel(&self, slack_id: &str) -> ChannelId {
        ChannelId(Uuid::new_v5(&self.0.0, format!("channel\0{slack_id}").as_bytes()))
    }

    /// The message of this channel at this moment. `nth` distinguishes messages that share both.
    pub(super) fn message(&self, slack_channel_id: &str, sent_at: DateTime<Utc>, nth: u32) -> MessageId {
        let hash = Sha256::new()
            .chain_update(self.0.0.as_bytes())
            .chain_update(slack_channel_id.as_bytes())
            .chain_update([0])
            .chain_update(sent_at.timestamp_micros().to_be_bytes())
            .chain_update(nth.to_be_bytes())
            .finalize();
        let mut unique = [0; 10];
        unique.copy_from_slice(&hash[..10]);
        MessageId::at(sent_at, unique)
    }

    /// A few characters that make an invented name unique.
    pub(super) fn unique_suffix(&self, slack_id: &str) -> String {
        let hash = Sha256::new().chain_update(self.0.0.as_bytes()).chain_update(slack_id.as_bytes()).finalize();
        hex::encode(&hash[..4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_has_the_same_identifier_and_another_has_another() {
        let ids = Ids::of(WorkspaceId(Uuid::from_u128(1)));
        let at = DateTime::from_timestamp_micros(1_452_837_318_000_002).expect("a time");
        assert_eq!(ids.user("U1"), ids.user("U1"));
        assert_ne!(ids.user("U1").0, ids.channel("U1").0);
        assert_ne!(ids.user("U1"), Ids::of(WorkspaceId(Uuid::from_u128(2))).user("U1"));
        assert_eq!(ids.message("C1", at, 0), ids.message("C1", at, 0));
        assert_ne!(ids.message("C1", at, 0), ids.message("C1", at, 1));
        assert_ne!(ids.message("C1", at, 0), ids.message("C2", at, 0));
        assert_eq!(ids.message("C1", at, 0).sent_in().map(|t| t.timestamp_millis()), Some(1_452_837_318_000));
    }
}
