//! A proxy that cuts connections to `GET /v1/live` after some bytes, in the middle of a frame as it may happen.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The size of a piece that is passed on.
const PIECE_BYTES: usize = 1_024;

/// A running proxy. It ends when this value is dropped.
pub struct Cut {
    pub url: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    /// The server behind the proxy.
    server: Mutex<Option<SocketAddr>>,
    /// The least number of bytes that a connection passes on.
    bytes_min: u64,
    is_cutting: AtomicBool,
    /// The number of connections to `GET /v1/live` so far.
    connections: AtomicU64,
}

impl Cut {
    /// A proxy whose connections pass on `bytes_min` to twice as many bytes from the server.
    pub async fn listen(bytes_min: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared =
            Arc::new(Shared { server: Mutex::default(), bytes_min, is_cutting: AtomicBool::new(true), connections: AtomicU64::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { url, shared, accepting }
    }

    /// Passes further connections on to the server at this address.
    pub fn pass_to(&self, url: &str) {
        let address = url.trim_start_matches("http://").parse().expect("an address");
        *self.shared.server.lock().expect("a lock") = Some(address);
    }

    /// Cuts no connection any more.
    pub fn is_done(&self) {
        self.shared.is_cutting.store(false, Ordering::SeqCst);
    }

    /// The number of connections to `GET /v1/live` so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, Arc::clone(&shared)));
    }
}

async fn pass(mut client: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let address = *shared.server.lock().expect("a lock");
    let mut server = TcpStream::connect(address.expect("a server behind the proxy")).await?;
    let (mut from_client, mut from_server) = ([0; PIECE_BYTES], [0; PIECE_BYTES]);
    let mut left: Option<u64> = None;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let piece = &from_client[..read?];
                if piece.is_empty() {
                    return Ok(());
                }
                if left.is_none() && piece.starts_with(b"GET /v1/live") {
                    let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                    left = Some(shared.bytes_min + number * 1_237 % shared.bytes_min);
                }
                server.write_all(piece).await?;
            }
            read = server.read(&mut from_server) => {
                let piece = &from_server[..read?];
                if piece.is_empty() {
                    return Ok(());
                }
                let passed = match &mut left {
                    Some(left) if shared.is_cutting.load(Ordering::SeqCst) => {
                        let passed = (*left).min(piece.len() as u64);
                        *left -= passed;
                        usize::try_from(passed).expect("a piece")
                    }
                    _ => piece.len(),
                };
                client.write_all(&piece[..passed]).await?;
                if passed < piece.len() {
                    return Ok(());
                }
            }
        }
    }
}
