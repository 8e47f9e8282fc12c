//! A server that goes away and comes back while Backscroll runs is logged once each time, with the reason.

use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::NamedTempFile;
use tests::{Program, SpareServer, TestApp, eventually, program};
use tokio::time::{Instant, sleep};

/// The longest time until a text is logged. Stores are looked at every 5 seconds, and other tests run too.
const LOGGED_MAX: Duration = Duration::from_secs(40);
/// The time between two looks into the log.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often the stores are asked again during an outage.
const ASKED_AGAIN: usize = 20;

/// A running server, and its log.
pub(super) struct Running {
    program: Program,
    log: NamedTempFile,
}

impl Running {
    /// Starts the server with this environment.
    pub(super) fn serve(environment: &BTreeMap<String, String>) -> Self {
        let log = NamedTempFile::new().expect("a file");
        let (program, _) = Program::serving(&mut program::command(&["serve"], environment), log.reopen().expect("the file"));
        Self { program, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("the log")
    }

    /// Waits until the log has each of these texts, and returns it. Gives up after a while.
    pub(super) async fn says(&self, texts: &[String]) -> String {
        let gives_up_at = Instant::now() + LOGGED_MAX;
        loop {
            let log = self.log();
            if texts.iter().all(|text| log.contains(text.as_str())) || Instant::now() > gives_up_at {
                return log;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks for the state of all stores.
    async fn ask(&self) {
        drop(reqwest::get(format!("{}/readyz", self.program.operators_url)).await.expect("an answer"));
    }

    /// How many lines have both texts.
    fn count(&self, one: &str, other: &str) -> usize {
        self.log().lines().filter(|line| line.contains(one) && line.contains(other)).count()
    }
}

/// Stops and starts the server twice, and looks into the log. `sign` is in the one line of an outage.
async fn goes_and_comes_back(running: &Running, server: &mut SpareServer, name: &str, sign: &str) {
    let down = format!("{name} at 127.0.0.1:{}", server.port);
    for time in 1..=2 {
        server.stop();
        eventually("the outage is logged", async || running.count(&down, sign) == time).await;
        // Each of these requests asks the stores again.
        for _ in 0..ASKED_AGAIN {
            running.ask().await;
        }
        server.start_again();
        eventually("the end of the outage is logged", async || running.count(name, "answers again") == time).await;
        assert_eq!(running.count(&down, sign), time, "{}", running.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_goes_away_and_comes_back_is_logged_once_each() {
    let mut redis = SpareServer::redis(&[]);
    let app = TestApp::not_started(&[("BACKSCROLL_REDIS_URL", &format!("redis://127.0.0.1:{}", redis.port))]).await;
    eventually("redis listens", async || tokio::net::TcpStream::connect(("127.0.0.1", redis.port)).await.is_ok()).await;
    let running = Running::serve(&app.environment);
    goes_and_comes_back(&running, &mut redis, "redis", "(redis_url)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_that_goes_away_and_comes_back_is_logged_once_each() {
    let mut nats = SpareServer::nats("jetstream: { store_dir: \"{folder}/js\" }");
    let app = TestApp::not_started(&[("BACKSCROLL_NATS_URL", &format!("nats://127.0.0.1:{}", nats.port))]).await;
    eventually("nats listens", async || tokio::net::TcpStream::connect(("127.0.0.1", nats.port)).await.is_ok()).await;
    let running = Running::serve(&app.environment);
    goes_and_comes_back(&running, &mut nats, "nats", "refused").await;
}
