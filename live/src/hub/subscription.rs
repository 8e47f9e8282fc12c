//! The frames of one connection: `hello`, then the missed events, then the new ones.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use commands::CommandError;
use tracing::debug;

use super::Inner;
use super::missed::Missed;
use super::outbox::Next;
use super::registry::Subscriber;
use super::sent::Sent;
use super::stats::Ending;
use crate::client::Connected;
use crate::close::Close;
use crate::error::ChangesError;

/// The reader of the missed events, and its next part.
type Part = (Missed, Result<Vec<Arc<Sent>>, ChangesError>);
/// It is dropped when everything is read: a connection keeps no memory for it.
type Reading = Pin<Box<dyn Future<Output = Part> + Send>>;

/// The frames of a connection. Dropping it ends the connection.
pub struct Subscription {
    inner: Arc<Inner>,
    subscriber: Arc<Subscriber>,
    /// Frames that come before all others.
    ready: VecDeque<Arc<Sent>>,
    reading: Option<Reading>,
    /// Reads the missed events when `ready` is empty.
    missed: Option<Box<Missed>>,
}

impl Subscription {
    pub(super) fn new(inner: Arc<Inner>, subscriber: Arc<Subscriber>) -> Self {
        inner.stats.opened(subscriber.connected.transport);
        Self { inner, subscriber, ready: VecDeque::new(), reading: None, missed: None }
    }

    /// Sends these frames first, then the missed events, if there are any.
    pub(super) fn begin(&mut self, first: impl IntoIterator<Item = Arc<Sent>>, missed: Missed) {
        self.ready.extend(first);
        self.missed = Some(Box::new(missed));
    }

    /// Events up to this position do not come: the client has them.
    pub(super) fn skip_to(&self, position: i64) {
        self.subscriber.outbox.skip_to(position);
    }

    /// The connection.
    #[must_use]
    pub fn connected(&self) -> &Connected {
        &self.subscriber.connected
    }

    /// Counts how the connection ended.
    pub fn ended(&self, ending: Ending) {
        self.inner.stats.ended(ending);
    }

    /// Ends the connection from elsewhere.
    #[must_use]
    pub fn ender(&self) -> Ender {
        Ender(self.subscriber.clone())
    }

    /// Sends an answer to this connection, behind the frames that wait already.
    pub fn answer(&self, frame: &Arc<Sent>) {
        if let Some(waker) = self.subscriber.outbox.push(frame) {
            waker.wake();
        }
    }

    /// The next frame, or the end of the connection. Call it only when the last frame was written: waiting frames count, and
    /// a connection with too many waiting bytes is closed.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(close) = self.subscriber.outbox.ends_at_once() {
            return Poll::Ready(Next::End(close));
        }
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Poll::Ready(self.counted(Next::Frame(frame)));
            }
            if let Some(missed) = self.missed.take() {
                self.go_on(*missed);
            }
            let Some(reading) = &mut self.reading else {
                let next = ready!(self.subscriber.outbox.poll(cx));
                return Poll::Ready(self.counted(next));
            };
            let Poll::Ready((missed, part)) = reading.as_mut().poll(cx) else {
                return self.subscriber.outbox.poll_end(cx);
            };
            self.reading = None;
            match part {
                Ok(frames) => {
                    self.ready.extend(frames);
                    self.missed = Some(Box::new(missed));
                }
                // The suspension is in the log already, but has not been given to the connections yet.
                Err(ChangesError::Commands(CommandError::Refused(_))) => return Poll::Ready(Next::End(Close::Suspended)),
                Err(error) => {
                    debug!(error = %stores::error::chain(&error), "what a connection missed cannot be read");
                    return Poll::Ready(Next::End(Close::FeedLost));
                }
            }
        }
    }

    /// Resolves when the connection ends, while nothing can be written.
    pub fn poll_end(&mut self, cx: &Context<'_>) -> Poll<Close> {
        match ready!(self.subscriber.outbox.poll_end(cx)) {
            Next::End(close) => Poll::Ready(close),
            Next::Frame(_) => Poll::Pending,
        }
    }

    fn counted(&mut self, next: Next) -> Next {
        if let Next::Frame(frame) = &next {
            self.inner.stats.sent(frame.json().len());
        }
        next
    }

    fn go_on(&mut self, mut missed: Missed) {
        if !missed.is_over() {
            return self.read_on(missed);
        }
        if self.subscriber.outbox.has_caught_up() {
            // An idle connection keeps no memory for events that it once missed.
            self.ready = VecDeque::new();
            return;
        }
        // More happened meanwhile than the queue holds.
        let position = self.inner.registry().begin_again(&self.subscriber);
        missed.extend(position);
        self.skip_to(missed.reached());
        self.read_on(missed);
    }

    fn read_on(&mut self, mut missed: Missed) {
        let workspaces = self.inner.registry().workspaces_of(self.subscriber.connected.user_id);
        self.reading = Some(Box::pin(async move {
            let part = missed.part(workspaces).await;
            (missed, part)
        }));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inner.registry().remove(&self.subscriber);
        self.inner.stats.closed(self.subscriber.connected.transport);
    }
}

/// Ends a connection.
#[derive(Clone, Debug)]
pub struct Ender(Arc<Subscriber>);

impl Ender {
    /// Ends the connection: [`Subscription::poll_next`] says so.
    pub fn end(&self, close: Close) {
        if let Some(waker) = self.0.outbox.end(close) {
            waker.wake();
        }
    }
}

/// The answer to a client's `ping`.
#[must_use]
pub fn pong() -> Arc<Sent> {
    Sent::answer(Bytes::from_static(br#"{"type":"pong"}"#))
}
