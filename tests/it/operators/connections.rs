//! How many connections to Postgres a node opens: what docs/OPERATIONS.md says, in `pg_stat_activity`.

use std::collections::BTreeMap;

use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use tests::servers::checkout;
use tests::{DebianServers, eventually};

use super::node::{Node, migrated};
use super::owner::Owner;

/// The setting, with its default.
const POSTGRES_CONNECTIONS: i64 = 16;
/// The part of it for the write side.
const WRITERS: i64 = 5;
/// The connections of background work beside it.
const WORK: i64 = 4;

/// A part of a node, its connections outside the pools by their names, and how many of them have no name of their own.
struct Part {
    only: &'static str,
    named: &'static [(&'static str, i64)],
    unnamed: i64,
}

/// The relay has one; each of the two projectors and the proof have one; the purge, the daily retention run, and the
/// removal of clients' identifiers have one while they run.
const PARTS: [Part; 3] = [
    Part { only: "http", named: &[], unnamed: 0 },
    Part { only: "relay", named: &[], unnamed: 1 },
    Part { only: "projectors", named: &[("backscroll projector", 2), ("backscroll proof", 1)], unnamed: 3 },
];

impl Part {
    fn own(&self) -> i64 {
        self.named.iter().map(|(_, count)| count).sum::<i64>() + self.unnamed
    }
}

/// The most connections of a process with these parts.
fn most(own: i64) -> i64 {
    POSTGRES_CONNECTIONS + WORK + own
}

/// The open connections of Backscroll's role, by their names.
async fn open(admin: &mut PgConnection) -> BTreeMap<String, i64> {
    let counts = "SELECT application_name, count(*) FROM pg_stat_activity WHERE usename = 'backscroll' GROUP BY 1";
    sqlx::query_as::<_, (String, i64)>(counts).fetch_all(admin).await.expect("the activity").into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_node_opens_as_many_connections_as_the_documents_say() {
    let page = std::fs::read_to_string(checkout().join("docs/OPERATIONS.md")).expect("the page");
    let servers = DebianServers::start().await;
    migrated(&servers).await;
    let mut admin = servers.admin("backscroll").await;
    for part in PARTS {
        let node = Node::start_as(&["serve", "--only", part.only], part.only, &servers, &[]);
        node.until_it_answers().await;
        eventually("the connections outside the pools are open", async || {
            let open = open(&mut admin).await;
            part.named.iter().all(|(name, count)| open.get(*name) == Some(count))
        })
        .await;
        let open = open(&mut admin).await;
        assert!(open.values().sum::<i64>() <= most(part.own()), "{}: {open:?}", part.only);
        let row = format!("| `--only {}` | {} | {} |", part.only, part.own(), most(part.own()));
        assert!(page.contains(&row), "docs/OPERATIONS.md lacks {row}");
        drop(node);
        eventually("its connections are closed", async || self::open(&mut admin).await.is_empty()).await;
    }
    let all = PARTS.iter().map(Part::own).sum::<i64>();
    let row = format!("| all parts | {all} | {} |", most(all));
    assert!(page.contains(&row), "docs/OPERATIONS.md lacks {row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_node_never_opens_more() {
    let servers = DebianServers::start().await;
    migrated(&servers).await;
    let node = Node::start("busy", &servers, &[]);
    node.until("ready").await;
    let owner = Owner::register_at(reqwest::Client::new(), &format!("http://{}", node.listen)).await;
    let mut admin = servers.admin("backscroll").await;

    // Every query of a user waits for this lock, so each takes a connection of its own.
    let mut blocker = servers.admin("backscroll").await;
    let mut lock = blocker.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE read.users IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("the lock");
    let queries = join_all((0..40).map(|_| owner.get("/v1/users/me")));
    let busy = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'backscroll' AND wait_event_type = 'Lock'";
        let readers = POSTGRES_CONNECTIONS - WRITERS;
        eventually("every connection of queries waits", async || {
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut admin).await.expect("the activity") >= readers
        })
        .await;
        let open = open(&mut admin).await;
        lock.rollback().await.expect("the end of the lock");
        open
    };
    let (_, open) = tokio::join!(queries, busy);
    let all = PARTS.iter().map(Part::own).sum::<i64>();
    assert!(open.values().sum::<i64>() <= most(all), "{open:?}");
    assert!(open["backscroll"] <= POSTGRES_CONNECTIONS + 1, "queries, commands and the relay: {open:?}");
}
