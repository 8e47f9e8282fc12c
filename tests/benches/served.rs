//! The real binary as a separate server process.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tests::servers::checkout;
use tests::{Place, Program, program};
use tokio::time::{Instant, sleep};

use crate::client::Client;

/// The longest time that the read models may take to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(300);

/// A server that ends when this value is dropped.
pub struct Served {
    pub address: SocketAddr,
    pub operators_address: SocketAddr,
    program: Program,
}

impl Served {
    /// Starts a server for this place with the product's default settings and these arguments.
    pub fn at(place: &Place, arguments: &[&str]) -> Self {
        let (program, url) = Program::serving(&mut backscroll(place, &[&["serve"], arguments].concat()), log());
        let address = url.trim_start_matches("http://").parse().expect("an address");
        let operators_address = program.operators_url.trim_start_matches("http://").parse().expect("an address of operators");
        Self { address, operators_address, program }
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

    /// The peak memory of the server, in MB.
    pub fn memory_peak(&self) -> f64 {
        self.program.memory_peak() as f64 / f64::from(1 << 20)
    }

    /// The processor time that the server has used.
    pub fn processor_time(&self) -> Duration {
        self.program.processor_time()
    }

    /// The present memory of the server, in MB.
    pub fn memory(&self) -> f64 {
        self.program.memory() as f64 / f64::from(1 << 20)
    }
}

/// A call of the binary that `make bench` has built, with this place.
pub fn backscroll(place: &Place, arguments: &[&str]) -> Command {
    program::command(arguments, &place.environment)
}

/// The file for the binary's log.
pub fn log() -> File {
    File::options().create(true).append(true).open(checkout().join("target/bench-server.log")).expect("a log")
}
