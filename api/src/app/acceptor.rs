//! Accepts or refuses each new connection. It refuses a connection whose address already has too many.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::http2;
use super::peers::Peers;
use crate::metrics::Metrics;
use crate::problem::connection::too_many_connections;

/// The limits for new connections. Clones share the counts.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub peers: Arc<Peers>,
    pub metrics: Metrics,
    /// The longest time until the first bytes of a request.
    pub head_timeout: Duration,
    /// The longest time in which the server sends nothing on a connection. Then the connection ends.
    pub unanswered_max: Duration,
}

impl Acceptor {
    /// Returns the connection to serve, and the protocol that its client speaks.
    ///
    /// # Errors
    /// The connection's address has the most connections that it may have: the client gets a refusal, and the connection
    /// is closed. Or the client sends nothing.
    pub(super) async fn accept(
        self,
        stream: TcpStream,
        stopping: impl Future<Output = ()>,
    ) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
        let peer = stream.peer_addr().ok();
        let Some(place) = self.peers.admit(peer) else {
            self.metrics.count_refused_connection();
            refuse(&stream).await;
            return Err(DispatchError::Io(ErrorKind::QuotaExceeded.into()));
        };
        // Each write is a whole answer. Waiting for more data to send with it would not help.
        let _ = stream.set_nodelay(true);
        let is_http2 = tokio::select! {
            is_http2 = http2::is_begun(&stream, self.head_timeout) => is_http2?,
            // HTTP/1.1 ends a connection without a request at once.
            () = stopping => false,
        };
        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        Ok((Connection::new(stream, self.unanswered_max).at(place), protocol, peer))
    }
}

/// Sends a refusal to a client whose address has too many connections, if the socket takes it at once. Then the
/// connection is closed: a server that waits for the client would still hold the connection.
async fn refuse(stream: &TcpStream) {
    if stream.writable().await.is_ok() {
        // Sends as much as fits. An error does not matter: the client may be gone.
        let _ = stream.try_write(too_many_connections().as_bytes());
    }
}
