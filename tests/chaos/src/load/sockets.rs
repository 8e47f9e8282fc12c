//! Clients on sockets: each follows the events of a user by `GET /v1/live`, over a WebSocket or an event stream, leaves
//! after a moment, and comes back with its cursor, at any server.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant as Deadline, timeout_at};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use uuid::Uuid;

use super::client::Clients;
use super::world::Person;
use crate::stack::HttpServer;

/// The longest time that a connection may take to begin.
const CONNECT_MAX: Duration = Duration::from_secs(12);
/// A client leaves each connection after a time between these two, in milliseconds.
const STAY_MS: std::ops::Range<u64> = 200..2_500;
/// The pause before the next connection, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 0..150;

/// An event that came over a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The position of the event.
    pub position: i64,
    /// Its type, such as `message.posted`.
    pub event: String,
    /// The highest position that any client knew before the connection was opened.
    pub known_before: i64,
}

/// The events that a user got since the last look.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// The user.
    pub user: Uuid,
    /// The position at which the user began to follow, if they have.
    pub begin: Option<i64>,
    /// The position of the last event before these.
    pub before: i64,
    /// The events, in the order in which they came.
    pub seen: Vec<Seen>,
    /// Things that must never happen: a refusal, a reset, a close code that says not to come back.
    pub troubles: Vec<String>,
    /// The number of connections.
    pub connections: u64,
}

/// Somebody who follows, through all rounds.
#[derive(Debug)]
pub struct Follower {
    person: Person,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log_id: String,
    cursor: Option<String>,
    last: i64,
    followed: Followed,
}

/// How a connection ended.
enum End {
    /// The client left, or the connection broke.
    Left,
    /// The server refused it with this status.
    Refused(u16),
    /// The server closed it with this code.
    Closed(u64),
}

impl Follower {
    /// Somebody who has not begun yet.
    #[must_use]
    pub fn new(person: Person) -> Self {
        let followed = Followed { user: person.id, ..Followed::default() };
        Self { person, state: Mutex::new(State { followed, ..State::default() }) }
    }

    /// The position of the last event that came.
    pub fn reached(&self) -> i64 {
        self.lock().last
    }

    /// Takes the events that came since the last call.
    pub fn take(&self) -> Followed {
        let mut state = self.lock();
        let next = Followed { user: self.person.id, begin: state.followed.begin, before: state.last, ..Followed::default() };
        std::mem::replace(&mut state.followed, next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows until `is_over`.
    pub async fn run(self: Arc<Self>, clients: Clients, mut chance: StdRng, is_over: Arc<AtomicBool>) {
        // Its own client, whose requests have no time limit as a whole.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).connect_timeout(CONNECT_MAX).build().unwrap_or_default();
        while !is_over.load(Relaxed) {
            let servers = clients.servers.clone();
            let Some(server) = servers.get(chance.random_range(0..servers.len().max(1))) else { return };
            let leaves_at = Deadline::now() + Duration::from_millis(chance.random_range(STAY_MS));
            let (known_before, began) = (clients.known.load(Relaxed), Instant::now());
            let end = if chance.random_bool(0.7) {
                self.on_websocket(server, known_before, leaves_at).await
            } else {
                self.on_event_stream(&http, server, known_before, leaves_at).await
            };
            self.judge(end, server, began);
            tokio::time::sleep(Duration::from_millis(chance.random_range(PAUSE_MS))).await;
        }
    }

    fn judge(&self, end: Result<End>, server: &HttpServer, began: Instant) {
        let mut state = self.lock();
        state.followed.connections += 1;
        let trouble = match end {
            Ok(End::Left | End::Refused(503) | End::Closed(0..4_100 | 4_200..)) => return,
            Ok(End::Refused(status)) => format!("refused: {status}"),
            Ok(End::Closed(code)) => format!("closed with {code}, which says not to come back"),
            Err(_) if server.downtime.overlaps(began, Instant::now()) => return,
            Err(error) => format!("no connection to {}, and the server was there: {error:#}", server.url),
        };
        state.followed.troubles.push(trouble);
    }

    async fn on_websocket(&self, server: &HttpServer, known_before: i64, leaves_at: Deadline) -> Result<End> {
        let query = self.lock().cursor.as_ref().map(|cursor| format!("?after={cursor}")).unwrap_or_default();
        let mut request = format!("{}/v1/live{query}", server.url.replacen("http", "ws", 1)).into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", self.person.token).parse()?);
        let connecting = async {
            let stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.map_err(SocketError::Io)?;
            client_async(request, stream).await
        };
        let mut socket = match tokio::time::timeout(CONNECT_MAX, connecting).await.context("no answer to the handshake")? {
            Ok((socket, _)) => socket,
            Err(SocketError::Http(answer)) => return Ok(End::Refused(answer.status().as_u16())),
            Err(error) => return Err(error).context("the handshake"),
        };
        while let Ok(Some(Ok(message))) = timeout_at(leaves_at, socket.next()).await {
            match message {
                Message::Close(close) => return Ok(End::Closed(close.map_or(1_005, |close| u16::from(close.code).into()))),
                Message::Text(text) => self.read(&text, known_before),
                _ => {}
            }
        }
        Ok(End::Left)
    }

    async fn on_event_stream(&self, http: &reqwest::Client, server: &HttpServer, known_before: i64, leaves_at: Deadline) -> Result<End> {
        let mut request = http.get(format!("{}/v1/live", server.url)).bearer_auth(&self.person.token).header("Accept", "text/event-stream");
        if let Some(cursor) = &self.lock().cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        let mut answer = tokio::time::timeout(CONNECT_MAX, request.send()).await.context("no answer")??;
        if answer.status() != 200 {
            return Ok(End::Refused(answer.status().as_u16()));
        }
        let mut text = Vec::new();
        while let Ok(Ok(Some(bytes))) = timeout_at(leaves_at, answer.chunk()).await {
            text.extend_from_slice(&bytes);
            while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                let block = text.drain(..end + 2).collect::<Vec<_>>();
                if let Some(code) = self.read_block(&String::from_utf8_lossy(&block), known_before) {
                    return Ok(End::Closed(code));
                }
            }
        }
        Ok(End::Left)
    }

    /// Reads a block of an event stream. Returns the code if the block closes the stream.
    fn read_block(&self, block: &str, known_before: i64) -> Option<u64> {
        let data = block.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim_start)?;
        if block.lines().any(|line| line.trim_end() == "event: close" || line.trim_end() == "event:close") {
            return serde_json::from_str::<Value>(data).ok()?.get("code")?.as_u64();
        }
        self.read(data, known_before);
        None
    }

    fn read(&self, text: &str, known_before: i64) {
        let mut state = self.lock();
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            state.followed.troubles.push(format!("no JSON: {text}"));
            return;
        };
        let of = |field: &str| frame.get(field).and_then(Value::as_str).map(str::to_owned);
        match of("type").as_deref() {
            Some("hello") => {
                let position = frame.get("position").and_then(Value::as_i64).unwrap_or_default();
                state.followed.begin.get_or_insert(position);
                state.log_id = of("log_id").unwrap_or_default();
                state.cursor = of("cursor");
            }
            Some("event") => {
                let position = frame.get("position").and_then(Value::as_i64).unwrap_or_default();
                state.cursor = Some(format!("{}:{position}", state.log_id));
                state.last = position;
                state.followed.seen.push(Seen { position, event: of("event").unwrap_or_default(), known_before });
            }
            Some("reset") => state.followed.troubles.push(format!("a reset without a reason: {text}")),
            _ => {}
        }
    }
}
