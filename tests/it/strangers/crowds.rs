//! More connections than anybody needs.

use std::time::Duration;

use futures::future::join_all;
use tests::{Team, TestApp};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::raw::{LIMIT, connect, others_are_served};

/// How many are idle at a time.
const IDLE: usize = 10_000;
/// The open files that the tests need beside them.
const FILES_KEPT: usize = 4_000;
/// The memory that an idle connection may take.
const MEMORY_EACH_MAX: u64 = 32 * 1024;

/// How many open files a process here may have.
fn files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("the limit of open files");
    line.split_whitespace().next().and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_are_in_nobodys_way() {
    let app = TestApp::start_program(&[("BACKSCROLL_REQUEST_HEAD_SECONDS", "300"), ("BACKSCROLL_IDLE_SECONDS", "300")]).await;
    let team = Team::found(&app).await;
    let before = app.program().memory();
    let count = IDLE.min(files_max().saturating_sub(FILES_KEPT));
    let mut idle = Vec::with_capacity(count);
    while idle.len() < count {
        let wave = (count - idle.len()).min(500);
        // Every other one has sent something.
        let connected = join_all((0..wave).map(|n| {
            let app = &app;
            async move {
                let mut stream = timeout(LIMIT, connect(app)).await.expect("let in");
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
    println!("{count} idle connections: {} kB each", more / 1024 / count as u64);
    assert!(count >= 1_000, "only {count} connections: this machine allows too few open files");
    assert!(more < count as u64 * MEMORY_EACH_MAX, "{more} bytes more");
    drop(idle);
    others_are_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_all_connections_are_taken_is_let_in_once_the_idle_are_gone() {
    let settings = [("BACKSCROLL_CONNECTIONS_MAX", "16"), ("BACKSCROLL_REQUEST_HEAD_SECONDS", "3"), ("BACKSCROLL_IDLE_SECONDS", "3")];
    let app = TestApp::start_with(&settings).await;
    let idle = join_all((0..16).map(|_| connect(&app))).await;
    let healthz = || app.get("/healthz");
    timeout(Duration::from_millis(500), healthz()).await.expect_err("nobody else is let in");
    timeout(LIMIT, healthz()).await.expect("let in").expect(200);
    drop(idle);
}
