//! The memory of the real binary when one client without a session, at one address, makes the server hold as much as it
//! can for a minute.
//!
//! The number of the client's requests is fixed, so that two runs send the same. They are sent as fast as the server
//! accepts them.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tests::Place;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::report::{Goal, Report};
use crate::runs::{Runs, sized};
use crate::served::Served;

/// The longest time to wait for an answer before the client continues without it.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The number of requests that are sent before their answers are read.
const PIPELINED: usize = 50;
/// The number of connections that are tried. It is larger than the limit of an address.
const CONNECTIONS: usize = 1_000;
/// The number of connections that send requests.
const SENDERS: usize = 16;

/// The largest allowed ratio to the memory before.
const RATIO_MAX: f64 = 2.0;

pub async fn measure(report: &mut Report) {
    // The product's default: one address has a limit of connections.
    let place = Place::create(&[("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "0"), ("BACKSCROLL_HTTP_WORKERS", "2")]).await;
    let served = Served::at(&place, &[]);
    warm_up(&served).await;
    let before = served.memory();

    let requests = sized(20_000, 2_000);
    made_up(&served, requests).await;
    let after_made_up = served.memory();
    let held = hold(&served).await;
    // The row measures memory over time, so it waits for a time and not for a condition.
    sleep(sized(Duration::from_secs(20), Duration::from_secs(2))).await;
    let while_held = served.memory();
    drop(held);
    sleep(sized(Duration::from_secs(10), Duration::from_secs(2))).await;
    let (after, peak) = (served.memory(), served.memory_peak());
    let figures = figures(served.operators_address).await;

    report.over(format!(
        "resident memory of the server; {requests} requests with made-up methods, paths, hosts, tokens and passwords; {CONNECTIONS} connections \
         from one address that stay silent, stop in the middle of a head, or take nothing of the documentation; 64 scrapes of which nothing is \
         read; `/metrics` has {} lines afterwards",
        figures.lines().count()
    ));
    let reference = Runs(vec![before]);
    let mut line = |row: &str, megabytes: f64, goal| {
        report.compare(format!("stranger, {row}"), "MB", &Runs(vec![megabytes]), ("before", &reference), goal);
    };
    line("after made-up requests", after_made_up, Goal::AtMost(RATIO_MAX));
    line("while connections are held", while_held, Goal::AtMost(RATIO_MAX));
    line("the most of the minute", peak, Goal::AtMost(RATIO_MAX));
    line("afterwards", after, Goal::AtMost(RATIO_MAX));
}

/// Sends each kind of request once before, so that one-time allocations do not count as growth.
async fn warm_up(served: &Served) {
    let mut client = Client::connect(served.address, None).await;
    for _ in 0..50 {
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs/swagger-ui-bundle.js", "/v1/nothing", "/v1/users/me"] {
            client.get(path).await;
        }
        figures(served.operators_address).await;
    }
    made_up(served, 500).await;
}

/// Sends invented requests over some connections.
async fn made_up(served: &Served, requests: usize) {
    join_all((0..SENDERS).map(|sender| async move {
        let mut stream = TcpStream::connect(served.address).await.expect("a connection");
        let numbers = (0..requests / SENDERS).map(|n| sender * requests + n).collect::<Vec<_>>();
        for batch in numbers.chunks(PIPELINED) {
            let text = batch.iter().map(|n| request(*n)).collect::<String>();
            stream.write_all(text.as_bytes()).await.expect("requests");
            read_answers(&mut stream, batch.len()).await;
        }
    }))
    .await;
}

/// A request of one of several kinds, with words that were never sent before.
fn request(n: usize) -> String {
    let token = format!("bs_{n:043}");
    let (method, path) = match n % 4 {
        0 => (format!("MADEUP{n}"), "/healthz".to_owned()),
        1 => ("GET".to_owned(), format!("/made-up/{n}?made-up={n}")),
        2 => ("GET".to_owned(), "/v1/users/me".to_owned()),
        _ => ("POST".to_owned(), format!("/v1/invitations/{token}/acceptance")),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: made-up-{n}\r\nX-Request-Id: made-up-{n}\r\nAuthorization: Bearer {token}\r\n\r\n")
}

async fn read_answers(stream: &mut TcpStream, answers: usize) {
    const BEGINNING: &[u8] = b"HTTP/1.1 ";
    let mut text = Vec::new();
    let count = |text: &[u8]| text.windows(BEGINNING.len()).filter(|window| *window == BEGINNING).count();
    while count(&text) < answers {
        match timeout(ANSWER_MAX, stream.read_buf(&mut text)).await {
            Ok(Ok(read)) if read > 0 => {}
            other => panic!("{} of {answers} answers: {other:?}", count(&text)),
        }
    }
}

/// Opens connections that occupy memory: silent ones, half heads, and requests whose answers are not read.
async fn hold(served: &Served) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(served.address).await.expect("a connection");
        let text = match n % 4 {
            0 => String::new(),
            1 => format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(8_000)),
            2 => "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            _ => "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        };
        // The server has already closed a refused connection.
        let _ = stream.write_all(text.as_bytes()).await;
        held.push(stream);
    }
    for _ in 0..64 {
        if let Ok(mut stream) = TcpStream::connect(served.operators_address).await {
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
            held.push(stream);
        }
    }
    held
}

async fn figures(address: SocketAddr) -> String {
    let mut client = Client::connect(address, None).await;
    String::from_utf8_lossy(&client.get("/metrics").await.body).into_owned()
}
