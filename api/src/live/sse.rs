//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): the frames of a connection, one an
//! event, with the cursor as its identifier.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::web::Bytes;
use futures::Stream;
use live::{Close, Connected, Ending, Next, RENEW_EVERY, Subscription};
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::SESSION_CHECK_EVERY;
use super::serve::Rules;
use crate::extract::LiveCaller;

/// The time between two comments on a connection on which nothing happens. They show that the client is still there.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// How long a client waits at least before it comes back, and how much longer at most, in milliseconds. The clients of
/// a server that stops must not come back at the same moment.
const RETRY_MIN_MS: u128 = 1_000;
const RETRY_SPREAD_MS: u128 = 2_000;
const COMMENT: &[u8] = b":\n\n";

/// The body of an answer with server-sent events. It ends with the connection.
pub struct Events {
    subscription: Subscription,
    timer: Pin<Box<Sleep>>,
    has_begun: bool,
    has_ended: bool,
    rules: Rules,
    /// Notes that the connection is there. `None` only while this is dropped.
    noting: Option<AbortOnDropHandle<()>>,
}

impl Events {
    /// The events of this connection.
    pub fn of(subscription: Subscription, caller: LiveCaller, rules: Rules) -> Self {
        let noting = tokio::spawn(keep_noting(subscription.connected().clone(), caller, rules.clone(), subscription.ender()));
        Self {
            subscription,
            timer: Box::pin(sleep(COMMENT_EVERY)),
            has_begun: false,
            has_ended: false,
            rules,
            noting: Some(AbortOnDropHandle::new(noting)),
        }
    }

    fn retry(&self) -> Bytes {
        // The identifier ends with random bits.
        let spread = self.subscription.connected().connection_id.as_u128() % RETRY_SPREAD_MS;
        format!("retry: {}\n\n", RETRY_MIN_MS + spread).into()
    }

    fn end(&mut self, close: Close) -> Bytes {
        self.has_ended = true;
        self.subscription.ended(Ending::Server(close));
        let data = json!({"type": "close", "code": close.code(), "reason": close.reason()});
        format!("event: close\ndata: {data}\n\n").into()
    }
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            return Poll::Ready(Some(Ok(self.retry())));
        }
        let bytes = match self.subscription.poll_next(cx) {
            Poll::Ready(Next::Frame(frame)) => frame.server_sent_event(),
            Poll::Ready(Next::End(close)) => self.end(close),
            Poll::Pending => {
                if self.timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                Bytes::from_static(COMMENT)
            }
        };
        self.timer.as_mut().reset(Instant::now() + COMMENT_EVERY);
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.has_ended {
            self.subscription.ended(Ending::Lost);
        }
        let (rules, connected, noting) = (self.rules.clone(), self.subscription.connected().clone(), self.noting.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // The opening of the connection must not be noted after its end.
                if let Some(noting) = noting {
                    noting.abort();
                    let _ = noting.await;
                }
                rules.note_end(&connected).await;
            });
        }
    }
}

/// Notes that the connection has opened and is still there, and ends it if its session has ended.
async fn keep_noting(connected: Connected, caller: LiveCaller, rules: Rules, ender: live::Ender) {
    rules.frames.opened(&connected).await;
    let mut checks_at = Instant::now() + SESSION_CHECK_EVERY;
    loop {
        sleep(RENEW_EVERY).await;
        let looks_up = Instant::now() >= checks_at;
        if looks_up {
            checks_at = Instant::now() + SESSION_CHECK_EVERY;
        }
        if !rules.renew(&connected, caller, looks_up).await {
            ender.end(Close::SessionEnded);
        }
    }
}
