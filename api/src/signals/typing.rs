//! Typing, by a frame or over HTTP, for the people who may read the channel.

use std::time::Instant;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use live::{EphemeralKind, Recipients};

use super::Signals;
use super::frames::{TypingFields, frame};
use super::notice::Notice;
use crate::problem::Problem;

impl Signals {
    /// The user is typing in a channel: sends it to others, and records it for later queries.
    ///
    /// # Errors
    /// The user may not post there, or a store does not answer.
    pub async fn type_in(&self, user_id: UserId, channel_id: ChannelId) -> Result<(), Problem> {
        let access = self.0.parts.commands.read_access(user_id).await?;
        access.may_post(channel_id).await?;
        let workspace_id = access.channel(channel_id).await?;
        let is_news = self.0.typing_rate.admit_user(channel_id, user_id, Instant::now());
        if is_news && self.send_typing(workspace_id, channel_id, user_id) {
            self.0.parts.bus.send(&Notice::Typing { workspace_id, channel_id, user_id });
        }
        self.0.parts.typing.record_typing(channel_id, user_id).await.map_err(Problem::presence_unavailable)
    }

    /// The user has posted: queries do not list the user any more, and the next typing is sent at once. Others get the
    /// message.
    pub fn typing_ended(&self, user_id: UserId, channel_id: ChannelId) {
        self.0.typing_rate.ended(channel_id, user_id);
        self.0.parts.typing.end(channel_id, user_id);
    }

    /// Sends a frame to the connections of this node. Returns false if the channel is over its limit.
    pub(super) fn send_typing(&self, workspace_id: WorkspaceId, channel_id: ChannelId, user_id: UserId) -> bool {
        if !self.0.typing_rate.admit_channel(channel_id, Instant::now()) {
            return false;
        }
        if let Some(frame) = frame(EphemeralKind::Typing, &TypingFields { workspace_id, channel_id, user_id }) {
            self.0.parts.hub.send(Recipients::ReadersOf { channel_id, but: Some(user_id) }, frame);
        }
        true
    }
}
