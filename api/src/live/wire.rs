//! The connection under a WebSocket, and how a request hands it over.
//!
//! actix-web answers requests; it does not hand out connections. So the answer of `GET /v1/live` contains a function, and
//! the server, which has the connection, calls it after the answer (`app/upgrade.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::HttpResponse;
use futures::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A client's connection.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// Serves a connection until its end.
pub type Serve = Box<dyn FnOnce(Box<dyn Wire>) -> LocalBoxFuture<'static, ()>>;

/// The function in an answer with the status 101.
struct Carried(Serve);

/// Says that the connection is served by this function after the answer.
pub fn hand_over(response: &mut HttpResponse, serve: Serve) {
    response.extensions_mut().insert(Carried(serve));
}

/// Takes the function from an answer.
pub fn taken<B>(response: &mut actix_http::Response<B>) -> Option<Serve> {
    response.extensions_mut().remove::<Carried>().map(|carried| carried.0)
}

/// Bounds the send buffer of the system for a connection: its bytes, and the time that they may stay without an
/// acknowledgement. Clones are of the same connection. A handler gets it by `HttpRequest::conn_data`.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<AtomicBool>);

impl Buffers {
    /// From its next write on, the connection's buffers are bounded.
    pub fn bound(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the buffers must be bounded now. It says so once.
    pub fn must_be_bound(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}
