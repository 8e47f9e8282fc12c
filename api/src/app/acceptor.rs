//! Accepts connections: each is served, or told at once that its address has too many.

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

/// What new connections are judged by. Clones share the counts.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub peers: Arc<Peers>,
    pub metrics: Metrics,
    /// How long a connection may last without anything being sent on it.
    pub unanswered_max: Duration,
}

impl Acceptor {
    /// The connection, to be served.
    ///
    /// # Errors
    /// Its address has as many as it may: it is told so, and closed.
    pub(super) async fn accept(self, stream: TcpStream) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
        let peer = stream.peer_addr().ok();
        let Some(place) = self.peers.admit(peer) else {
            self.metrics.count_refused_connection();
            refuse(&stream).await;
            return Err(DispatchError::Io(ErrorKind::QuotaExceeded.into()));
        };
        // What is sent are whole answers: to wait for more to send with them is for nothing.
        let _ = stream.set_nodelay(true);
        Ok((Connection::new(stream, self.unanswered_max).at(place), Protocol::Http1, peer))
    }
}

/// Tells a client that its address has too many connections, as far as the socket takes that at once. The connection is then closed: to wait
/// for its client would be to hold it.
async fn refuse(stream: &TcpStream) {
    if stream.writable().await.is_ok() {
        // As much as fits: the client may be gone.
        let _ = stream.try_write(too_many_connections().as_bytes());
    }
}
