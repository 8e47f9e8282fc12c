//! Many more connections than a server usually has.

use std::time::Duration;

use futures::future::join_all;
use tests::{Team, TestApp};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::raw::{LIMIT, connect, others_are_served};

/// The number of idle connections at a time.
const IDLE: usize = 10_000;
/// The open files that the tests need for everything else.
const FILES_KEPT: usize = 4_000;
/// The largest memory that an idle connection may take, in bytes.
const MEMORY_EACH_MAX: u64 = 32 * 1024;

/// The limit of open files of this process.
fn files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("the limit of open files");
    line.split_whitespace().next().and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_do_not_disturb_other_clients() {
    let app = TestApp::start_program(&[("BACKSCROLL_REQUEST_HEAD_SECONDS", "300"), ("BACKSCROLL_IDLE_SECONDS", "300")]).await;
    let team = Team::found(&app).await;
    let before = app.program().memory();
    let count = IDLE.min(files_max().saturating_sub(FILES_KEPT));
    let mut idle = Vec::with_capacity(count);
    while idle.len() < count {
        let wave = (count - idle.len()).min(500);
        // Every other connection has sent half a request.
        let connected = join_all((0..wave).map(|n| {
            let app = &app;
            async move {
                let mut stream = timeout(LIMIT, connect(app)).await.expect("the server accepts the connection");
                if n % 2 == 0 {
                    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.expect("half a head");
                }
                stream
            }
        }));
        idle.extend(connected.await);
        others_are_served(&team).await;
    }
    others_are_served(&team).await;
    let more = app.program().memory_peak().saturating_sub(before);
    println!("{count} idle connections take {} kB each", more / 1024 / count as u64);
    assert!(count >= 1_000, "only {count} connections: this machine allows too few open files");
    assert!(more < count as u64 * MEMORY_EACH_MAX, "{more} bytes more");
    drop(idle);
    others_are_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_while_all_connections_are_taken_until_idle_ones_are_closed() {
    let settings = [("BACKSCROLL_CONNECTIONS_MAX", "16"), ("BACKSCROLL_REQUEST_HEAD_SECONDS", "3"), ("BACKSCROLL_IDLE_SECONDS", "3")];
    let app = TestApp::start_with(&settings).await;
    let idle = join_all((0..16).map(|_| connect(&app))).await;
    let healthz = || app.get("/healthz");
    timeout(Duration::from_millis(500), healthz()).await.expect_err("the server accepts no other connection");
    timeout(LIMIT, healthz()).await.expect("the server accepts the connection").expect(200);
    drop(idle);
}
