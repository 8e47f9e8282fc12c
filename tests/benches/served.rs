//! The real binary, serving in a process of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tests::servers::checkout;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::client::Client;
use crate::place::Place;

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a killed process may take to be gone.
const END_MAX: Duration = Duration::from_secs(5);
/// How long the read models may take to have everything.
const CATCH_UP_MAX: Duration = Duration::from_secs(300);

/// A server that ends with it.
pub struct Served {
    pub address: SocketAddr,
    process: Child,
    /// Read on, so that the server can always write.
    _output: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Serves that place with the product's own settings and those arguments.
    pub async fn at(place: &Place, arguments: &[&str]) -> Self {
        let mut process = backscroll(place).arg("serve").args(arguments).stdout(Stdio::piped()).spawn().expect("target/release/backscroll");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let said = timeout(START_MAX, lines.next_line()).await.expect("it starts in time").expect("what it says").unwrap_or_default();
        let address = said.split("http://").nth(1).and_then(|rest| rest.split([',', '/']).next()?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the server does not say where it serves ({said}): target/bench-server.log"));
        let output = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address, process, _output: output }
    }

    /// Waits until the read models show position `head`, as a query at that position does.
    pub async fn has_projected(&self, head: i64, token: &str, path: &str) {
        let mut client = Client::connect(self.address, Some(token)).await;
        let gives_up_at = Instant::now() + CATCH_UP_MAX;
        loop {
            let answer = client.get_at(head, path).await;
            match answer.status {
                200 => return,
                503 if Instant::now() < gives_up_at => sleep(Duration::from_millis(100)).await,
                status => panic!("{path} at {head}: {status} {}", String::from_utf8_lossy(&answer.body)),
            }
        }
    }

    /// How much memory it holds, in MB.
    pub fn memory(&self) -> f64 {
        let file = format!("/proc/{}/status", self.process.id().expect("a server that runs"));
        let status = std::fs::read_to_string(file).expect("its status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse::<f64>().ok());
        resident.expect("its memory") / 1_024.0
    }
}

/// Ends the process, and waits until it is gone: the database goes next, and nobody may come back to it meanwhile.
impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
        let gives_up_at = Instant::now() + END_MAX;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < gives_up_at {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A call of the binary that `make bench` has built, over that place; it ends with us.
pub fn backscroll(place: &Place) -> Command {
    let log = File::options().create(true).append(true).open(checkout().join("target/bench-server.log")).expect("a log");
    let mut command = Command::new(checkout().join("target/release/backscroll"));
    command.env_clear().envs(&place.environment).stdin(Stdio::null()).stderr(log).kill_on_drop(true);
    command
}
