//! The processes of one round: one for everything, or several with separate roles. Each process has separate proxies.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;

use crate::clock::Clocks;
use crate::command_line::CommandLine;
use crate::index::{ELASTICSEARCH, POOLS};
use crate::process::{Downtime, Process, Role};
use crate::proxy::{Proxy, Speech};
use crate::seed;
use crate::servers::Servers;

/// The master key: the word `chaos`, repeated to 32 bytes. Data that tests seal need not be secret.
pub(crate) const MASTER_KEY: &str = "Y2hhb3NjaGFvc2NoYW9zY2hhb3NjaGFvc2NoYW9zY2g=";
/// The longest time that a process may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// The set of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One process with all roles.
    Whole,
    /// Two processes with all roles. Each is the standby of the other.
    Twins,
    /// Two processes for HTTP, two relays and two projectors.
    Split,
}

impl Shape {
    fn roles(self) -> &'static [Role] {
        match self {
            Self::Whole => &[Role::Whole],
            Self::Twins => &[Role::Whole, Role::Whole],
            Self::Split => &[Role::Http, Role::Http, Role::Relay, Role::Relay, Role::Projectors, Role::Projectors],
        }
    }
}

/// A server for HTTP, as clients see it.
#[derive(Clone, Debug)]
pub struct HttpServer {
    /// The address.
    pub url: String,
    /// The times when it was down.
    pub downtime: Downtime,
}

/// The processes of a round.
#[derive(Debug)]
pub struct Stack {
    /// The set of processes.
    pub shape: Shape,
    /// The clocks, if they can be set.
    pub clocks: Option<Clocks>,
    /// The processes.
    pub processes: Vec<Process>,
    /// The proxy between the command line and Postgres.
    pub to_postgres: Arc<Proxy>,
    /// The command line.
    pub command_line: CommandLine,
}

impl Stack {
    /// Prepares the processes of this shape. None of them runs yet.
    ///
    /// # Errors
    /// Fails if no port is free.
    pub async fn prepare(servers: &Servers, shape: Shape, clocks: Option<Clocks>, log: PathBuf, seed: u64, number: u64) -> Result<Self> {
        let mut processes = Vec::new();
        for (index, role) in shape.roles().iter().enumerate() {
            let chance = |part| seed::stream(seed, part, number * 100 + index as u64);
            let to_postgres = Proxy::start(port_of(servers.address(POSTGRES)?)?, Speech::Bytes, chance("to postgres")).await?;
            let to_nats = Proxy::start(port_of(servers.address(NATS)?)?, Speech::Nats, chance("to nats")).await?;
            let url = format!("http://127.0.0.1:{}", free_port().await?);
            let mut environment = environment(servers, to_postgres.port, to_nats.port)?;
            environment.push(("BACKSCROLL_LISTEN".to_owned(), url.trim_start_matches("http://").to_owned()));
            if let Some(clocks) = &clocks {
                environment.extend(clocks.environment(index)?);
            }
            let log = log.join(format!("{number}-{index}-{role:?}.log").to_lowercase());
            processes.push(Process::new(*role, url, to_postgres, to_nats, environment, log));
        }
        let to_postgres = Proxy::start(port_of(servers.address(POSTGRES)?)?, Speech::Bytes, seed::stream(seed, "to cli", number)).await?;
        let environment = environment(servers, to_postgres.port, port_of(servers.address(NATS)?)?)?;
        let command_line = CommandLine::new(environment, log.join("command-line.log"));
        Ok(Self { shape, clocks, processes, to_postgres: Arc::new(to_postgres), command_line })
    }

    /// Starts every process that does not run.
    ///
    /// # Errors
    /// Fails if a process does not start.
    pub async fn start(&mut self) -> Result<()> {
        let down = self.processes.iter_mut().filter(|process| process.pid().is_none());
        try_join_all(down.map(|process| process.start(START_MAX))).await.map(drop)
    }

    /// Stops every process, as an operator would.
    ///
    /// # Errors
    /// Fails if a process does not stop.
    pub async fn stop(&mut self) -> Result<()> {
        let up = self.processes.iter_mut().filter(|process| process.pid().is_some());
        try_join_all(up.map(Process::stop)).await.map(drop)
    }

    /// The number of connections that were ended and of messages that were tampered with, since the last call.
    pub fn take_meddled(&self) -> u64 {
        let proxies = self.processes.iter().flat_map(|process| [&process.to_postgres, &process.to_nats]);
        proxies.chain([self.to_postgres.as_ref()]).map(Proxy::take_meddled).sum()
    }

    /// The servers that clients may use.
    #[must_use]
    pub fn servers(&self) -> Arc<Vec<HttpServer>> {
        let serving = self.processes.iter().filter(|process| process.role.serves_http());
        Arc::new(serving.map(|process| HttpServer { url: process.url.clone(), downtime: process.downtime.clone() }).collect())
    }
}

const POSTGRES: &str = "BACKSCROLL_POSTGRES_URL";
const NATS: &str = "BACKSCROLL_NATS_URL";
const REDIS: &str = "BACKSCROLL_REDIS_URL";

fn environment(servers: &Servers, postgres_port: u16, nats_port: u16) -> Result<Vec<(String, String)>> {
    let settings = [
        (POSTGRES, at_port(servers.address(POSTGRES)?, postgres_port)?),
        (NATS, at_port(servers.address(NATS)?, nats_port)?),
        (REDIS, servers.address(REDIS)?.to_owned()),
        ("BACKSCROLL_MASTER_KEY", MASTER_KEY.to_owned()),
        ("BACKSCROLL_PROOF_ORIGIN", "chaos.example.org/v1/proof".to_owned()),
        ("BACKSCROLL_HTTP_WORKERS", "2".to_owned()),
        // The load must break things, so the limits must not slow it down.
        ("BACKSCROLL_RATE_LIMITS", "all=1000000/1".to_owned()),
        ("BACKSCROLL_CONNECTIONS_PER_ADDRESS_MAX", "1000000".to_owned()),
        ("BACKSCROLL_OPERATORS_LISTEN", "127.0.0.1:0".to_owned()),
    ];
    let search = servers.address(ELASTICSEARCH).map(|url| {
        [
            ("BACKSCROLL_SEARCH", "elasticsearch".to_owned()),
            (ELASTICSEARCH, url.to_owned()),
            // Small indices are created quickly after a loss.
            ("BACKSCROLL_ELASTICSEARCH_SHARDS", "1".to_owned()),
            ("BACKSCROLL_ELASTICSEARCH_REPLICAS", "0".to_owned()),
            ("BACKSCROLL_ELASTICSEARCH_POOLS", POOLS.to_string()),
            ("BACKSCROLL_ELASTICSEARCH_REFRESH_MS", "500".to_owned()),
        ]
    });
    let all = settings.into_iter().chain(search.into_iter().flatten());
    Ok(all.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The port of an address: the text after the last colon, up to the path.
fn port_of(address: &str) -> Result<u16> {
    let (_, rest) = address.rsplit_once(':').with_context(|| format!("{address} has no port"))?;
    Ok(rest.split('/').next().unwrap_or(rest).parse()?)
}

fn at_port(address: &str, port: u16) -> Result<String> {
    let old = port_of(address)?;
    Ok(address.replace(&format!(":{old}"), &format!(":{port}")))
}

/// A free port. Linux gives it to no outgoing connection, so it stays free while a process is down.
async fn free_port() -> Result<u16> {
    loop {
        let port = rand::random_range(20_000..32_000);
        if tokio::net::TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{at_port, port_of};

    #[test]
    fn the_port_of_an_address_is_replaced() -> anyhow::Result<()> {
        let address = "postgres://u:p@127.0.0.1:5432/base";
        assert_eq!(port_of(address)?, 5432);
        assert_eq!(at_port(address, 99)?, "postgres://u:p@127.0.0.1:99/base");
        assert_eq!(port_of("redis://:p@127.0.0.1:6379")?, 6379);
        Ok(())
    }
}
