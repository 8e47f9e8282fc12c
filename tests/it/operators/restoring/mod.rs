//! Backups that are made and restored with the commands of the documents, and servers on restored databases.

mod copies;
mod keys;
mod recipes;
mod schemas;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use tests::servers::checkout;
use tests::{Person, Team, TestApp, program};

/// The commands of Postgres that the documents use. Those of the machine may be older than its servers.
const POSTGRES_COMMANDS: [&str; 3] = ["pg_dump", "pg_restore", "psql"];

/// A server with a workspace, whose database is backed up.
struct Office {
    app: TestApp,
    team: Team,
}

impl Office {
    /// Starts a server with these changes to its environment, and fills its workspace.
    async fn open(changes: &[(&str, &str)]) -> Self {
        let app = TestApp::start_with(changes).await;
        let team = Team::found(&app).await;
        let (owner, member) = (&team.owner, &team.member);
        let first = team.message(owner, team.general, "the harbour opens at six").await;
        let reply = json!({"content": "and closes at ten", "thread_id": first});
        member.post(&team.general("/messages"), reply).await.expect(201);
        member.put_empty(&format!("/v1/messages/{first}/reactions/%F0%9F%8C%8A")).await;
        let private = team.channel(owner, "private", "pilots", &[member]).await;
        team.message(member, private, "low water at noon").await;
        Self { app, team }
    }

    async fn answers(&self) -> Answers {
        answers(&self.app, &self.team).await
    }
}

/// The answers to queries, by path.
type Answers = BTreeMap<String, Value>;

/// What the server answers to the owner, once the read tables have the whole log.
async fn answers(app: &TestApp, team: &Team) -> Answers {
    let owner = team.owner.at(app);
    let head = stores::log::head(&app.app().pool).await.expect("the log");
    let paths = ["/v1/users/me".to_owned()].into_iter();
    let paths = paths.chain(["", "/members", "/channels", "/unread", "/search/messages?q=harbour"].map(|below| team.path(below)));
    let mut answers = Answers::new();
    for path in paths.chain(["/messages", "/members"].map(|below| team.general(below))) {
        let mut answer = owner.get_at(head, &path).await.expect(200);
        if let Some(parts) = answer.as_object_mut() {
            // The time of a search differs.
            parts.retain(|name, _| !name.contains("took"));
        }
        answers.insert(path, answer);
    }
    answers
}

/// Signs the owner in with the password, and not with an earlier token.
async fn sign_in_again(app: &TestApp, owner: &Person) {
    let token = app.sign_in(&owner.email).await;
    owner.at(app).with_token(token).get("/v1/users/me").await.expect(200);
}

/// The code block that follows this text in a document.
fn block(document: &str, after: &str) -> String {
    let text = std::fs::read_to_string(checkout().join(document)).expect("the document");
    let (_, rest) = text.split_once(after).unwrap_or_else(|| panic!("{document} has no {after:?}"));
    let (_, rest) = rest.split_once("```sh\n").expect("a code block");
    rest.split_once("\n```").expect("its end").0.to_owned()
}

/// Runs a block as an operator does who pastes it into a shell, in `folder`, with the settings of this server. Returns the
/// exit code and everything that it printed.
async fn paste(block: &str, app: &TestApp, folder: &Path) -> (Option<i32>, String) {
    let commands = folder.join("commands");
    if !commands.exists() {
        put_commands(&commands);
    }
    let path = format!("{}:{}", commands.display(), std::env::var("PATH").expect("a path"));
    let mut shell = tokio::process::Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", block]).current_dir(folder).envs(&app.environment).env("PATH", path);
    let output = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).output().await;
    program::said(&output.expect("a shell"))
}

fn put_commands(folder: &Path) {
    std::fs::create_dir(folder).expect("a folder");
    symlink(program::path(), folder.join("backscroll")).expect("a link");
    let services = checkout().join("scripts/services.sh");
    for command in POSTGRES_COMMANDS {
        let file = folder.join(command);
        std::fs::write(&file, format!("#!/bin/sh\nexec {} {command} \"$@\"\n", services.display())).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("the permissions");
    }
}

/// The same, and the block must succeed.
async fn paste_well(block: &str, app: &TestApp, folder: &Path) -> String {
    let (code, said) = paste(block, app, folder).await;
    assert_eq!(code, Some(0), "{block}\n{said}");
    said
}

/// Runs a verb of the command line, and returns its exit code and its output.
async fn run(verb: &str, app: &TestApp) -> (Option<i32>, String) {
    let arguments = verb.split(' ').collect::<Vec<_>>();
    program::said(&program::output(&arguments, &app.environment).await)
}

/// Changes the database as only its owner can.
async fn tamper(pool: &PgPool, statement: &str) {
    let mut tx = pool.begin().await.expect("a transaction");
    tx.execute("ALTER TABLE public.events DISABLE TRIGGER USER").await.expect("the database's owner may do this");
    tx.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    tx.execute("ALTER TABLE public.events ENABLE TRIGGER USER").await.expect("the database's owner may do this");
    tx.commit().await.expect("a transaction");
}
