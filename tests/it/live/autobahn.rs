//! The WebSockets of the server obey RFC 6455: the cases of the Autobahn test suite, which `kosoku` of PyPI runs against an
//! echo over the same code that serves connections.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use api::live::websocket::{Received, Socket, SocketLimits, accept_key};
use serde_json::Value;
use tests::servers::checkout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

/// The largest message of the cases has 16 MiB.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The longest time that the suite may take. The first time, it is fetched.
const SUITE_MAX: Duration = Duration::from_secs(240);
/// Everything but compression, which the server does not offer (12 and 13).
const CASES: usize = 301;

/// Reads the head of a request, and returns the client's key.
async fn key(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let key = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    key.map(|(_, value)| value.trim().to_owned()).ok_or_else(|| std::io::Error::other("no key"))
}

/// Sends every message back.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let accept = accept_key(&key(&mut stream).await?);
    let head =
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut socket = Socket::over(stream, SocketLimits { message_bytes_max: MESSAGE_BYTES_MAX });
    while let Some(received) = socket.receive().await {
        let sent = match received {
            Received::Text(text) => socket.send_text(text).await,
            Received::Binary(bytes) => socket.send_binary(bytes).await,
            Received::Alive => Ok(()),
        };
        sent.map_err(std::io::Error::other)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_autobahn_is_passed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(checkout().join("scripts/clients.sh"));
    command.args(["kosoku", &address, "-p", "4", "-x", "12.*", "-x", "13.*", "-o", "report"]);
    command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(SUITE_MAX, command.output()).await.expect("an end in time").expect("scripts/clients.sh");
    serving.abort();
    let report = std::fs::read_to_string(folder.path().join("report/index.json"));
    let report = report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let report = serde_json::from_str::<BTreeMap<String, BTreeMap<String, Value>>>(&report).expect("JSON");
    let cases = report.into_values().next().expect("the results of one server");
    assert_eq!(cases.len(), CASES);
    let passes = |value: &Value| ["OK", "NON-STRICT", "INFORMATIONAL"].contains(&value.as_str().unwrap_or_default());
    let failed = cases.iter().filter(|(_, result)| !passes(&result["behavior"]) || !passes(&result["behaviorClose"]));
    let failed = failed.map(|(case, result)| format!("{case}: {result}")).collect::<Vec<_>>();
    assert!(failed.is_empty(), "{failed:#?}");
}
