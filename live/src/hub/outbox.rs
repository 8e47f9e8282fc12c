//! The frames that wait for one connection. Their bytes are bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::sent::Sent;
use crate::close::Close;

/// The bytes that each waiting frame takes besides its content.
const FRAME_OVERHEAD_BYTES: usize = 64;
/// An empty queue keeps room for this many frames.
const ROOM_KEPT: usize = 8;

/// The next thing on a connection.
#[derive(Clone, Debug)]
pub enum Next {
    /// A frame.
    Frame(Arc<Sent>),
    /// The server closes the connection.
    End(Close),
}

/// The queue of a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Events up to this position do not come through the queue.
    after: i64,
    frames: VecDeque<Arc<Sent>>,
    bytes: usize,
    /// Whether the connection still reads missed events from the log.
    is_catching_up: bool,
    /// Whether frames were dropped while the connection was catching up.
    has_gap: bool,
    end: Option<Close>,
    waker: Option<Waker>,
}

impl Outbox {
    /// A queue that takes this many bytes, and the events behind a position.
    pub(super) fn new(bytes_max: usize) -> Self {
        let waiting =
            Waiting { after: i64::MAX, frames: VecDeque::new(), bytes: 0, is_catching_up: true, has_gap: false, end: None, waker: None };
        Self { bytes_max, waiting: Mutex::new(waiting) }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the queue gets the events behind this position. Waiting events are dropped.
    pub(super) fn begin(&self, after: i64) {
        let mut waiting = self.lock();
        waiting.frames.retain(|frame| frame.position().is_none());
        waiting.bytes = waiting.frames.iter().map(|frame| size_of(frame)).sum();
        (waiting.after, waiting.has_gap) = (after, false);
    }

    /// Events up to this position do not come through the queue. Those that wait already are dropped: they came between the
    /// registration and this call.
    pub(super) fn skip_to(&self, position: i64) {
        let mut waiting = self.lock();
        let after = waiting.after.max(position);
        waiting.after = after;
        waiting.frames.retain(|frame| frame.position().is_none_or(|position| position > after));
        waiting.bytes = waiting.frames.iter().map(|frame| size_of(frame)).sum();
    }

    /// The connection has read the missed events from the log. Returns false if events were dropped meanwhile: then it must
    /// begin again where the queue begins again.
    pub(super) fn has_caught_up(&self) -> bool {
        let mut waiting = self.lock();
        waiting.is_catching_up = waiting.has_gap;
        !waiting.has_gap
    }

    /// Adds a frame. Returns the connection's waker, if the connection waits. If the queue is full, a connection that is
    /// catching up reads the log again, and another one is closed.
    pub(super) fn push(&self, frame: &Arc<Sent>) -> Option<Waker> {
        let mut waiting = self.lock();
        // After a gap, events come from the log again. Frames without a position do not.
        let comes_otherwise = |position: i64| position <= waiting.after || waiting.has_gap;
        if waiting.end.is_some() || frame.position().is_some_and(comes_otherwise) {
            return None;
        }
        let bytes = waiting.bytes + size_of(frame);
        if bytes <= self.bytes_max {
            waiting.bytes = bytes;
            waiting.frames.push_back(frame.clone());
            return waiting.waker.take();
        }
        if frame.is_ephemeral() {
            return None;
        }
        (waiting.frames, waiting.bytes) = (VecDeque::new(), 0);
        if waiting.is_catching_up {
            waiting.has_gap = true;
            return None;
        }
        waiting.end = Some(Close::TooSlow);
        waiting.waker.take()
    }

    /// Ends the connection. The first reason counts, but the end of the session or of the account counts more than that
    /// the server stops: the connection gets none of the waiting frames.
    pub(super) fn end(&self, close: Close) -> Option<Waker> {
        let mut waiting = self.lock();
        if waiting.end.is_some_and(|earlier| !earlier.sends_the_rest() || !close.is_of_the_user()) {
            return None;
        }
        if !close.sends_the_rest() {
            (waiting.frames, waiting.bytes) = (VecDeque::new(), 0);
        }
        waiting.end = Some(close);
        waiting.waker.take()
    }

    /// Whether the connection ends at once.
    pub(super) fn ends_at_once(&self) -> Option<Close> {
        self.lock().end.filter(|close| !close.sends_the_rest())
    }

    /// The next frame, or the end.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Next> {
        let mut waiting = self.lock();
        if let Some(frame) = waiting.frames.pop_front() {
            waiting.bytes -= size_of(&frame);
            if waiting.frames.is_empty() {
                waiting.frames.shrink_to(ROOM_KEPT);
            }
            return Poll::Ready(Next::Frame(frame));
        }
        if let Some(close) = waiting.end {
            return Poll::Ready(Next::End(close));
        }
        wait(&mut waiting, cx)
    }

    /// Wakes the connection if it ends.
    pub(super) fn poll_end(&self, cx: &Context<'_>) -> Poll<Next> {
        let mut waiting = self.lock();
        match waiting.end {
            Some(close) if !close.sends_the_rest() => Poll::Ready(Next::End(close)),
            _ => wait(&mut waiting, cx),
        }
    }
}

fn wait(waiting: &mut Waiting, cx: &Context<'_>) -> Poll<Next> {
    if !waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        waiting.waker = Some(cx.waker().clone());
    }
    Poll::Pending
}

fn size_of(frame: &Sent) -> usize {
    frame.json().len() + FRAME_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::ids::LogId;
    use uuid::Uuid;

    use super::*;
    use crate::changes::ResetReason;
    use crate::cursor::Cursor;

    fn event(position: i64) -> Arc<Sent> {
        // A reset has a position too, and is easily made.
        Sent::reset(Cursor { log_id: LogId(Uuid::nil()), position }, ResetReason::LogChanged)
    }

    fn next(outbox: &Outbox) -> Option<Result<i64, Close>> {
        match outbox.poll(&Context::from_waker(Waker::noop())) {
            Poll::Ready(Next::Frame(frame)) => Some(Ok(frame.position().unwrap_or(-1))),
            Poll::Ready(Next::End(close)) => Some(Err(close)),
            Poll::Pending => None,
        }
    }

    #[test]
    fn events_up_to_the_beginning_are_left_out_and_the_others_come_in_order() {
        let outbox = Outbox::new(10_000);
        outbox.begin(5);
        (4..8).for_each(|position| drop(outbox.push(&event(position))));
        assert!(outbox.has_caught_up());
        assert_eq!([next(&outbox), next(&outbox), next(&outbox)], [Some(Ok(6)), Some(Ok(7)), None]);
    }

    #[test]
    fn events_that_the_client_has_do_not_come_although_they_wait_already() {
        let outbox = Outbox::new(10_000);
        // The client was at a node that is ahead of this one.
        outbox.begin(5);
        (6..9).for_each(|position| drop(outbox.push(&event(position))));
        outbox.skip_to(7);
        assert!(outbox.has_caught_up());
        assert_eq!([next(&outbox), next(&outbox)], [Some(Ok(8)), None]);
    }

    #[test]
    fn a_full_queue_closes_the_connection_and_a_frame_without_a_position_does_not() {
        let outbox = Outbox::new(500);
        outbox.begin(0);
        assert!(outbox.has_caught_up());
        drop(outbox.push(&event(1)));
        drop(outbox.push(&Sent::ephemeral(Bytes::from(vec![b' '; 600]))));
        assert_eq!(next(&outbox), Some(Ok(1)));
        (2..9).for_each(|position| drop(outbox.push(&event(position))));
        assert_eq!([next(&outbox), next(&outbox)], [Some(Err(Close::TooSlow)), Some(Err(Close::TooSlow))]);
    }

    #[test]
    fn a_full_queue_of_a_connection_that_catches_up_leaves_a_gap_that_it_notices() {
        let outbox = Outbox::new(500);
        outbox.begin(0);
        (1..9).for_each(|position| drop(outbox.push(&event(position))));
        assert!(!outbox.has_caught_up());
        outbox.begin(8);
        drop(outbox.push(&event(9)));
        assert!(outbox.has_caught_up());
        assert_eq!([next(&outbox), next(&outbox)], [Some(Ok(9)), None]);
    }

    #[test]
    fn a_session_that_has_ended_gets_nothing_more_and_a_server_that_drains_sends_the_rest() {
        for (close, first) in [(Close::SessionEnded, Err(Close::SessionEnded)), (Close::ServerDrains, Ok(1))] {
            let outbox = Outbox::new(10_000);
            outbox.begin(0);
            drop(outbox.push(&event(1)));
            drop(outbox.end(close));
            drop(outbox.end(Close::TooSlow));
            drop(outbox.push(&event(2)));
            assert_eq!(next(&outbox), Some(first));
            assert_eq!(next(&outbox), Some(Err(close)));
        }
    }

    #[test]
    fn a_session_that_ends_while_the_server_drains_gets_nothing_more() {
        let outbox = Outbox::new(10_000);
        outbox.begin(0);
        drop(outbox.push(&event(1)));
        drop(outbox.end(Close::ServerDrains));
        drop(outbox.end(Close::SessionEnded));
        assert_eq!(outbox.ends_at_once(), Some(Close::SessionEnded));
        assert_eq!(next(&outbox), Some(Err(Close::SessionEnded)));
    }
}
