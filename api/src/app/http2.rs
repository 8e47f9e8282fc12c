//! HTTP/2 without TLS (RFC 9113, section 3.3): a client that knows that the server speaks HTTP/2 begins with its preface.
//! The same address takes HTTP/1.1.
//!
//! actix-http has HTTP/2 too, but without a limit of streams and without an announced end (GOAWAY). So this module drives
//! the `h2` crate itself, and gives its requests to the same service as HTTP/1.1. The limits are those of HTTP/1.1:
//! - the first request must arrive in the time for a head; a connection without a request ends like an idle one;
//! - a client that does not read an answer loses the request, and one that reads nothing loses the connection;
//! - a request of a client that has gone, or has cancelled it, is cancelled;
//! - each request beside another one of its connection takes a place among the connections of its address.

mod message;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use h2::server::{Builder, Connection as Http2Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::header::CONTENT_TYPE;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use self::message::{request_of, response_of};
use super::connection::Connection;
use super::peers::Peers;
use crate::health::Leaving;
use crate::live::wire::Buffers;
use crate::metrics::Metrics;

/// The beginning of HTTP/2's preface. No request of HTTP/1.1 begins like this.
const PREFACE: &[u8] = b"PRI * HTTP/2";
/// The time between two looks at a preface that has arrived in part.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The most requests of a connection at a time. RFC 9113 recommends at least 100.
const STREAMS_MAX: u32 = 100;
/// The largest head of a request, in bytes, as HTTP/2 counts it.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// The most bytes of an answer that wait until the client takes them.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of an answer that are sent in one piece.
const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// The rules of a connection.
#[derive(Clone)]
pub(super) struct Rules {
    /// The longest time until the first request.
    pub head_timeout: Duration,
    /// The longest time without a request.
    pub idle_timeout: Duration,
    /// The longest time in which a client reads nothing of an answer.
    pub unread_max: Duration,
    /// The longest time for the end of a connection.
    pub close_timeout: Duration,
    pub peers: Arc<Peers>,
    pub metrics: Metrics,
    pub leaving: Leaving,
}

/// Whether the client begins with the preface of HTTP/2. It waits for the first bytes, but reads none.
///
/// # Errors
/// The client sends nothing, or too slowly.
pub(super) async fn is_begun(stream: &TcpStream, limit: Duration) -> Result<bool, DispatchError> {
    let look = async {
        let mut seen = [0; PREFACE.len()];
        loop {
            let length = stream.peek(&mut seen).await?;
            if length == 0 || !PREFACE.starts_with(&seen[..length]) {
                return Ok(false);
            }
            if length == PREFACE.len() {
                return Ok(true);
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    timeout(limit, look).await.map_err(|_| DispatchError::SlowRequestTimeout)?
}

/// Serves a connection until its end.
///
/// # Errors
/// The client breaks the protocol, or is too slow.
pub(super) async fn serve<S, B>(
    stream: Connection,
    peer: Option<SocketAddr>,
    service: Rc<S>,
    rules: Rules,
    stopping: impl Future<Output = ()>,
) -> Result<(), DispatchError>
where
    S: Service<Request>,
    S::Error: Into<Response<BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    let buffers = stream.buffers();
    let handshake = Builder::new()
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .handshake::<_, Bytes>(stream);
    let connection = timeout(rules.head_timeout, handshake).await.map_err(|_| DispatchError::SlowRequestTimeout)?;
    let mut connection = connection.map_err(|error| failed(error, &rules.metrics))?;
    let (mut running, mut is_ending) = (FuturesUnordered::new(), false);
    let (mut stopping, mut idle) = (pin!(stopping), pin!(sleep(rules.head_timeout)));
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(accepted) => {
                    let (request, mut respond) = accepted.map_err(|error| failed(error, &rules.metrics))?;
                    // The first request of a connection has the place of the connection.
                    let place = if running.is_empty() { Some(None) } else { rules.peers.admit(peer).map(Some) };
                    match place {
                        Some(place) => running.push(answer(request, respond, peer, &*service, (rules.unread_max, &buffers), place)),
                        None => {
                            rules.metrics.count_refused_connection();
                            respond.send_reset(Reason::REFUSED_STREAM);
                        }
                    }
                }
                None => return Ok(()),
            },
            Some(()) = running.next() => {
                if rules.leaving.has_begun() {
                    end(&mut connection, &mut is_ending);
                }
                let limit = if is_ending { rules.close_timeout } else { rules.idle_timeout };
                idle.as_mut().reset(Instant::now() + limit);
            }
            () = &mut stopping, if !is_ending => {
                end(&mut connection, &mut is_ending);
                idle.as_mut().reset(Instant::now() + rules.close_timeout);
            }
            () = &mut idle, if running.is_empty() => {
                if is_ending {
                    return Ok(());
                }
                end(&mut connection, &mut is_ending);
                idle.as_mut().reset(Instant::now() + rules.close_timeout);
            }
        }
    }
}

/// Announces that the connection takes no further requests (GOAWAY). Those that have begun are answered.
fn end(connection: &mut Http2Connection<Connection, Bytes>, is_ending: &mut bool) {
    connection.graceful_shutdown();
    *is_ending = true;
}

/// The connection has failed: it is lost, or its client breaks the protocol.
fn failed(error: h2::Error, metrics: &Metrics) -> DispatchError {
    if !error.is_io() {
        metrics.count_malformed_request("http2");
        tracing::debug!(%error, "a client breaks the rules of HTTP/2, and its connection ends");
    }
    DispatchError::Io(error.into_io().unwrap_or_else(|| std::io::ErrorKind::InvalidData.into()))
}

/// Answers one request. `bounds` are the longest time in which the client reads nothing of an answer, and the buffers of
/// the connection, for a live one. `place` is held until the end.
async fn answer<S, B, P>(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Option<SocketAddr>,
    service: &S,
    bounds: (Duration, &Buffers),
    place: P,
) where
    S: Service<Request>,
    S::Error: Into<Response<BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    let _place = place;
    let is_head = request.method() == http::Method::HEAD;
    let Some(request) = request_of(request, peer) else { return respond.send_reset(Reason::PROTOCOL_ERROR) };
    let answered = tokio::select! {
        answered = service.call(request) => answered,
        _ = poll_fn(|context| respond.poll_reset(context)) => return,
    };
    let sent = match answered {
        Ok(response) => send(respond, response.into(), is_head, bounds).await,
        Err(error) => send(respond, error.into(), is_head, bounds).await,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "an answer ends early: its client is gone, has cancelled it, or does not read it");
    }
}

async fn send<B: MessageBody>(
    mut respond: SendResponse<Bytes>,
    response: Response<B>,
    is_head: bool,
    (unread_max, buffers): (Duration, &Buffers),
) -> Result<(), h2::Error> {
    let (head, body) = response_of(response);
    if head.headers().get(CONTENT_TYPE).is_some_and(|value| value == "text/event-stream") {
        // A live connection has no end of its own, so the system must notice that the client is gone.
        buffers.bound();
    }
    let is_empty = is_head || matches!(body.size(), BodySize::None | BodySize::Sized(0)) || head.status() == http::StatusCode::NO_CONTENT;
    let mut stream = respond.send_response(head, is_empty)?;
    if is_empty {
        return Ok(());
    }
    let mut body = pin!(body);
    loop {
        let chunk = tokio::select! {
            chunk = poll_fn(|context| body.as_mut().poll_next(context)) => chunk,
            reset = poll_fn(|context| stream.poll_reset(context)) => return reset.map(drop),
        };
        match chunk {
            Some(Ok(chunk)) => send_chunk(&mut stream, chunk, unread_max).await?,
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
            None => return stream.send_data(Bytes::new(), true),
        }
    }
}

/// Sends a part of an answer, as fast as the client takes it.
async fn send_chunk(stream: &mut SendStream<Bytes>, mut chunk: Bytes, unread_max: Duration) -> Result<(), h2::Error> {
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len().min(CHUNK_BYTES_MAX));
        let Ok(capacity) = timeout(unread_max, poll_fn(|context| stream.poll_capacity(context))).await else {
            stream.send_reset(Reason::CANCEL);
            return Err(Reason::CANCEL.into());
        };
        let capacity = capacity.ok_or(Reason::CANCEL)??;
        stream.send_data(chunk.split_to(capacity.min(chunk.len())), false)?;
    }
    Ok(())
}
