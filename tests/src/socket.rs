//! A client of live connections, by a WebSocket library that shares no code with the server.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::Person;

/// The longest time until a frame comes that must come.
const FRAME_MAX: Duration = Duration::from_secs(60);

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The first frame.
    pub hello: Value,
    /// The code with which the server closed the socket.
    pub closed: Option<u16>,
    /// The cursor of the last frame.
    pub cursor: String,
}

/// The server refused the handshake with this status, and with this code of a problem. Without an answer, the status is 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub u16, pub String);

impl Person {
    /// The request that opens a socket, with this query string.
    ///
    /// # Panics
    /// Panics if the server's address is none.
    #[must_use]
    pub fn handshake(&self, query: &str) -> Request {
        let url = format!("{}/v1/live{query}", self.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("an address");
        let token = format!("Bearer {}", self.token).parse().expect("a header");
        request.headers_mut().insert("authorization", token);
        request
    }

    /// Opens a socket that gets the events from now on.
    pub async fn socket(&self) -> Socket {
        Socket::open(self, "").await.expect("a socket")
    }

    /// Opens a socket that gets the events behind a cursor.
    pub async fn socket_after(&self, cursor: &str) -> Socket {
        Socket::open(self, &format!("?after={cursor}")).await.expect("a socket")
    }
}

impl Socket {
    /// Opens a socket with this query string.
    ///
    /// # Errors
    /// The server refuses it.
    ///
    /// # Panics
    /// Panics if the first frame is no `hello`.
    pub async fn open(person: &Person, query: &str) -> Result<Self, Refused> {
        let address = person.url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self::over(stream, person.handshake(query)).await
    }

    /// Opens a socket over a connection.
    ///
    /// # Errors
    /// The server refuses it.
    ///
    /// # Panics
    /// Panics if the first frame is no `hello`.
    pub async fn over(stream: TcpStream, request: Request) -> Result<Self, Refused> {
        let config = WebSocketConfig::default().read_buffer_size(4096);
        // tungstenite keeps the connection of a refusal, and only what came with its head.
        let whole = stream.into_std().expect("a connection");
        let mut rest = TcpStream::from_std(whole.try_clone().expect("the same connection")).expect("a connection");
        let stream = TcpStream::from_std(whole).expect("a connection");
        let opened = timeout(FRAME_MAX, client_async_with_config(request, stream, Some(config))).await.expect("an answer in time");
        let stream = match opened {
            Ok((stream, _)) => stream,
            Err(Error::Http(response)) => {
                let length = response.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
                let mut body = response.body().clone().unwrap_or_default();
                while body.len() < length.unwrap_or(0) && rest.read_buf(&mut body).await.expect("the rest of a refusal") > 0 {}
                let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
                return Err(Refused(response.status().as_u16(), body["code"].as_str().unwrap_or_default().to_owned()));
            }
            // A server that has just stopped.
            Err(error) => return Err(Refused(0, error.to_string())),
        };
        let mut socket = Self { stream, hello: Value::Null, closed: None, cursor: String::new() };
        if let Some(hello) = socket.next().await {
            assert_eq!(hello["type"], "hello", "{hello}");
            // Before a `reset` there is no cursor.
            socket.cursor = hello["cursor"].as_str().unwrap_or_default().to_owned();
            socket.hello = hello;
        }
        Ok(socket)
    }

    /// The next frame. `None` if the server has closed the socket.
    ///
    /// # Panics
    /// Panics if none comes in a minute, or if it is not JSON.
    pub async fn next(&mut self) -> Option<Value> {
        // Pings are no frames: they do not prolong the wait.
        timeout(FRAME_MAX, self.next_frame()).await.expect("a frame in time")
    }

    async fn next_frame(&mut self) -> Option<Value> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str::<Value>(&text).expect("JSON");
                    self.note(&frame);
                    return Some(frame);
                }
                Some(Ok(Message::Close(close))) => self.closed = close.map(|close| close.code.into()).or(Some(1005)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn note(&mut self, frame: &Value) {
        let log_id = self.cursor.split_once(':').map(|(log_id, _)| log_id.to_owned()).unwrap_or_default();
        match frame["type"].as_str() {
            Some("event") => self.cursor = format!("{log_id}:{}", frame["position"]),
            Some("reset") => self.cursor = frame["cursor"].as_str().expect("a cursor").to_owned(),
            _ => {}
        }
    }

    /// The next frame of an event.
    ///
    /// # Panics
    /// Panics if the socket ends.
    pub async fn event(&mut self) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("the socket was closed with {:?}", self.closed));
            if frame["type"] == "event" {
                return frame;
            }
        }
    }

    /// The frames of events up to this position, which must have one.
    pub async fn events_to(&mut self, position: i64) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            let at = event["position"].as_i64().expect("a position");
            assert!(at <= position, "the event at {position} did not come before {event}");
            events.push(event);
            if at == position {
                return events;
            }
        }
    }

    /// The next frame that is of this type.
    ///
    /// # Panics
    /// Panics if the socket ends.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("the socket was closed with {:?}", self.closed));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Reads until the server closes the socket. Returns the code, and the frames that came before.
    pub async fn end(&mut self) -> (Option<u16>, Vec<Value>) {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        (self.closed, frames)
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// Panics if the socket has ended.
    pub async fn send(&mut self, frame: Value) {
        self.message(Message::text(frame.to_string())).await;
    }

    /// Sends any message.
    ///
    /// # Panics
    /// Panics if the socket has ended.
    pub async fn message(&mut self, message: Message) {
        self.stream.send(message).await.expect("an open socket");
    }

    /// Asks whether the server is there, and waits for its answer. All that was sent before has come then.
    pub async fn ping(&mut self) {
        self.send(json!({"type": "ping"})).await;
        self.next_of("pong").await;
    }

    /// Opens a socket at a server with these headers, and no others of a client's own.
    ///
    /// # Errors
    /// The server refuses it.
    ///
    /// # Panics
    /// Panics if a header cannot be sent, or the server does not answer.
    pub async fn with_headers(url: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        let address = url.trim_start_matches("http://").to_owned();
        let mut request = format!("ws://{address}/v1/live{query}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        Self::over(TcpStream::connect(address).await.expect("a connection"), request).await
    }

    /// The next frame without a position of this kind.
    pub async fn ephemeral(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next_of("ephemeral").await;
            if frame["kind"] == kind {
                return frame;
            }
        }
    }

    /// Asks whether the server is there, and returns the frames that come before its answer.
    ///
    /// # Panics
    /// Panics if the socket ends.
    pub async fn before_pong(&mut self) -> Vec<Value> {
        self.send(json!({"type": "ping"})).await;
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Some(frame) if frame["type"] == "pong" => return frames,
                Some(frame) => frames.push(frame),
                None => panic!("the socket was closed with {:?}", self.closed),
            }
        }
    }
}
