//! Identifiers computed from the export's content, so that the same thing gets the same identifier in every run.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The identifiers of everything that is imported into one workspace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    workspace_id: WorkspaceId,
    /// The time of the import.
    at: DateTime<Utc>,
}

impl Ids {
    pub(super) fn of(workspace_id: WorkspaceId, at: DateTime<Utc>) -> Self {
        Self { workspace_id, at }
    }

    /// The user with this identifier in the export.
    pub(super) fn user(&self, slack_id: &str) -> UserId {
        UserId(Uuid::new_v5(&self.workspace_id.0, format!("user\0{slack_id}").as_bytes()))
    }

    /// The channel with this identifier in the export.
    pub(super) fn channel(&self, slack_id: &str) -> ChannelId {
        ChannelId(Uuid::new_v5(&self.workspace_id.0, format!("channel\0{slack_id}").as_bytes()))
    }

    /// The message of this channel at this moment. `nth` distinguishes messages that share both.
    ///
    /// A message that lies after the import gets the moment of the import. If the two are too far apart for a lookup, its
    /// identifier does not have the time of the export.
    pub(super) fn message(&self, slack_channel_id: &str, sent_at: DateTime<Utc>, nth: u32) -> MessageId {
        let hash = Sha256::new()
            .chain_update(self.workspace_id.0.as_bytes())
            .chain_update(slack_channel_id.as_bytes())
            .chain_update([0])
            .chain_update(sent_at.timestamp_micros().to_be_bytes())
            .chain_update(nth.to_be_bytes())
            .finalize();
        if sent_at - self.at >= MessageId::DRAWN_WITHIN {
            let mut unique = [0; 16];
            unique.copy_from_slice(&hash[..16]);
            return MessageId::without_moment(unique);
        }
        let mut unique = [0; 10];
        unique.copy_from_slice(&hash[..10]);
        MessageId::at(sent_at, unique)
    }

    /// A few characters that make an invented name unique.
    pub(super) fn unique_suffix(&self, slack_id: &str) -> String {
        let hash = Sha256::new().chain_update(self.workspace_id.0.as_bytes()).chain_update(slack_id.as_bytes()).finalize();
        hex::encode(&hash[..4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_has_the_same_identifier_and_another_has_another() {
        let now = "2026-11-30T12:00:00Z".parse().expect("a time");
        let ids = Ids::of(WorkspaceId(Uuid::from_u128(1)), now);
        let at = DateTime::from_timestamp_micros(1_452_837_318_000_002).expect("a time");
        assert_eq!(ids.user("U1"), ids.user("U1"));
        assert_ne!(ids.user("U1").0, ids.channel("U1").0);
        assert_ne!(ids.user("U1"), Ids::of(WorkspaceId(Uuid::from_u128(2)), now).user("U1"));
        assert_eq!(ids.message("C1", at, 0), ids.message("C1", at, 0));
        assert_ne!(ids.message("C1", at, 0), ids.message("C1", at, 1));
        assert_ne!(ids.message("C1", at, 0), ids.message("C2", at, 0));
        assert_eq!(ids.message("C1", at, 0).sent_in().map(|t| t.timestamp_millis()), Some(1_452_837_318_000));
    }

    #[test]
    fn a_message_after_the_import_is_found_at_the_moment_of_the_import() {
        let now = "2026-11-30T12:00:00Z".parse::<DateTime<Utc>>().expect("a time");
        let ids = Ids::of(WorkspaceId(Uuid::from_u128(1)), now);
        for seconds in [1, 60, 599, 600, 86_400, 3_000_000_000] {
            let at = now + chrono::TimeDelta::seconds(seconds);
            let message_id = ids.message("C1", at, 0);
            assert!(message_id.allows(now), "{seconds} seconds later");
            assert_eq!(message_id, ids.message("C1", at, 0));
            assert_ne!(message_id, ids.message("C1", at, 1));
        }
    }
}
