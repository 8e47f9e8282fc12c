//! Live connections: WebSockets (RFC 6455) and server-sent events, with the same frames. docs/LIVE.md describes them.
//!
//! | module | content |
//! |---|---|
//! | [`wire`] | the connection under a WebSocket, and its way out of actix |
//! | [`websocket`] | messages over a connection; it knows nothing of frames |
//! | [`serve`] | a WebSocket: frames out, frames in, pings, the end |
//! | [`sse`] | server-sent events |
//!
//! Not here: the choice of the frames for a connection (`live`), and the handling of clients' frames (`ClientFrames`).

pub mod serve;
pub mod sse;
pub mod websocket;
pub mod wire;

use std::time::Duration;

/// How often the server pings. A client that gets nothing for this time sends a ping itself.
pub const PING_EVERY: Duration = Duration::from_secs(10);

/// How long a client may be silent. It answers every ping.
pub const SILENT_MAX: Duration = Duration::from_secs(25);

/// How long written bytes may stay without an acknowledgement of the client's system.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);

/// How often a connection's session is looked up again. The log says when a session ends; this finds an end that it did
/// not say.
pub const SESSION_CHECK_EVERY: Duration = Duration::from_secs(300);
