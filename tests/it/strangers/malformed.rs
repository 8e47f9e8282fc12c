//! Bytes of strangers that are no HTTP request: the log has no error, and the metrics count them.

use std::collections::BTreeMap;
use std::fs::File;

use tests::program::{self, Program};
use tests::{TestApp, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::raw::until_closed;

/// The start of a TLS handshake.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00";

/// Malformed requests, each with the part that is malformed. `None` if the head is valid or breaks off.
fn malformed() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let head = "GET /healthz HTTP/1.1\r\nHost: backscroll\r\n";
    let chunked =
        "POST /v1/sessions HTTP/1.1\r\nHost: backscroll\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    vec![
        (CLIENT_HELLO.to_vec(), Some("header")),
        (vec![0; 64], Some("header")),
        (b"\xff\xfe\xfd garbage\r\n\r\n".to_vec(), Some("header")),
        (b"G@T / HTTP/1.1\r\n\r\n".to_vec(), Some("header")),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), Some("version")),
        (format!("{head}X Broken: a\r\n\r\n").into_bytes(), Some("header")),
        (format!("{head}X-Broken: a\0b\r\n\r\n").into_bytes(), Some("header")),
        (format!("{head}Content-Length: -1\r\n\r\n").into_bytes(), Some("header")),
        (format!("{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes(), Some("header")),
        (format!("{head}X-Long: {}\r\n\r\n", "x".repeat(200_000)).into_bytes(), Some("too_large")),
        // It has a valid head, so it counts as a request.
        (chunked.as_bytes().to_vec(), None),
        (b"GET /healthz HTTP/1.1\r\nHost: back".to_vec(), None),
        (Vec::new(), None),
    ]
}

async fn send(url: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection");
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    until_closed(&mut stream).await;
}

/// The counts of malformed requests, by their malformed part.
fn counted(metrics: &str) -> BTreeMap<String, u64> {
    let of_line = |line: &str| {
        let (part, count) = line.strip_prefix("backscroll_malformed_requests_total{part=\"")?.split_once("\"} ")?;
        Some((part.to_owned(), count.parse().ok()?))
    };
    metrics.lines().filter_map(of_line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_counted_and_are_no_errors_of_the_server() {
    let app = TestApp::not_started(&[("BACKSCROLL_LOG_LEVEL", "info")]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let log = File::create(&path).expect("a file");
    let (server, url) = Program::serving(&mut program::command(&["serve"], &app.environment), log);
    for (bytes, _) in malformed() {
        send(&url, &bytes).await;
        send(&server.operators_url, &bytes).await;
    }
    let mut expected = BTreeMap::new();
    for part in malformed().into_iter().filter_map(|(_, part)| part) {
        *expected.entry(part.to_owned()).or_default() += 2;
    }
    let metrics = format!("{}/metrics", server.operators_url);
    let mut counts = BTreeMap::new();
    eventually("all malformed requests are counted", async || {
        counts = counted(&reqwest::get(&metrics).await.expect("an answer").text().await.expect("the metrics"));
        counts.values().sum::<u64>() >= expected.values().sum()
    })
    .await;
    assert_eq!(counts, expected);
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.expect("an answer").status(), 200);
    drop(server);
    let log = std::fs::read_to_string(&path).expect("the log");
    let loud = log.lines().filter(|line| line.contains("ERROR") || line.contains("stream error")).collect::<Vec<_>>();
    assert!(loud.is_empty(), "{}", loud.join("\n"));
}
