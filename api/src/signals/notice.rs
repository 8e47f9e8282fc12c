//! The notices that nodes send each other about things that are not in the log. A node ignores a notice that it does not
//! know: another release sent it.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Notice {
    /// A user is typing.
    Typing { workspace_id: WorkspaceId, channel_id: ChannelId, user_id: UserId },
    /// The presence of a user may have changed. Redis has it.
    Presence { user_id: UserId },
    /// A user has moved a read marker, or, without one, all of a workspace.
    Marker { user_id: UserId, workspace_id: WorkspaceId, marker: Option<Marker> },
}

/// How far a user has read a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The channel.
    pub channel_id: ChannelId,
    /// The last message that the user has read.
    pub message_id: Uuid,
    /// When that message was sent.
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_back_as_it_was_sent() {
        let (user_id, workspace_id) = (UserId(Uuid::from_u128(1)), WorkspaceId(Uuid::from_u128(2)));
        let marker = Marker { channel_id: ChannelId(Uuid::from_u128(3)), message_id: Uuid::from_u128(4), created_at: DateTime::UNIX_EPOCH };
        for notice in [
            Notice::Typing { workspace_id, channel_id: marker.channel_id, user_id },
            Notice::Presence { user_id },
            Notice::Marker { user_id, workspace_id, marker: None },
            Notice::Marker { user_id, workspace_id, marker: Some(marker) },
        ] {
            let sent = serde_json::to_value(&notice).expect("JSON");
            assert_eq!(serde_json::from_value::<Notice>(sent).expect("a notice"), notice);
        }
    }
}
