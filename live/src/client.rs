//! The frames that a client sends on a WebSocket, and their handler.

use async_trait::async_trait;
use domain::ids::{ChannelId, SessionId, UserId, WorkspaceId};
use serde::Deserialize;
use uuid::Uuid;

use crate::ephemeral::EphemeralFrame;

/// A frame that a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// The client checks that the connection works. The answer is `pong`.
    Ping {},
    /// The user is typing.
    Typing {
        /// The channel.
        channel_id: ChannelId,
    },
    /// The user is at this device, or away from it.
    Presence {
        /// `online` or `away`.
        state: DeviceState,
    },
    /// The client wants to know the presence of these people. The list replaces the earlier one.
    Watch {
        /// The users.
        users: Vec<UserId>,
    },
    /// The client asks for the unread counts.
    Unread {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
}

/// Whether the user is at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// The user is there.
    Online,
    /// The user is away.
    Away,
}

/// How a connection is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// RFC 6455.
    WebSocket,
    /// Server-sent events: the client sends nothing.
    ServerSentEvents,
}

impl Transport {
    /// The name in metrics and lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::ServerSentEvents => "sse",
        }
    }
}

/// An open connection of a user.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The identifier of the connection.
    pub connection_id: Uuid,
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// How it is carried.
    pub transport: Transport,
}

/// A client's frame is refused. The connection stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameRefusal {
    /// The stable code, as that of a problem.
    pub code: &'static str,
    /// Says what the client should do.
    pub detail: String,
}

/// Handles the frames of clients, except `ping`. The calls for one connection come one after the other.
#[async_trait]
pub trait ClientFrames: Send + Sync {
    /// A connection has opened: its `hello` comes next.
    async fn opened(&self, connection: &Connected);

    /// A client sent a frame. The answer goes to this connection alone.
    async fn received(&self, connection: &Connected, frame: ClientFrame) -> Result<Option<EphemeralFrame>, FrameRefusal>;

    /// The connection is still open. Called every [`RENEW_EVERY`].
    async fn renewed(&self, connection: &Connected);

    /// The connection has ended.
    async fn closed(&self, connection: &Connected);
}

/// The time between two calls of [`ClientFrames::renewed`] for a connection.
pub const RENEW_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// Handles nothing: every frame is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClientFrames;

#[async_trait]
impl ClientFrames for NoClientFrames {
    async fn opened(&self, _: &Connected) {}

    async fn received(&self, _: &Connected, _: ClientFrame) -> Result<Option<EphemeralFrame>, FrameRefusal> {
        Err(FrameRefusal { code: "live.frame_not_supported", detail: "this server does not support the frame".into() })
    }

    async fn renewed(&self, _: &Connected) {}

    async fn closed(&self, _: &Connected) {}
}
