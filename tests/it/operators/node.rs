//! A node: the binary, as a unit of systemd starts it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::servers::free_port;
use tests::{DebianServers, program};

/// The longest time that a change of a node may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The time between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running node. The process is killed when this value is dropped.
pub struct Node {
    /// Its address for clients: `host:port`.
    pub listen: String,
    /// Its address for operators.
    pub operators_url: String,
    /// Its settings.
    pub environment: BTreeMap<String, String>,
    child: Option<Child>,
    log: PathBuf,
}

impl Node {
    /// Starts a node on these servers.
    pub fn start(name: &str, servers: &DebianServers, changes: &[(&str, &str)]) -> Self {
        Self::start_as(&["serve"], name, servers, changes)
    }

    /// Starts a node with these arguments.
    pub fn start_as(arguments: &[&str], name: &str, servers: &DebianServers, changes: &[(&str, &str)]) -> Self {
        let mut node = Self::not_started(name, servers, changes);
        node.launch(program::command(arguments, &node.environment));
        node
    }

    /// Prepares a node, and does not start it.
    pub fn not_started(name: &str, servers: &DebianServers, changes: &[(&str, &str)]) -> Self {
        let (listen, operators) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let own = [
            ("BACKSCROLL_LISTEN", listen.as_str()),
            ("BACKSCROLL_OPERATORS_LISTEN", &operators),
            ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.1"),
            ("BACKSCROLL_LOG_FORMAT", "json"),
            // nginx notices within a second.
            ("BACKSCROLL_SHUTDOWN_DELAY_SECONDS", "1"),
            // All requests of a test come from one address.
            ("BACKSCROLL_RATE_LIMITS", "all=1000000/60"),
        ];
        let mut environment = servers.environment();
        environment.extend(own.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (operators_url, log) = (format!("http://{operators}"), servers.folder().join(format!("{name}.log")));
        Self { listen, operators_url, environment, child: None, log }
    }

    /// Starts the process.
    pub fn launch(&mut self, mut command: Command) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.expect("the binary runs"));
    }

    /// What `/readyz` for operators says. `None` while the node does not answer.
    pub async fn readiness(&self) -> Option<Value> {
        reqwest::get(format!("{}/readyz", self.operators_url)).await.ok()?.json().await.ok()
    }

    /// Waits until the node is in this state.
    pub async fn until(&self, status: &str) {
        self.until_readiness(status, |readiness| readiness["status"] == status).await;
    }

    /// Waits until the node answers its operators.
    pub async fn until_it_answers(&self) {
        self.until_readiness("answering", |_| true).await;
    }

    async fn until_readiness(&self, what: &str, is_reached: impl Fn(&Value) -> bool) {
        let mut last = None;
        let reached = tokio::time::timeout(LIMIT, async {
            while !last.as_ref().is_some_and(&is_reached) {
                tokio::time::sleep(LOOK_EVERY).await;
                last = self.readiness().await;
            }
        });
        let reached = reached.await.is_ok();
        assert!(reached, "the node is not {what} after {LIMIT:?}: {last:?}\n{}", self.log());
    }

    /// Its metrics.
    pub async fn metrics(&self) -> String {
        let answer = reqwest::get(format!("{}/metrics", self.operators_url)).await.expect("the metrics");
        answer.text().await.expect("a text")
    }

    /// Stops the node as systemd does, and returns its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("a running node");
        let sent = Command::new("kill").arg(child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "the node has ended by itself: {}", self.log());
        tokio::task::spawn_blocking(move || child.wait().expect("its end").code()).await.expect("its end")
    }

    /// Stops the node, changes its settings, and starts it again. Waits until it is ready.
    pub async fn restart(&mut self, changes: &[(&str, Option<&str>)]) {
        assert_eq!(self.stop().await, Some(0), "a stop that the operator wants is no failure: {}", self.log());
        for (name, value) in changes {
            match value {
                Some(value) => drop(self.environment.insert((*name).to_owned(), (*value).to_owned())),
                None => drop(self.environment.remove(*name)),
            }
        }
        self.launch(program::command(&["serve"], &self.environment));
        self.until("ready").await;
    }

    /// What the node has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Migrates the database of these servers.
pub async fn migrated(servers: &DebianServers) {
    run("migrate", &servers.environment(), 0).await;
}

/// Runs a verb of the command line with these settings, which must end with this exit code. Returns its output.
pub async fn run(verb: &str, environment: &BTreeMap<String, String>, code: i32) -> String {
    let output = program::output(&verb.split(' ').collect::<Vec<_>>(), environment).await;
    let (ended, said) = program::said(&output);
    assert_eq!(ended, Some(code), "{verb}: {said}");
    said
}
