//! A WebSocket (RFC 6455): whole messages over a connection. `tokio-websockets` reads and writes the frames: it answers
//! pings, puts fragments together, checks UTF-8, and closes the connection of a client that breaks the protocol.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::web::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{Sink, Stream};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_websockets::{CloseCode, Config, Error, Limits, Message, ServerBuilder, WebSocketStream};

/// The text that is appended to a client's key (RFC 6455, 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long a client may take to read the close frame, to answer it, and to close the connection.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The most bytes of written messages that wait before they must be flushed.
const UNFLUSHED_BYTES_MAX: usize = 32 * 1024;

/// The most bytes that are read after the close frame. A client that sends more does not wait for that frame.
const LEFT_BYTES_MAX: u64 = 1 << 20;

/// The limits of a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// The most bytes of a message of the client, and of a fragment of it.
    pub message_bytes_max: usize,
}

/// A message from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping, which is answered, or a pong.
    Alive,
}

/// The connection is lost, or the client breaks the protocol.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The connection is lost.
    #[error("the connection is lost")]
    Lost(#[source] io::Error),
    /// The client breaks the protocol. It got a close frame that says so.
    #[error("the client breaks RFC 6455")]
    Protocol(#[source] Error),
}

/// A WebSocket over a connection, after the handshake.
#[derive(Debug)]
pub struct Socket<Io> {
    stream: WebSocketStream<Counted<Io>>,
    unflushed: usize,
}

/// The value of `Sec-WebSocket-Accept` for a client's key (RFC 6455, 4.2.2).
#[must_use]
pub fn accept_key(key: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()))
}

/// Whether this is a client's key: 16 bytes in base64.
#[must_use]
pub fn is_key(key: &str) -> bool {
    BASE64_STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket<Io> {
    /// Takes over a connection whose handshake is done.
    pub fn over(io: Io, limits: SocketLimits) -> Self {
        let limits = Limits::default().max_payload_len(Some(limits.message_bytes_max));
        let builder = ServerBuilder::new().config(Config::default()).limits(limits);
        Self { stream: builder.serve(Counted { io, read: 0 }), unflushed: 0 }
    }

    /// The bytes that were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.stream.get_ref().read
    }

    /// The next message. `None` if the client has closed the connection.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Received, SocketError>>> {
        let received = ready!(Pin::new(&mut self.stream).poll_next(cx));
        // The stream may have queued an answer: a pong, or a close frame.
        self.unflushed += 1;
        Poll::Ready(match received {
            None => None,
            Some(Ok(message)) if message.is_close() => None,
            Some(Ok(message)) if message.is_ping() || message.is_pong() => Some(Ok(Received::Alive)),
            Some(Ok(message)) if message.is_binary() => Some(Ok(Received::Binary(message.into_payload().into()))),
            Some(Ok(message)) => Some(Ok(Received::Text(message.as_text().unwrap_or_default().to_owned()))),
            Some(Err(error)) => Some(Err(self.failed(error))),
        })
    }

    /// Writes a text, without waiting. It must be UTF-8.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn start_text(&mut self, text: Bytes) -> Result<(), SocketError> {
        self.start(Message::text(text))
    }

    /// Writes a ping, without waiting.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn start_ping(&mut self) -> Result<(), SocketError> {
        self.start(Message::ping(Bytes::new()))
    }

    /// Writes a close frame, without waiting. Nothing can be written after it.
    pub fn start_close(&mut self, code: u16, reason: &str) {
        let code = CloseCode::try_from(code).unwrap_or(CloseCode::INTERNAL_SERVER_ERROR);
        // If the client has closed the connection already, it needs no close frame.
        let _ = self.start(Message::close(Some(code), reason));
    }

    fn start(&mut self, message: Message) -> Result<(), SocketError> {
        self.unflushed += message.as_payload().len() + 1;
        Pin::new(&mut self.stream).start_send(message).map_err(|error| self.failed(error))
    }

    /// Whether something may have been written that is not flushed.
    pub fn needs_flush(&self) -> bool {
        self.unflushed > 0
    }

    /// Whether so much is not flushed that nothing more should be written.
    pub fn is_full(&self) -> bool {
        self.unflushed > UNFLUSHED_BYTES_MAX
    }

    /// Sends the written messages.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.unflushed = 0;
        Poll::Ready(flushed.map_err(|error| self.failed(error)))
    }

    fn failed(&mut self, error: Error) -> SocketError {
        match error {
            Error::Io(error) => SocketError::Lost(error),
            Error::AlreadyClosed => SocketError::Lost(io::ErrorKind::NotConnected.into()),
            error => {
                if let Error::PayloadTooLong { .. } = &error {
                    // If the message came in fragments, the stream itself sends no close frame.
                    self.start_close(CloseCode::MESSAGE_TOO_BIG.into(), "");
                }
                SocketError::Protocol(error)
            }
        }
    }

    /// The next message. `None` if the connection has ended.
    pub async fn receive(&mut self) -> Option<Received> {
        loop {
            let received = poll_fn(|cx| self.poll_receive(cx)).await;
            if poll_fn(|cx| self.poll_flush(cx)).await.is_err() {
                return None;
            }
            match received {
                Some(Ok(Received::Alive)) => {}
                Some(Ok(received)) => return Some(received),
                Some(Err(_)) | None => {
                    self.wait_for_the_end().await;
                    return None;
                }
            }
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// The connection is closed or lost.
    pub async fn send_text(&mut self, text: impl Into<Bytes>) -> Result<(), SocketError> {
        self.start_text(text.into())?;
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// The connection is closed or lost.
    pub async fn send_binary(&mut self, bytes: impl Into<Bytes>) -> Result<(), SocketError> {
        self.start(Message::binary(bytes.into()))?;
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Closes the connection, and waits until the client has done so too (RFC 6455, 7.1.1).
    pub async fn close(&mut self, code: u16, reason: &str) {
        self.start_close(code, reason);
        self.wait_for_the_end().await;
    }

    /// Sends the written messages, and waits for a short time until the client has closed the connection. If the server
    /// closed it with unread bytes, the client's system would drop the close frame.
    pub async fn wait_for_the_end(&mut self) {
        let _ = timeout(CLOSE_MAX, self.end()).await;
    }

    async fn end(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await.map_err(io::Error::other)?;
        let last = self.bytes_read() + LEFT_BYTES_MAX;
        while self.bytes_read() < last
            && let Some(Ok(_)) = poll_fn(|cx| self.poll_receive(cx)).await
        {}
        let _ = poll_fn(|cx| self.poll_flush(cx)).await;
        let connection = self.stream.get_mut();
        connection.shutdown().await?;
        // On the heap: each connection has the memory of this function from its beginning.
        let mut rest = vec![0; 4096];
        while connection.read < last && connection.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

/// A connection that counts the bytes that are read from it.
#[derive(Debug)]
struct Counted<Io> {
    io: Io,
    read: u64,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Counted<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.read += (buffer.filled().len() - before) as u64;
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Counted<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_rfc() {
        // RFC 6455, 1.3.
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_key("dGhlIHNhbXBsZQ==") && !is_key("") && !is_key("not base64"));
    }
}
