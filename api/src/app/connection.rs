//! A client's connection, which ends when the client is not worth waiting for.
//!
//! actix-web limits how long the head of the first request may take, and how long a connection may be silent between requests. It waits for
//! ever for the rest of a second head, and for a client that takes nothing of its answer.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::peers::Place;

/// A connection on which something must be sent to the client every so often: however a client dawdles, it is not answered meanwhile.
pub(super) struct Connection {
    stream: TcpStream,
    unanswered_max: Duration,
    /// When it ends however fast its client is.
    ends_at: Option<Instant>,
    _place: Option<Place>,
    /// When something was last sent, or when the connection began.
    sent_at: Instant,
    /// Fires not before the time is over; it is set anew only then.
    timer: Pin<Box<Sleep>>,
}

impl Connection {
    /// Begins now.
    pub(super) fn new(stream: TcpStream, unanswered_max: Duration) -> Self {
        let sent_at = Instant::now();
        let timer = Box::pin(sleep_until(sent_at + unanswered_max));
        Self { stream, unanswered_max, ends_at: None, _place: None, sent_at, timer }
    }

    /// The same, with the place among the connections that it takes until it ends.
    pub(super) fn at(mut self, place: Place) -> Self {
        self._place = Some(place);
        self
    }

    /// The same, which ends after that time however fast its client is.
    pub(super) fn lasting(mut self, lasts_max: Duration) -> Self {
        self.ends_at = Some(self.sent_at + lasts_max);
        self
    }

    /// Whether the time is over. If not, the task is woken when it may be.
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
        // As if the client had closed it.
        if self.is_over(cx) { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_read(cx, buffer) }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
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
