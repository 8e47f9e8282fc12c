//! A Redis Cluster of three nodes on this machine. It ends with the test that started it.

use std::process::{Child, Command, Stdio};

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::servers::{checkout, free_port};
use crate::{cached, eventually};

/// The number of nodes. Three is the minimum: a cluster of three still works after one node has failed.
const NODES: u16 = 3;
/// The number of slots that the keys are spread over.
const SLOTS: u16 = 16_384;

/// A running cluster.
pub struct RedisCluster {
    nodes: Vec<Node>,
    /// The folder in which the nodes keep their view of the cluster.
    _folder: TempDir,
}

struct Node {
    port: u16,
    bus_port: u16,
    process: Child,
}

impl RedisCluster {
    /// Starts a cluster.
    ///
    /// # Panics
    /// Panics if the cluster does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("its path").to_owned();
        let nodes = (0..NODES).map(|_| Node::start(&path)).collect::<Vec<_>>();
        let cluster = Self { nodes, _folder: folder };
        cluster.join().await;
        cluster
    }

    /// The addresses of the nodes, in the form of the setting `redis_url`.
    #[must_use]
    pub fn urls(&self) -> String {
        self.nodes.iter().map(Node::url).collect::<Vec<_>>().join(",")
    }

    /// The number of keys on each node.
    ///
    /// # Panics
    /// Panics if a node does not answer.
    pub async fn keys(&self) -> Vec<usize> {
        let mut keys = Vec::new();
        for node in &self.nodes {
            keys.push(redis::cmd("DBSIZE").query_async(&mut node.connection().await).await.expect("the number of keys"));
        }
        keys
    }

    /// Every key of every node, with its whole value.
    ///
    /// # Panics
    /// Panics if a node does not answer.
    pub async fn texts(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for node in &self.nodes {
            texts.extend(cached::texts(&mut node.connection().await, "*").await);
        }
        texts
    }

    /// How often each node has saved its file.
    ///
    /// # Panics
    /// Panics if a node does not answer.
    pub async fn saves(&self) -> Vec<u64> {
        let mut saves = Vec::new();
        for node in &self.nodes {
            let info: String =
                redis::cmd("INFO").arg("persistence").query_async(&mut node.connection().await).await.expect("the node's state");
            let line = info.lines().find_map(|line| line.strip_prefix("rdb_saves:"));
            saves.push(line.and_then(|number| number.trim().parse().ok()).expect("a number"));
        }
        saves
    }

    async fn join(&self) {
        for (node, n) in self.nodes.iter().zip(0..) {
            eventually("a node answers", async || node.connect().await.is_ok()).await;
            // If two nodes met with the same epoch, they would first have to agree on new ones.
            node.tell(redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(n + 1)).await;
            let (first, last) = (SLOTS / NODES * n, if n + 1 == NODES { SLOTS - 1 } else { SLOTS / NODES * (n + 1) - 1 });
            node.tell(redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(first).arg(last)).await;
        }
        for other in &self.nodes[1..] {
            self.nodes[0].tell(redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(other.port).arg(other.bus_port)).await;
        }
        for node in &self.nodes {
            eventually("the nodes are a cluster", async || node.is_in_order().await).await;
        }
    }
}

impl Node {
    fn start(folder: &str) -> Self {
        let (port, bus_port) = (free_port(), free_port());
        let mut command = Command::new(checkout().join("scripts/services.sh"));
        command.arg("redis-server").args(["--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]);
        command.args([
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            &format!("nodes-{port}.conf"),
            "--cluster-node-timeout",
            "5000",
        ]);
        command.args(["--port", &port.to_string(), "--cluster-port", &bus_port.to_string()]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("scripts/services.sh");
        Self { port, bus_port, process }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?.get_multiplexed_async_connection().await
    }

    async fn connection(&self) -> MultiplexedConnection {
        self.connect().await.expect("a node")
    }

    async fn tell(&self, command: &redis::Cmd) {
        command.query_async::<()>(&mut self.connection().await).await.expect("the node runs the command");
    }

    async fn is_in_order(&self) -> bool {
        let info = redis::cmd("CLUSTER")
            .arg("INFO")
            .query_async::<String>(&mut self.connection().await)
            .await
            .expect("the node's view of the cluster");
        info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{NODES}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
