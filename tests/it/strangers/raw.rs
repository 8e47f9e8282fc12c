//! A client that sends arbitrary bytes.

use std::time::Duration;

use serde_json::Value;
use tests::{Person, Team, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest time to wait for anything.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The answer that came before the server closed the connection, or stopped sending.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    /// The first answer in the received bytes, or `None` if there is none.
    pub fn parse(received: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(received);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_lowercase(), body: body.to_owned() })
    }

    /// The code of the problem in the answer.
    pub fn code(&self) -> Option<String> {
        let problem = self.head.contains("content-type: application/problem+json");
        let body = serde_json::from_str::<Value>(&self.body).ok().filter(|_| problem)?;
        body["code"].as_str().map(str::to_owned)
    }
}

pub async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection")
}

/// Reads until the server closes the connection.
///
/// # Panics
/// Panics if the server does not close the connection in time.
pub async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    // A reset also closes the connection.
    let _ = timeout(LIMIT, stream.read_to_end(&mut received)).await.expect("the server closes the connection");
    received
}

/// Sends a request that asks the server to close the connection, and reads the answer.
pub async fn ask(app: &TestApp, request: &[u8]) -> Option<Reply> {
    let mut stream = connect(app).await;
    // The server may have refused before it has read everything.
    let _ = stream.write_all(request).await;
    Reply::parse(&until_closed(&mut stream).await)
}

/// Sends a request, closes the sending side, and reads the answer, if the server still gives one.
pub async fn ask_and_end(app: &TestApp, request: &[u8]) -> Option<Reply> {
    let mut stream = connect(app).await;
    // The server may have refused before it has read everything.
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    Reply::parse(&until_closed(&mut stream).await)
}

/// The head of a user's request.
pub fn head(person: &Person, method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: backscroll\r\nAuthorization: Bearer {}\r\n{more}\r\n", person.token)
}

/// Checks that other users are served as usual.
pub async fn others_are_served(team: &Team) {
    let served = async {
        team.member.get("/v1/users/me").await.expect(200);
        let position = team.post(&team.member, team.general, "still here").await.position();
        team.member.get_at(position, &team.general("/messages")).await.expect(200);
    };
    timeout(LIMIT, served).await.expect("others are served");
}
