//! The memory of the real binary under a stranger's worst minute: what one who is not signed in, at one address, can make it hold.
//!
//! The stranger's requests are bounded in number, so that two runs ask the same. They are sent as fast as the server takes them.

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

/// How long an answer may take before the stranger goes on without it.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Requests that are sent before their answers are read.
const PIPELINED: usize = 50;
/// Connections that are tried; more than an address may have.
const CONNECTIONS: usize = 1_000;
/// Connections that send requests.
const SENDERS: usize = 16;

/// What the server may hold at most, against what it held before.
const RATIO_MAX: f64 = 2.0;

pub async fn measure(report: &mut Report) {
    // As the product is set: one address has no more connections than it may.
    let place = Place::create(&[("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "0"), ("BACKSCROLL_HTTP_WORKERS", "2")]).await;
    let served = Served::at(&place, &[]);
    warm_up(&served).await;
    let before = served.memory();

    let requests = sized(20_000, 2_000);
    made_up(&served, requests).await;
    let after_made_up = served.memory();
    let held = hold(&served).await;
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

/// Asks everything once that the stranger will ask, so that what is made once is not called growth.
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

/// Sends made-up requests over some connections.
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

/// One of several kinds, each with words that were never sent before.
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

/// Opens connections that hold what they can: silent ones, half heads, and requests whose answers are not read.
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
        // One that was refused is closed already.
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
