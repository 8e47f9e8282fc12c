//! The whole month, in the order of docs/OPERATIONS.md: set up, serve, import, watch, lose each server, upgrade under
//! requests, change the master key, back up and restore.

use serde_json::{Value, json};
use sqlx::Executor;
use tests::servers::checkout;
use tests::{DebianServer, DebianServers, Nginx, eventually};

use super::load::Load;
use super::node::{Node, migrated, run};
use super::owner::{DOMAIN, Owner};

/// The key that the operator changes to.
const NEW_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// The installation.
struct Month {
    // Fields are dropped in this order: first the nodes, then the servers.
    nodes: [Node; 2],
    nginx: Nginx,
    owner: Owner,
    servers: DebianServers,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sets_up_watches_upgrades_rotates_and_restores() {
    let mut month = Month::set_up().await;
    month.import().await;
    month.watch().await;
    month.lose_each_server().await;
    month.upgrade_and_change_the_master_key().await;
    month.preview_retention().await;
    month.restore_a_backup().await;
    for node in &month.nodes {
        assert!(!node.log().contains("panicked"), "{}", node.log());
        let plain = node.log().lines().find(|line| serde_json::from_str::<Value>(line).is_err()).map(str::to_owned);
        assert!(plain.is_none(), "{plain:?}");
    }
}

impl Month {
    async fn set_up() -> Self {
        let servers = DebianServers::start().await;
        let mut nodes = [Node::not_started("one", &servers, &[]), Node::not_started("two", &servers, &[])];
        let mut mistaken = nodes[0].environment.clone();
        mistaken.insert("BACKSCROLL_LISTEN".into(), "here".into());
        let said = run("serve", &mistaken, 2).await;
        assert!(said.contains("BACKSCROLL_LISTEN"), "{said}");
        let said = run("serve", &nodes[0].environment, 1).await;
        assert!(said.contains("run `backscroll migrate`"), "{said}");
        migrated(&servers).await;

        let nginx = Nginx::start([&nodes[0].listen, &nodes[1].listen]).await;
        for node in &mut nodes {
            node.environment.insert("BACKSCROLL_PUBLIC_URL".into(), nginx.url.clone());
            node.launch(tests::program::command(&["serve"], &node.environment));
        }
        for node in &nodes {
            node.until("ready").await;
        }
        let owner = Owner::register(&nginx).await;
        Self { nodes, nginx, owner, servers }
    }

    async fn import(&self) {
        let archive = checkout().join("tests/fixtures/sample-export.zip");
        let verb = format!("import slack {} --workspace {DOMAIN}", archive.display());
        run(&verb, &self.nodes[0].environment, 0).await;
        let channels = format!("{}/channels?scope=browse&limit=100", self.owner.workspace);
        eventually("the imported channels can be read", async || {
            let page = self.owner.get(&channels).await.expect(200);
            page["items"].as_array().is_some_and(|items| items.iter().any(|channel| channel["name"] == "orchard-work"))
        })
        .await;
        self.owner.says("the import is there").await;
    }

    async fn watch(&self) {
        for node in &self.nodes {
            node.until("ready").await;
            let metrics = node.metrics().await;
            assert!(metrics.contains("backscroll_position{part=\"log\"}"), "{metrics}");
        }
        let public = self.owner.get("/readyz").await.expect(200);
        assert_eq!(public, json!({"status": "ready"}), "strangers get no details");
    }

    /// Each server is restarted. The nodes say which one is away, do without it as long as they can, and come back by
    /// themselves.
    async fn lose_each_server(&mut self) {
        for (server, part) in [(DebianServer::Redis, "redis"), (DebianServer::Nats, "nats")] {
            self.servers.stop(server);
            for node in &self.nodes {
                node.until("degraded").await;
                let readiness = node.readiness().await.expect("an answer");
                assert_eq!(readiness[part]["ok"], false, "{readiness}");
            }
            self.owner.says(&format!("without {part}")).await;
            self.come_back(server).await;
        }

        self.servers.stop(DebianServer::Postgres);
        for node in &self.nodes {
            node.until("unavailable").await;
        }
        self.owner.get("/v1/users/me").await.expect(503);
        let said = run("projections", &self.nodes[0].environment, 3).await;
        assert!(said.contains("postgres"), "{said}");
        self.come_back(DebianServer::Postgres).await;
    }

    async fn come_back(&mut self, server: DebianServer) {
        self.servers.start_again(server).await;
        for node in &self.nodes {
            node.until("ready").await;
        }
        self.owner.says(&format!("after {server:?}")).await;
    }

    /// Every node is restarted twice, one after the other, while clients send requests. None of them fails.
    async fn upgrade_and_change_the_master_key(&mut self) {
        let old = self.nodes[0].environment["BACKSCROLL_MASTER_KEY"].clone();
        let before = self.posted().await;
        let load = Load::start(&self.owner);

        let said = run("migrate", &self.nodes[0].environment, 0).await;
        assert!(said.contains("up to date"), "{said}");
        self.restart_each(&[("BACKSCROLL_MASTER_KEY", Some(NEW_KEY)), ("BACKSCROLL_MASTER_KEY_PREVIOUS", Some(&old))]).await;
        run("keys rotate", &self.nodes[0].environment, 0).await;
        self.restart_each(&[("BACKSCROLL_MASTER_KEY_PREVIOUS", None)]).await;

        let sent = load.end().await;
        assert!(sent.failed.is_empty(), "{} of {}: {:?}\n{}", sent.failed.len(), sent.posts + sent.queries, sent.failed, self.nginx.log());
        assert!(sent.posts > 20, "{} posts", sent.posts);
        assert_eq!(self.posted().await, before + sent.posts, "every post happened once");
        self.owner.says("with the new key").await;
        self.until_signed().await;
    }

    /// Waits until the newest signed head has the whole log.
    async fn until_signed(&self) {
        let last = "SELECT max(position) FROM events";
        let last = sqlx::query_scalar::<_, i64>(last).fetch_one(&mut self.servers.admin("backscroll").await).await.expect("the log");
        eventually("the log is signed to its end", async || {
            let head = self.owner.get("/v1/proof/checkpoint").await;
            let size = head.body.as_str().and_then(|note| note.lines().nth(1)?.parse::<i64>().ok());
            size.is_some_and(|size| size >= last)
        })
        .await;
    }

    async fn restart_each(&mut self, changes: &[(&str, Option<&str>)]) {
        for node in &mut self.nodes {
            node.restart(changes).await;
            // nginx tries a node again some time after it could not be reached.
            eventually("nginx sends requests to the node again", async || {
                node.metrics()
                    .await
                    .contains("backscroll_http_request_seconds_count{method=\"POST\",route=\"/v1/channels/{channel_id}/messages\"")
            })
            .await;
        }
    }

    /// The number of posted messages in the log.
    async fn posted(&self) -> i64 {
        let count = "SELECT count(*) FROM events WHERE event_type = 'message.posted'";
        sqlx::query_scalar(count).fetch_one(&mut self.servers.admin("backscroll").await).await.expect("a count")
    }

    async fn preview_retention(&self) {
        let before = self.posted().await;
        run("retention run --dry-run", &self.nodes[0].environment, 0).await;
        assert_eq!(self.posted().await, before);
    }

    /// A dump of the whole database, restored into an empty one, gives a server that answers as the old one.
    async fn restore_a_backup(&self) {
        let dump = self.servers.tools().join("backscroll.dump").display().to_string();
        self.tool("pg_dump", &["--format=custom", "--file", &dump, &self.servers.postgres_url("backscroll")]);
        let create = "CREATE DATABASE restored OWNER backscroll TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'";
        self.servers.admin("postgres").await.execute(create).await.expect("an empty database");
        self.tool("pg_restore", &["--no-owner", "--exit-on-error", "--dbname", &self.servers.postgres_url("restored"), &dump]);

        let url = self.servers.postgres_url("restored");
        let changes = [
            ("BACKSCROLL_POSTGRES_URL", url.as_str()),
            ("BACKSCROLL_MASTER_KEY", NEW_KEY),
            ("BACKSCROLL_PUBLIC_URL", &self.nginx.url),
            ("BACKSCROLL_NATS_STREAM", "restored"),
            ("BACKSCROLL_REDIS_KEY_PREFIX", "restored:"),
        ];
        run("restore check", &Node::not_started("check", &self.servers, &changes).environment, 0).await;
        let restored = Node::start("restored", &self.servers, &changes);
        restored.until("ready").await;
        let there = self.owner.at(&format!("http://{}", restored.listen));
        for path in [format!("{}?limit=100", self.owner.messages), format!("{}/channels?scope=browse&limit=100", self.owner.workspace)] {
            assert_eq!(there.get(&path).await.expect(200), self.owner.get(&path).await.expect(200), "{path}");
        }
        let said = run("audit verify", &restored.environment, 0).await;
        assert!(said.contains("events"), "{said}");
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let ended = self.servers.tool(program, arguments);
        assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}
