//! A light HTTP/1.1 client: one connection that stays open, one request at a time. It shares the cores with the server.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer with its whole body.
pub struct Answer {
    pub status: u16,
    /// The position that a command reached, or that a query read at; 0 if the answer has none.
    pub position: i64,
    pub body: Bytes,
}

/// A connection with a session's token, or without one.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: Option<String>,
}

impl Client {
    pub async fn connect(address: SocketAddr, token: Option<&str>) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server");
        stream.set_nodelay(true).expect("no delay");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        // The task ends when the sender is dropped.
        tokio::spawn(connection);
        Self { sender, host: address.to_string(), token: token.map(|token| format!("Bearer {token}")) }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, 0, String::new()).await
    }

    /// Sends a GET request that waits until the read model has reached this position.
    pub async fn get_at(&mut self, position: i64, path: &str) -> Answer {
        self.send("GET", path, position, String::new()).await
    }

    pub async fn post(&mut self, path: &str, body: String) -> Answer {
        self.send("POST", path, 0, body).await
    }

    /// Sends a request that waits until the read model has reached `min_position`.
    pub async fn send(&mut self, method: &str, path: &str, min_position: i64, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if min_position > 0 {
            request = request.header("Backscroll-Min-Position", min_position);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        self.sender.ready().await.expect("a connection");
        let response = self.sender.send_request(request.body(Full::from(body)).expect("a request")).await.expect("an answer");
        let status = response.status().as_u16();
        let position = response.headers().get("backscroll-position").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await.expect("the whole answer").to_bytes();
        Answer { status, position: position.unwrap_or_default(), body }
    }
}
