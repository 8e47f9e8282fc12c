//! A process is killed while it replays. In every phase, the live model stays the old or the new one, and the next
//! process removes the rest.

use std::collections::BTreeMap;
use std::process::Stdio;

use sqlx::{Connection, Executor, PgConnection};
use tests::eventually;
use tests::program::command;
use tests::servers::address;

use super::Fixture;

/// The step at which the process is killed. Locks of the test make the process wait there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The process creates the tables.
    Folding,
    /// The process builds the indexes.
    Indexing,
    /// The process is about to store the position of the new tables.
    CatchingUp,
    /// The process reads the live tables.
    Comparing,
    /// The process waits for the barrier.
    Switching,
    /// The process has switched, and waits for the last readers of the old tables.
    Dropping,
}

/// Locks that are held until this value is dropped.
struct Gates(Vec<PgConnection>);

impl Gates {
    async fn close(&mut self, fixture: &Fixture, statement: &str) {
        let mut connection = PgConnection::connect(&fixture.writing.database.url).await.expect("the database");
        connection.execute("BEGIN").await.expect("a transaction");
        connection.execute(statement).await.expect("a lock");
        self.0.push(connection);
    }

    async fn open(&mut self, place: usize) {
        self.0.remove(place).execute("ROLLBACK").await.expect("the end of a lock");
    }
}

/// Whether a connection of the rebuild waits for a lock in a statement like this.
async fn waits(fixture: &Fixture, like: &str) -> bool {
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                   AND application_name = 'backscroll rebuild' AND wait_event_type = 'Lock' AND query LIKE $1)";
    sqlx::query_scalar(waiting).bind(like).fetch_one(&fixture.reading.pool).await.expect("the activity")
}

async fn has_table(fixture: &Fixture) -> bool {
    let there = "SELECT to_regclass('read_next.users') IS NOT NULL";
    sqlx::query_scalar(there).fetch_one(&fixture.reading.pool).await.expect("the catalog")
}

/// Takes the locks, and returns as soon as the process waits for one of them at this step.
async fn reach(fixture: &Fixture, moment: Moment, gates: &mut Gates) {
    match moment {
        Moment::Folding => eventually("the process creates tables", async || waits(fixture, "CREATE TABLE%").await).await,
        Moment::Indexing => {
            eventually("the process creates tables", async || waits(fixture, "CREATE TABLE%").await).await;
            assert!(has_table(fixture).await, "the users' table is created before that of the audit");
            gates.close(fixture, "LOCK TABLE read_next.users IN ROW EXCLUSIVE MODE").await;
            gates.open(0).await;
            eventually("the process builds indexes", async || waits(fixture, "%read_next.users%").await).await;
        }
        Moment::CatchingUp => {
            eventually("the process stores its position", async || waits(fixture, "INSERT INTO projection_checkpoints%").await).await
        }
        Moment::Comparing => {
            eventually("the process stores its position", async || waits(fixture, "INSERT INTO projection_checkpoints%").await).await;
            gates.close(fixture, "LOCK TABLE read.audit_log IN ACCESS EXCLUSIVE MODE").await;
            gates.open(0).await;
            eventually("the process compares the tables", async || waits(fixture, "SELECT count(*), COALESCE(sum(%").await).await;
        }
        Moment::Switching => {
            eventually("the process waits for the barrier", async || waits(fixture, "SELECT position, epoch%FOR UPDATE%").await).await
        }
        Moment::Dropping => eventually("the process drops the old tables", async || waits(fixture, "LOCK TABLE read_old.%").await).await,
    }
}

/// The lock that the process waits for first.
fn first_gate(moment: Moment) -> &'static str {
    match moment {
        Moment::Folding | Moment::Indexing => "LOCK TABLE read.audit_log IN ACCESS EXCLUSIVE MODE",
        Moment::CatchingUp | Moment::Comparing => "INSERT INTO projection_checkpoints (projection) VALUES ('relational.next')",
        Moment::Switching => "SELECT FROM projection_checkpoints WHERE projection = 'relational' FOR UPDATE",
        Moment::Dropping => "LOCK TABLE read.users IN ACCESS SHARE MODE",
    }
}

fn environment(fixture: &Fixture) -> BTreeMap<String, String> {
    let needed = [
        ("BACKSCROLL_POSTGRES_URL", fixture.writing.database.url.clone()),
        ("BACKSCROLL_REDIS_URL", address("BACKSCROLL_REDIS_URL")),
        ("BACKSCROLL_NATS_URL", address("BACKSCROLL_NATS_URL")),
        ("BACKSCROLL_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
    ];
    needed.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

async fn kill_at(moment: Moment) {
    let mut fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    // No projector runs from now on, so the tables can be compared with those before.
    fixture.reading.stop_projector();
    let before = fixture.reading.dump().await;
    let mut gates = Gates(Vec::new());
    gates.close(&fixture, first_gate(moment)).await;
    let mut process = command(&["replay", "relational"], &environment(&fixture)).stderr(Stdio::null()).spawn().expect("the binary runs");
    reach(&fixture, moment, &mut gates).await;
    process.kill().expect("SIGKILL");
    process.wait().expect("its end");
    drop(gates);

    let replays = fixture.replays(&fixture.reading);
    eventually("the leftovers are removed", async || {
        replays.tidy().await.expect("the stores");
        fixture.installation_log().await.iter().any(|(_, payload)| payload["outcome"] == "cut_off")
    })
    .await;
    assert_eq!(fixture.leftovers().await, Vec::<String>::new(), "{moment:?}");
    let state = projections::runs::latest(&fixture.reading.pool, None, 1).await.expect("the replays").pop().expect("a replay");
    assert_eq!(state.state, "cut_off", "{moment:?}");
    let same = |dump: Vec<String>| dump.into_iter().filter(|row| !row.contains("installation")).collect::<Vec<_>>();
    assert_eq!(same(fixture.reading.dump().await), same(before.clone()), "{moment:?}");
    fixture.reading.start_projector(None);
    fixture.settle().await;
    fixture.replay(processes::replays::Plan::whole()).await.expect("the next replay");
    fixture.settle().await;
    assert_eq!(same(fixture.reading.dump().await), same(before), "{moment:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_while_it_creates_tables_leaves_the_model_intact_and_is_cleaned_up() {
    kill_at(Moment::Folding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_while_it_builds_indexes_leaves_the_model_intact_and_is_cleaned_up() {
    kill_at(Moment::Indexing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_while_it_catches_up_leaves_the_model_intact_and_is_cleaned_up() {
    kill_at(Moment::CatchingUp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_while_it_compares_leaves_the_model_intact_and_is_cleaned_up() {
    kill_at(Moment::Comparing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_while_it_waits_for_the_barrier_leaves_the_model_intact_and_is_cleaned_up() {
    kill_at(Moment::Switching).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_right_after_the_switch_leaves_the_model_intact_and_is_cleaned_up() {
    kill_at(Moment::Dropping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_command_line_cancels_a_replay_and_leaves_nothing() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let mut gates = Gates(Vec::new());
    gates.close(&fixture, first_gate(Moment::Folding)).await;
    let mut process = command(&["replay", "relational"], &environment(&fixture)).stderr(Stdio::piped()).spawn().expect("the binary runs");
    reach(&fixture, Moment::Folding, &mut gates).await;
    let interrupted = std::process::Command::new("kill").args(["-INT", &process.id().to_string()]).status();
    assert!(interrupted.expect("kill").success());
    let ended = tokio::task::spawn_blocking(move || (process.wait().expect("its end"), process.stderr.take())).await.expect("a process");
    assert_eq!(ended.0.code(), Some(1), "the command failed");
    let said = std::io::read_to_string(ended.1.expect("a pipe")).expect("the messages");
    assert!(said.contains("the rebuild was cancelled"), "{said}");
    drop(gates);
    assert_eq!(fixture.leftovers().await, Vec::<String>::new());
    let log = fixture.installation_log().await;
    assert_eq!(log.last().map(|(_, ended)| ended["outcome"].clone()), Some("cancelled".into()));
    let who = "SELECT metadata ->> 'user_agent' FROM events WHERE event_type LIKE 'installation.replay%' LIMIT 1";
    let who = sqlx::query_scalar::<_, String>(who).fetch_one(&fixture.reading.pool).await.expect("the log");
    assert!(who.contains("run by "), "{who}");
}
