//! A WebSocket until its end: the connection's frames go out, the client's frames come in, and both sides check that the
//! other one is there.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::web::Data;
use futures::future::BoxFuture;
use identity::sessions::Sessions;
use live::{
    ClientFrame, ClientFrames, Close, Connected, Ending, EphemeralFrame, FrameRefusal, Next, RENEW_EVERY, Sent, Subscription, pong,
};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::websocket::{Received, Socket, SocketError, SocketLimits};
use super::wire::Wire;
use super::{PING_EVERY, SESSION_CHECK_EVERY, SILENT_MAX};
use crate::extract::LiveCaller;

/// The most bytes of a client's frame. A list of 500 people has 20 kB.
const FRAME_BYTES_MAX: usize = 32 * 1024;

/// The most bytes that a client may send in a second.
const BYTES_PER_SECOND_MAX: u64 = 128 * 1024;

/// How long the end of a connection may take to be noted elsewhere.
const NOTED_MAX: Duration = Duration::from_secs(10);

/// The parts that serve the connections of this node.
#[derive(Clone)]
pub struct Rules {
    /// Handles the clients' frames.
    pub frames: Arc<dyn ClientFrames>,
    /// The sessions that connections depend on.
    pub sessions: Data<Sessions>,
    /// The most frames of a client in a second.
    pub frames_per_second_max: u32,
}

impl Rules {
    /// Notes that a connection is still there, and looks up its session if that is due. Returns false if the
    /// session has ended.
    pub(super) async fn renew(&self, connected: &Connected, caller: LiveCaller, looks_up: bool) -> bool {
        self.frames.renewed(connected).await;
        // If it cannot be looked up now, the log still says when it ends.
        !looks_up || !caller.has_ended(&self.sessions).await
    }

    /// Notes that a connection has ended, in a limited time.
    pub(super) async fn note_end(&self, connected: &Connected) {
        let _ = timeout(NOTED_MAX, self.frames.closed(connected)).await;
    }
}

/// Serves a WebSocket over this connection, until its end.
pub async fn serve(wire: Box<dyn Wire>, subscription: Subscription, caller: LiveCaller, rules: Rules) {
    let connected = subscription.connected().clone();
    let mut connection = Connection::new(wire, subscription, caller, rules.clone());
    let ending = connection.run().await;
    let Connection { socket, subscription, .. } = connection;
    // The client's connection ends at once. The notes in Redis are of no use to it.
    drop(socket);
    subscription.ended(ending);
    rules.note_end(&connected).await;
}

/// A connection, between two events.
struct Connection {
    socket: Socket<Box<dyn Wire>>,
    subscription: Subscription,
    caller: LiveCaller,
    rules: Rules,
    /// The work that runs for the connection, one task at a time. Meanwhile no frame of the client is read.
    doing: Option<BoxFuture<'static, Done>>,
    timer: Pin<Box<Sleep>>,
    pings_at: Instant,
    renews_at: Instant,
    checks_at: Instant,
    heard_at: Instant,
    /// The second that is counted, and what the client sent in it.
    counted_since: Instant,
    frames: u32,
    read_before: u64,
    /// The time since which nothing is read from the client, because work runs for it or frames wait for it.
    unread_since: Option<Instant>,
    /// How long nothing was read just before the second that is counted, and in it. Frames that the client sent meanwhile
    /// are read afterwards, all at once.
    unread: Duration,
}

/// Something that was done for the connection.
enum Done {
    /// A frame of the client was handled.
    Frame(Result<Option<EphemeralFrame>, FrameRefusal>),
    /// The connection was noted, and there is nothing to send.
    Noted,
    /// The connection was noted. False if its session was looked up and has ended.
    Checked(bool),
}

/// The next thing that happens on a connection.
enum Event {
    Received(Received),
    ClosedByClient,
    Failed(SocketError),
    End(Close),
    Done(Done),
    Tick,
}

impl Connection {
    fn new(wire: Box<dyn Wire>, subscription: Subscription, caller: LiveCaller, rules: Rules) -> Self {
        let now = Instant::now();
        let (frames, connected) = (rules.frames.clone(), subscription.connected().clone());
        Self {
            socket: Socket::over(wire, SocketLimits { message_bytes_max: FRAME_BYTES_MAX }),
            subscription,
            caller,
            rules,
            doing: Some(Box::pin(async move {
                frames.opened(&connected).await;
                Done::Noted
            })),
            timer: Box::pin(sleep(PING_EVERY)),
            pings_at: now + PING_EVERY,
            renews_at: now + RENEW_EVERY,
            checks_at: now + SESSION_CHECK_EVERY,
            heard_at: now,
            counted_since: now,
            frames: 0,
            read_before: 0,
            unread_since: None,
            unread: Duration::ZERO,
        }
    }

    async fn run(&mut self) -> Ending {
        loop {
            let ended = match poll_fn(|cx| self.poll(cx)).await {
                Event::Received(received) => self.receive(received).err(),
                Event::Done(done) => self.done(done).err(),
                Event::Tick => self.tick().err(),
                Event::End(close) => Some(close),
                Event::ClosedByClient => {
                    self.socket.wait_for_the_end().await;
                    return Ending::Client;
                }
                Event::Failed(SocketError::Lost(_)) => return Ending::Lost,
                Event::Failed(SocketError::Protocol(_)) => {
                    self.socket.wait_for_the_end().await;
                    return Ending::Protocol;
                }
            };
            if let Some(close) = ended {
                // A client that reads too slowly does not read this either.
                self.socket.close(close.code(), close.reason()).await;
                return Ending::Server(close);
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Tick);
        }
        if let Some(doing) = &mut self.doing
            && let Poll::Ready(done) = doing.as_mut().poll(cx)
        {
            self.doing = None;
            return Poll::Ready(Event::Done(done));
        }
        if let Poll::Ready(event) = self.poll_write(cx) {
            return Poll::Ready(event);
        }
        // A client that does not read gets no answers: otherwise they would wait without a bound.
        if self.doing.is_some() || self.socket.needs_flush() {
            self.unread_since.get_or_insert_with(Instant::now);
            return Poll::Pending;
        }
        if let Some(since) = self.unread_since.take() {
            self.begin_second();
            self.unread += since.elapsed();
        }
        match self.socket.poll_receive(cx) {
            Poll::Ready(Some(Ok(received))) => Poll::Ready(Event::Received(received)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Event::Failed(error)),
            Poll::Ready(None) => Poll::Ready(Event::ClosedByClient),
            Poll::Pending => self.poll_bytes(),
        }
    }

    /// Writes the waiting frames, as far as the client reads.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            while !self.socket.is_full() {
                match self.subscription.poll_next(cx) {
                    Poll::Ready(Next::Frame(frame)) => {
                        if let Err(error) = self.socket.start_text(frame.json().clone()) {
                            return Poll::Ready(Event::Failed(error));
                        }
                    }
                    Poll::Ready(Next::End(close)) => return Poll::Ready(Event::End(close)),
                    Poll::Pending => break,
                }
            }
            if !self.socket.needs_flush() {
                return Poll::Pending;
            }
            let was_full = self.socket.is_full();
            match self.socket.poll_flush(cx) {
                Poll::Ready(Ok(())) if was_full => {
                    // While many bytes wait for a client, its pongs are not read. If the system takes more bytes, the
                    // client reads. Otherwise the system's bounded buffer is soon full.
                    self.heard_at = Instant::now();
                }
                Poll::Ready(Ok(())) => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Event::Failed(error)),
                Poll::Pending => return self.subscription.poll_end(cx).map(Event::End),
            }
        }
    }

    /// Fragments without end are no message, but they are bytes.
    fn poll_bytes(&mut self) -> Poll<Event> {
        let is_too_much = self.has_sent_too_much() && !self.begin_second();
        if is_too_much { Poll::Ready(Event::End(Close::ProtocolError)) } else { Poll::Pending }
    }

    /// Whether the client has sent more than it may: in the second that is counted, and while nothing was read.
    fn has_sent_too_much(&self) -> bool {
        let is_more = |count: u64, per_second: u64| {
            u128::from(count) * 1000 > u128::from(per_second) * (Duration::from_secs(1) + self.unread).as_millis()
        };
        let bytes = self.socket.bytes_read() - self.read_before;
        is_more(self.frames.into(), self.rules.frames_per_second_max.into()) || is_more(bytes, BYTES_PER_SECOND_MAX)
    }

    /// Begins to count anew if a second is over. Returns whether it is.
    fn begin_second(&mut self) -> bool {
        let is_over = self.counted_since.elapsed() >= Duration::from_secs(1);
        if is_over {
            (self.counted_since, self.frames, self.read_before) = (Instant::now(), 0, self.socket.bytes_read());
            self.unread = Duration::ZERO;
        }
        is_over
    }

    fn receive(&mut self, received: Received) -> Result<(), Close> {
        self.heard_at = Instant::now();
        self.begin_second();
        self.frames += 1;
        if self.has_sent_too_much() {
            return Err(Close::ProtocolError);
        }
        match received {
            Received::Alive => Ok(()),
            Received::Binary(_) => Err(Close::ProtocolError),
            Received::Text(text) => self.handle(&text),
        }
    }

    fn handle(&mut self, text: &str) -> Result<(), Close> {
        let value = serde_json::from_str::<serde_json::Value>(text).map_err(|_| Close::ProtocolError)?;
        match serde_json::from_value::<ClientFrame>(value) {
            Ok(ClientFrame::Ping {}) => self.subscription.answer(&pong()),
            Ok(frame) => {
                let (frames, connected) = (self.rules.frames.clone(), self.subscription.connected().clone());
                self.doing = Some(Box::pin(async move { Done::Frame(frames.received(&connected, frame).await) }));
            }
            Err(error) => {
                let detail = format!("the frame is unknown or invalid: {error}");
                self.subscription.answer(&Sent::refusal("live.frame_invalid", &detail));
            }
        }
        Ok(())
    }

    fn done(&mut self, done: Done) -> Result<(), Close> {
        match done {
            Done::Frame(Ok(Some(answer))) => self.subscription.answer(&Sent::answer(answer.json().clone())),
            Done::Frame(Err(refusal)) => self.subscription.answer(&Sent::refusal(refusal.code, &refusal.detail)),
            Done::Frame(Ok(None)) | Done::Noted | Done::Checked(true) => {}
            Done::Checked(false) => return Err(Close::SessionEnded),
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Close> {
        let now = Instant::now();
        // While something is done for the client, its pongs are not read.
        if now - self.heard_at > SILENT_MAX && self.doing.is_none() {
            return Err(Close::Silent);
        }
        if now >= self.pings_at {
            self.pings_at = now + PING_EVERY;
            // A failure is noticed when the ping is sent.
            let _ = self.socket.start_ping();
        }
        if now >= self.renews_at && self.doing.is_none() {
            self.renews_at = now + RENEW_EVERY;
            self.doing = Some(self.renewal(now));
        }
        let next = self.pings_at.min(self.renews_at.max(now + Duration::from_secs(1)));
        self.timer.as_mut().reset(next);
        Ok(())
    }

    /// Notes that the connection is still there, or looks up its session.
    fn renewal(&mut self, now: Instant) -> BoxFuture<'static, Done> {
        let looks_up = now >= self.checks_at;
        if looks_up {
            self.checks_at = now + SESSION_CHECK_EVERY;
        }
        let (rules, connected, caller) = (self.rules.clone(), self.subscription.connected().clone(), self.caller);
        Box::pin(async move { Done::Checked(rules.renew(&connected, caller, looks_up).await) })
    }
}
