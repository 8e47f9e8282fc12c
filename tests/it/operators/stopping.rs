//! A restart loses no request: the load balancer notices first, then the socket closes, then the work ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tests::servers::free_port;
use tests::{Person, Program, TestApp, eventually, program};
use tokio::task::JoinSet;

/// The clients that send requests at the same time.
const CLIENTS: usize = 6;
/// The requests that must succeed before and after each restart.
const REQUESTS: usize = 60;

/// A node at a fixed address, as behind a proxy.
struct Node {
    environment: BTreeMap<String, String>,
    program: Option<Program>,
}

impl Node {
    fn prepared(environment: &BTreeMap<String, String>) -> (Self, String) {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut environment = environment.clone();
        environment.insert("BACKSCROLL_LISTEN".into(), listen.clone());
        (Self { environment, program: None }, format!("http://{listen}"))
    }

    fn start(&mut self, log: &Path) {
        let log = File::options().create(true).append(true).open(log).expect("a log");
        self.program = Some(Program::serving(&mut program::command(&["serve"], &self.environment), log).0);
    }

    /// Stops the node as a service manager does, and returns its exit code.
    async fn stop(&mut self) -> Option<i32> {
        let mut program = self.program.take().expect("a running node");
        program.terminate();
        eventually("the node ends", async || program.ended().is_some()).await;
        program.ended()
    }
}

/// Clients behind a proxy in front of two nodes, which takes them in turn, keeps connections, and asks the other node
/// only if a node refuses the connection: then the request has not been sent. This is what nginx does with `POST`.
struct Load {
    clients: JoinSet<Vec<String>>,
    done: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
}

impl Load {
    fn start(nodes: [String; 2], person: &Person) -> Self {
        let mut load = Self { clients: JoinSet::new(), done: Arc::default(), ends: Arc::default() };
        let proxy = reqwest::Client::new();
        for client in 0..CLIENTS {
            let (proxy, nodes, token) = (proxy.clone(), nodes.clone(), person.token.clone());
            let (done, ends) = (load.done.clone(), load.ends.clone());
            load.clients.spawn(async move {
                let mut failed = Vec::new();
                for n in client.. {
                    if ends.load(Ordering::Relaxed) {
                        break;
                    }
                    match send(&proxy, [&nodes[n % 2], &nodes[(n + 1) % 2]], &token, n).await {
                        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => failed.push(error),
                    }
                }
                failed
            });
        }
        load
    }

    /// Waits for further requests.
    async fn go_on(&self) {
        let until = self.done.load(Ordering::Relaxed) + REQUESTS;
        eventually("the load goes on", async || self.done.load(Ordering::Relaxed) >= until).await;
    }

    /// Ends the load, and returns the requests that failed.
    async fn end(self) -> Vec<String> {
        self.ends.store(true, Ordering::Relaxed);
        self.clients.join_all().await.concat()
    }
}

async fn send(proxy: &reqwest::Client, nodes: [&String; 2], token: &str, n: usize) -> Result<(), String> {
    let request = |node: &String| {
        let request = proxy.put(format!("{node}/v1/users/me/custom-status")).bearer_auth(token);
        request.json(&json!({"text": format!("request {n}")})).send()
    };
    let answer = match request(nodes[0]).await {
        Err(refused) if refused.is_connect() => request(nodes[1]).await,
        answer => answer,
    };
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())),
        Err(error) => Err(format!("{error:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarting_both_nodes_under_load_loses_no_request_and_logs_no_warning() {
    let settings = [("BACKSCROLL_SHUTDOWN_DELAY_SECONDS", "1"), ("BACKSCROLL_CONNECTIONS_MAX", "1000")];
    let mut app = TestApp::not_started(&settings).await;
    let folder = tempfile::tempdir().expect("a folder");
    let logs = [folder.path().join("one.log"), folder.path().join("two.log")];
    let ((one, first), (two, second)) = (Node::prepared(&app.environment), Node::prepared(&app.environment));
    let mut nodes = [one, two];
    for (node, log) in nodes.iter_mut().zip(&logs) {
        node.start(log);
    }
    app.url.clone_from(&first);
    let ann = app.sign_up("ann").await;
    let load = Load::start([first, second], &ann);
    for (node, log) in nodes.iter_mut().zip(&logs) {
        load.go_on().await;
        let before = std::fs::read_to_string(log).expect("a log").len();
        assert_eq!(node.stop().await, Some(0));
        let written = std::fs::read_to_string(log).expect("a log").split_off(before);
        assert!(!written.contains("WARN") && !written.contains("ERROR"), "{written}");
        node.start(log);
        load.go_on().await;
    }
    let failed = load.end().await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_says_so_and_serves_until_its_delay_is_over_or_a_second_signal_comes() {
    let app = TestApp::not_started(&[("BACKSCROLL_SHUTDOWN_DELAY_SECONDS", "600")]).await;
    let (mut node, url) = Program::serving(&mut program::command(&["serve"], &app.environment), Stdio::null());
    let client = reqwest::Client::new();
    let get = async |url: String| client.get(url).send().await.expect("an answer");
    eventually("the node is ready", async || get(format!("{url}/readyz")).await.status() == 200).await;
    assert!(get(format!("{url}/healthz")).await.headers().get("connection").is_none(), "the connection is kept");

    node.terminate();
    for readyz in [format!("{url}/readyz"), format!("{}/readyz", node.operators_url)] {
        eventually("the node is not ready", async || get(readyz.clone()).await.status() == 503).await;
    }
    let details = get(format!("{}/readyz", node.operators_url)).await.json::<serde_json::Value>().await.expect("JSON");
    assert_eq!(details["process"], json!({"ok": false, "state": "the process is about to stop"}), "{details}");
    // An answer and a refusal: both are complete, and each ends its connection.
    for (path, status) in [("/healthz", 200), ("/v1/users/me", 401), ("/v1/nothing", 404)] {
        let answer = get(format!("{url}{path}")).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.headers().get("connection").map(|value| value.as_bytes()), Some(&b"close"[..]), "{path}");
    }
    assert_eq!(node.ended(), None);

    node.terminate();
    eventually("the node stops", async || node.ended().is_some()).await;
    assert_eq!(node.ended(), Some(0));
    let refused = client.get(format!("{url}/healthz")).timeout(Duration::from_secs(5)).send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
}
