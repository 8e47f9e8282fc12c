//! Accepts or refuses each new connection. It refuses a connection whose address already has too many.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::peers::Peers;
use crate::metrics::Metrics;
use crate::problem::connection::too_many_connections;

/// The limits for new connections. Clones share the counts.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub peers: Arc<Peers>,
    pub metrics: Metrics,
    /// The longest time in which the server sends nothing on a connection. Then the connection ends.
    pub unanswered_max: Duration,
}

impl Acceptor {
    /// Returns the connection to serve.
    ///
    /// # Errors
    /// The connection's address has the most connections that it may have. The client gets a refusal, and the
    /// connection is closed.
    pub(super) async fn accept(self, stream: TcpStream) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
        let peer = stream.peer_addr().ok();
        let Some(place) = self.peers.admit(peer) else {
            self.metrics.count_refused_connection();
            refuse(&stream).await;
            return Err(DispatchError::Io(ErrorKind::QuotaExceeded.into()));
        };
        // Each write is a whole answer. Waiting for more data to send with it would not help.
        let _ = stream.set_nodelay(true);
        Ok((Connection::new(stream, self.unanswered_max).at(place), Protocol::Http1, peer))
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
