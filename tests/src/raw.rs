//! A connection whose bytes a test writes itself, to break the rules of HTTP and of WebSockets (RFC 6455).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::person::Person;

/// The close code of a connection that ended without a close frame (RFC 6455, 7.1.5).
pub const NO_CLOSE_FRAME: u16 = 1006;

/// The longest time that the server may take to answer. The machine may be busy with other tests.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// The size of the kernel's buffer for bytes from the server. It is small, so that a client that does not read is
/// soon behind.
const RECEIVE_BUFFER: u32 = 4_096;
/// The key of the handshake. Its content does not matter.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The first byte of a frame: a text, a binary message, a part of one, a ping.
pub const TEXT: u8 = 0x81;
/// A whole binary message.
pub const BINARY: u8 = 0x82;
/// The first part of a text.
pub const TEXT_BEGINS: u8 = 0x01;
/// A further part that is not the last one.
pub const TEXT_GOES_ON: u8 = 0x00;
/// A ping.
pub const PING: u8 = 0x89;

/// An open connection.
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects to a server, and sends nothing.
    ///
    /// # Errors
    /// The server does not take the connection.
    pub async fn connect(url: &str) -> std::io::Result<Self> {
        let address = url.trim_start_matches("http://").parse().map_err(std::io::Error::other)?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        Ok(Self { stream: socket.connect(address).await? })
    }

    /// Opens a WebSocket as this user.
    ///
    /// # Panics
    /// Panics if the server refuses.
    pub async fn open(person: &Person, query: &str) -> Self {
        let mut raw = Self::connect(&person.url).await.expect("a connection");
        let head = handshake(&person.url, query, &format!("Authorization: Bearer {}\r\n", person.token));
        assert!(raw.write(head.as_bytes()).await, "the server takes the handshake");
        let answer = raw.head().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "refused: {answer}");
        raw
    }

    /// Writes bytes. Returns whether the server still takes them.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(ANSWER_MAX, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Writes a frame with this first byte, with a mask of zeros. Returns whether the server still takes it.
    pub async fn frame(&mut self, first: u8, payload: &[u8]) -> bool {
        self.write(&[&header(first, payload.len() as u64, true)[..], payload].concat()).await
    }

    /// Reads the head of the answer, byte by byte, so that everything behind it is left.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(ANSWER_MAX, self.stream.read_u8()).await.expect("an answer in time").expect("an answer"));
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Reads frames until the server ends the connection, and returns the code of its close frame, or
    /// [`NO_CLOSE_FRAME`].
    ///
    /// # Panics
    /// Panics if the server does not end the connection.
    pub async fn closed(mut self) -> u16 {
        timeout(ANSWER_MAX, self.close_code()).await.expect("the server ends the connection").unwrap_or(NO_CLOSE_FRAME)
    }

    async fn close_code(&mut self) -> std::io::Result<u16> {
        loop {
            let (first, second) = (self.stream.read_u8().await?, self.stream.read_u8().await?);
            let length = match second & 0x7f {
                126 => u64::from(self.stream.read_u16().await?),
                127 => self.stream.read_u64().await?,
                length => u64::from(length),
            };
            if first & 0x0f == 8 {
                return if length >= 2 { self.stream.read_u16().await } else { Ok(1005) };
            }
            tokio::io::copy(&mut (&mut self.stream).take(length), &mut tokio::io::sink()).await?;
        }
    }
}

/// A request for a WebSocket, with these lines in its head.
#[must_use]
pub fn handshake(url: &str, query: &str, lines: &str) -> String {
    let host = url.trim_start_matches("http://");
    format!(
        "GET /v1/live{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
}

/// The header of a frame that announces so many bytes, and its mask, which is zero.
#[must_use]
pub fn header(first: u8, length: u64, is_masked: bool) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut header = vec![first];
    match length {
        0..=125 => header.push(mask | u8::try_from(length).unwrap_or_default()),
        126..=0xffff => {
            header.push(mask | 126);
            header.extend(u16::try_from(length).unwrap_or_default().to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend(length.to_be_bytes());
        }
    }
    if is_masked {
        header.extend([0; 4]);
    }
    header
}
