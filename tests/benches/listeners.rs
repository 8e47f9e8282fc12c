//! Clients that listen: each holds a WebSocket to `GET /v1/live`, and notes when each event arrives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::ids::UserId;
use futures::future::join_all;
use futures::stream::iter;
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tests::servers::raise_open_files;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::load::Served;
use crate::runs::Latencies;

/// The handshakes that are in progress at once.
const OPENING: usize = 128;
/// The longest time until the last frame.
const LAST_MAX: Duration = Duration::from_secs(30);

/// The size of each socket's buffer. By default it is 128 kB, which is 1.3 GB for ten thousand.
const READ_BYTES: usize = 4_096;

/// An open WebSocket.
pub struct Listener(WebSocketStream<TcpStream>);

/// An event's position, and when it arrived.
pub type Arrival = (i64, Instant);

/// A listener that notes arrivals.
pub struct Noting {
    task: JoinHandle<Vec<Arrival>>,
}

impl Listener {
    /// Opens a socket, and reads `hello`. The query is empty, or begins with `?`.
    pub async fn open(address: SocketAddr, token: &str, query: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server");
        stream.set_nodelay(true).expect("no delay");
        let mut request = format!("ws://{address}/v1/live{query}").into_client_request().expect("an address");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a token"));
        let config = WebSocketConfig::default().read_buffer_size(READ_BYTES).write_buffer_size(0);
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await.expect("a socket");
        let mut listener = Self(stream);
        let hello = listener.text().await.expect("a frame");
        assert!(hello.starts_with("{\"type\":\"hello\""), "{hello}");
        listener
    }

    /// Opens one socket for each token, some at once. Each reads what it has missed, up to position `head`, or only
    /// `hello`.
    pub async fn open_all(address: SocketAddr, tokens: &[String], query: &str, head: Option<i64>) -> Vec<Self> {
        raise_open_files();
        let opening = tokens.iter().map(|token| async move {
            let mut listener = Self::open(address, token, query).await;
            if let Some(head) = head {
                listener.read_up_to(head).await;
            }
            listener
        });
        iter(opening).buffer_unordered(OPENING).collect().await
    }

    /// Asks for the presence of these people.
    pub async fn watch(&mut self, users: &[UserId]) {
        let frame = json!({"type": "watch", "users": users}).to_string();
        self.0.send(Message::text(frame)).await.expect("an open socket");
    }

    /// Counts the presences of people that come until a moment.
    pub async fn count_presences(mut self, until: tokio::time::Instant) -> usize {
        let mut count = 0;
        while let Ok(text) = timeout_at(until, self.text()).await {
            let text = text.expect("an open socket");
            if text.contains("\"kind\":\"presence\"") {
                count += text.matches("\"user_id\":").count();
            }
        }
        count
    }

    /// The next text, or `None` if the server closed the socket.
    async fn text(&mut self) -> Option<Utf8Bytes> {
        while let Some(Ok(message)) = self.0.next().await {
            match message {
                Message::Text(text) => return Some(text),
                Message::Close(_) => return None,
                _ => {}
            }
        }
        None
    }

    /// Reads events up to this position.
    pub async fn read_up_to(&mut self, head: i64) {
        let reading = async { while position(&self.text().await.expect("an open socket")) < Some(head) {} };
        timeout(LAST_MAX, reading).await.expect("every event in time");
    }

    /// Reads until the server closes the socket. Returns when that was.
    pub async fn closed(mut self) -> Instant {
        while self.text().await.is_some() {}
        Instant::now()
    }

    /// Notes the arrivals up to the event at `last`, which the caller sets once it is known.
    pub fn note(mut self, last: Arc<AtomicU64>) -> Noting {
        let task = tokio::spawn(async move {
            let mut arrivals = Vec::new();
            while let Some(text) = self.text().await {
                let Some(position) = position(&text) else { continue };
                arrivals.push((position, Instant::now()));
                if position.unsigned_abs() >= last.load(Ordering::Relaxed) {
                    break;
                }
            }
            drop(self.0.send(Message::Close(None)).await);
            arrivals
        });
        Noting { task }
    }
}

/// The position of an event's frame.
fn position(frame: &str) -> Option<i64> {
    let (_, rest) = frame.strip_prefix("{\"type\":\"event\"")?.split_once("\"position\":")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The time from when each post was due until each listener had it.
pub async fn latencies(listeners: Vec<Noting>, served: &[Served<i64>]) -> Latencies {
    let mut due = served.iter().map(|served| (served.answer, served.due)).collect::<Vec<_>>();
    due.sort_unstable();
    let arrived = timeout(LAST_MAX, join_all(listeners.into_iter().map(|listener| listener.task))).await.expect("the last event in time");
    let arrivals = arrived.into_iter().flat_map(|arrivals| arrivals.expect("a listener"));
    Latencies::of(arrivals.filter_map(|(position, at)| {
        let place = due.binary_search_by_key(&position, |(position, _)| *position).ok()?;
        Some(at - due[place].1)
    }))
}
