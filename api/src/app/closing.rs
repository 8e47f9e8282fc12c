//! Closes the socket for clients without losing a connection.
//!
//! The kernel completes handshakes before the server accepts the connection. If the socket closes then, the client has
//! sent its request already and gets a reset, which a proxy may not send again to another server: it does not know
//! whether the request has run. So the socket first drops the packets that begin a connection, while the server still
//! accepts those whose handshake has begun. A client whose packet was dropped sends it again after a second, and is then
//! refused without having sent anything, so its proxy turns to another server.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use tokio::time::sleep;

/// How long handshakes that have begun may take to end, and their requests to arrive. It is less than the second after
/// which a client repeats a dropped packet.
const HANDSHAKE_MAX: Duration = Duration::from_millis(500);

/// A further handle of the socket. The socket closes only when this is dropped too.
pub(super) struct Closing(TcpListener);

impl Closing {
    /// A further handle of this socket.
    pub(super) fn of(listener: &TcpListener) -> io::Result<Self> {
        listener.try_clone().map(Self)
    }

    /// Begins no new connection, and waits until those that have begun are accepted. Where the system cannot do that, a
    /// client may lose a connection at the moment of closing.
    pub(super) async fn close(self) {
        if let Err(error) = refuse_new(&self.0) {
            tracing::debug!(%error, "the socket for clients closes at once, because the system filters no packets");
            return;
        }
        drop(self);
        sleep(HANDSHAKE_MAX).await;
    }
}

/// Drops each packet that begins a connection (SYN). The filter sees a packet from its TCP header on; the flags are its
/// byte 13 (RFC 9293, 3.1).
#[cfg(target_os = "linux")]
fn refuse_new(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    /// Classic BPF (<https://www.kernel.org/doc/html/latest/networking/filter.html>): load a byte at this offset, jump
    /// if it has one of these bits, return a constant.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_connection_that_has_begun_is_accepted_and_a_new_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let _begun = TcpStream::connect(address).expect("a connection");
        refuse_new(&Closing::of(&listener).expect("a handle").0).expect("a filter");
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert_eq!(late.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        listener.accept().expect("the connection that has begun");
        // Once the socket is closed, the client is refused, and may go elsewhere.
        drop(listener);
        let refused = TcpStream::connect(address);
        assert_eq!(refused.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionRefused));
    }
}
