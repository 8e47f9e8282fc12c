//! A client's connection. It ends if the client is too slow.
//!
//! actix-web limits the time for the head of the first request, and the idle time between requests. It has no limit for
//! the rest of a second request's head, and none for a client that does not read its answer.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_send_buffer_size, set_tcp_user_timeout};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::peers::Place;
use crate::live::UNACKNOWLEDGED_MAX;
use crate::live::wire::Buffers;

/// The most bytes that the system keeps for a live connection. Linux doubles it.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// A connection that ends if the server has sent nothing on it for `unanswered_max`. A slow client cannot extend this:
/// what it sends does not count.
pub(super) struct Connection {
    stream: TcpStream,
    unanswered_max: Duration,
    /// The time at which the connection ends, even if its client is fast.
    ends_at: Option<Instant>,
    _place: Option<Place>,
    buffers: Buffers,
    /// The time of the last write, or the start of the connection.
    sent_at: Instant,
    /// Fires when the time may be over. It is reset only then, not on each write.
    timer: Pin<Box<Sleep>>,
}

impl Connection {
    /// Starts the time.
    pub(super) fn new(stream: TcpStream, unanswered_max: Duration) -> Self {
        let sent_at = Instant::now();
        let timer = Box::pin(sleep_until(sent_at + unanswered_max));
        Self { stream, unanswered_max, ends_at: None, _place: None, buffers: Buffers::default(), sent_at, timer }
    }

    /// Sets the connection's place among those of its address. The place is released when the connection ends.
    pub(super) fn at(mut self, place: Place) -> Self {
        self._place = Some(place);
        self
    }

    /// Sets a time after which the connection ends, even if its client is fast.
    pub(super) fn lasting(mut self, lasts_max: Duration) -> Self {
        self.ends_at = Some(self.sent_at + lasts_max);
        self
    }

    /// Bounds what the system keeps of a connection whose client does not read: a live connection has no end of its own.
    pub(super) fn bound(&mut self) {
        let limit_ms = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
        let bounded =
            set_socket_send_buffer_size(&self.stream, SEND_BUFFER_BYTES).and_then(|()| set_tcp_user_timeout(&self.stream, limit_ms));
        if let Err(error) = bounded {
            tracing::debug!(%error, "the buffers of a live connection cannot be bounded");
        }
    }

    fn bound_if_asked(&mut self) {
        if self.buffers.must_be_bound() {
            self.bound();
        }
    }

    /// Lets other tasks bound the buffers of the connection.
    pub(super) fn buffers(&self) -> Buffers {
        self.buffers.clone()
    }

    /// Whether the time is over. If not, the timer wakes the task when it may be.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let unanswered_until = self.sent_at + self.unanswered_max;
            let ends_at = self.ends_at.map_or(unanswered_until, |last| last.min(unanswered_until));
            if ends_at <= Instant::now() {
                return true;
            }
            self.timer.as_mut().reset(ends_at);
        }
        false
    }

    fn sent(&mut self, written: Poll<Result<usize>>, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        match written {
            Poll::Ready(Ok(_)) => self.sent_at = Instant::now(),
            Poll::Pending if self.is_over(cx) => return Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            _ => {}
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        // This looks as if the client had closed the connection.
        if self.is_over(cx) { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_read(cx, buffer) }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.bound_if_asked();
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        self.bound_if_asked();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.sent(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
