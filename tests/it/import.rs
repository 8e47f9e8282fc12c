//! The Slack import into a real event store: each message is imported once, also if the import is interrupted, or if
//! others write meanwhile.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;
use commands::{Commands, NewWorkspace};
use domain::ids::{ChannelId, WorkspaceId};
use domain::permission::Role;
use domain::text::WorkspaceName;
use domain::workspace::Details;
use serde_json::{Value, json};
use slack::import::{self, ImportReport, Limits, Observer, Progress, Settings};
use sqlx::PgPool;
use tests::program::run;
use tests::{Person, Team as Workspace, TestApp, eventually, servers};
use uuid::Uuid;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::cache::settled;
use crate::support::{Team, Writing, another_process, asked, post, sign_up};

/// A workspace that is large enough for every user of the archives.
async fn large_workspace(here: &Writing) -> Team {
    let owner = sign_up(&here.commands, "owner").await;
    let (workspace_id, general) = (WorkspaceId(Uuid::now_v7()), ChannelId(Uuid::now_v7()));
    let details = Details { name: WorkspaceName::parse("Hollow Hill").expect("a name"), description: None, avatar_url: None };
    let new = NewWorkspace { workspace_id, general_channel_id: general, details, domain: None, max_members: 100_000, each_max: None };
    here.commands.create_workspace(&asked(owner), new).await.expect("a workspace");
    Team { owner, workspace_id, general }
}

fn settings(team: &Team) -> Settings {
    let (workspace_id, importer) = (team.workspace_id, team.owner);
    Settings { workspace_id, importer, at: Utc::now(), correlation_id: Uuid::now_v7(), limits: Limits::default() }
}

fn sample() -> PathBuf {
    servers::checkout().join("tests/fixtures/sample-export.zip")
}

/// A real archive, if it is in the folder beside the project.
fn beside_the_project(name: &str) -> Option<PathBuf> {
    let path = servers::checkout().join("../shared/data").join(name);
    let there = path.exists();
    println!("{name}: {}", if there { "used" } else { "not found beside the project, and not used" });
    there.then_some(path)
}

async fn import(commands: &Commands, team: &Team, path: &Path) -> ImportReport {
    import::slack(commands.store(), path, &settings(team), &()).await.expect("an import")
}

/// The number of imported messages. Checks that none is imported twice.
async fn imported_messages(pool: &PgPool) -> u64 {
    let (posted, streams): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT aggregate_id) FROM events
         WHERE event_type = 'message.posted' AND metadata->>'command' = 'import slack'",
    )
    .fetch_one(pool)
    .await
    .expect("the log");
    assert_eq!(posted, streams);
    let (count, last): (i64, i64) = sqlx::query_as("SELECT count(*), max(position) FROM events").fetch_one(pool).await.expect("the log");
    assert_eq!(count, last, "positions have a gap");
    u64::try_from(posted).expect("a count")
}

#[derive(Default)]
struct Watched(AtomicU64);

impl Observer for Watched {
    fn progress(&self, progress: &Progress) {
        self.0.store(progress.events_appended, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_is_imported_once_and_users_post_after_it() {
    let here = Writing::start().await;
    let team = large_workspace(&here).await;
    let report = import(&here.commands, &team, &sample()).await;
    assert_eq!((report.messages.imported, report.messages.skipped), (100, 0));
    assert_eq!(imported_messages(&here.pool).await, 100);
    post(&here.commands, &asked(team.owner), team.general, "and on it goes").await.expect("a post after an import");
    let again = import(&here.commands, &team, &sample()).await;
    assert_eq!((again.events_appended(), again.messages.already_there), (0, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn original_times_and_authors_are_in_the_log() {
    let here = Writing::start().await;
    let team = large_workspace(&here).await;
    import(&here.commands, &team, &sample()).await;
    let odd: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE event_type = 'message.posted' AND (
             metadata->>'actor' <> payload->'message.posted'->>'author'
             OR (metadata->>'occurred_at')::timestamptz <> (payload->'message.posted'->>'sent_at')::timestamptz
             OR (metadata->>'occurred_at')::timestamptz NOT BETWEEN '2025-01-01' AND '2025-12-31')",
    )
    .fetch_one(&here.pool)
    .await
    .expect("the log");
    assert_eq!(odd, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_resumes_where_it_was() {
    let Some(path) = beside_the_project("gitter-slack-export-small.zip") else { return };
    let here = Writing::start().await;
    let team = large_workspace(&here).await;
    for events in [1, 4_000, 9_000] {
        let watched = Arc::new(Watched::default());
        let (store, settings, path, watching) = (here.commands.store().clone(), settings(&team), path.clone(), Arc::clone(&watched));
        let running = tokio::spawn(async move { import::slack(&store, &path, &settings, &watching).await });
        eventually("a part of the import is in the log", async || watched.0.load(Ordering::Relaxed) >= events).await;
        running.abort();
        let cut_off = running.await.expect_err("the import was interrupted");
        assert!(cut_off.is_cancelled());
    }
    let report = import(&here.commands, &team, &path).await;
    assert!(report.messages.already_there > 0);
    assert_eq!(report.messages.imported + report.messages.already_there, 18_000);
    assert_eq!(imported_messages(&here.pool).await, 18_000);
    assert_eq!(import(&here.commands, &team, &path).await.events_appended(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_import_the_same_export_import_it_once() {
    let here = Writing::start().await;
    let team = large_workspace(&here).await;
    let (_, there) = another_process(&here.database).await;
    let sample = sample();
    let (a, b) = futures::join!(import(&here.commands, &team, &sample), import(&there, &team, &sample));
    assert_eq!(a.messages.imported + b.messages.imported, 100);
    assert_eq!(imported_messages(&here.pool).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_join_and_post_during_an_import() {
    let Some(path) = beside_the_project("gitter-slack-export-small.zip") else { return };
    let here = Writing::start().await;
    let team = large_workspace(&here).await;
    let commands = here.commands.clone();
    let people = tokio::spawn(async move {
        for n in 0..20 {
            let member = team.member(&commands, &format!("newcomer-{n}"), Role::Member).await;
            post(&commands, &asked(member), team.general, "hello").await.expect("a post");
        }
    });
    let report = import(&here.commands, &team, &path).await;
    people.await.expect("people");
    assert_eq!(report.messages.imported, 18_000);
    assert_eq!(imported_messages(&here.pool).await, 18_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_export_is_in_the_log_once() {
    let Some(path) = beside_the_project("slack-export-2018.zip") else { return };
    let here = Writing::start().await;
    let team = large_workspace(&here).await;
    let report = import(&here.commands, &team, &path).await;
    assert_eq!((report.messages.in_file, report.messages.imported), (158, 158));
    assert_eq!(imported_messages(&here.pool).await, 158);
    assert_eq!(import(&here.commands, &team, &path).await.events_appended(), 0);
}

/// The moment of a message of the export: this many seconds after the first day of 2025 began.
fn ts(second: u32) -> String {
    format!("{}.000100", 1_735_689_600 + second)
}

/// An export that Windows zipped, in a folder: an odd day, changes, a shared message, a channel whose folder is
/// decomposed, a deleted user with the address of an active one, and thirty messages that mention everybody.
fn odd_export(member: &Person) -> Vec<u8> {
    let users = json!([
        {"id": "U1", "name": "old", "deleted": true, "profile": {"email": member.email.to_uppercase()}},
        {"id": "U2", "name": "new", "profile": {"email": member.email}},
        {"id": "U3", "name": "other", "profile": {"real_name": "Other"}},
    ]);
    let channels = json!([{"id": "C1", "name": "caf\u{e9}", "created": 1_577_836_800, "members": ["U2", "U3"]}]);
    let said = |second: u32| json!({"user": "U3", "ts": ts(second), "text": format!("<!channel> <@U2> number {second}")});
    let more = |mut said: Value, more: &Value| {
        said.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        said
    };
    let shared = json!({"text": "see", "attachments": [{"is_share": true, "author_name": "Ann", "text": "frost tonight", "from_url": "https://x.example"}]});
    let thread = json!({"thread_ts": ts(86_400), "text": "an early answer"});
    let mut first = (0..30).map(said).collect::<Vec<_>>();
    first.extend([
        more(said(40), &shared),
        more(said(41), &thread),
        json!({"subtype": "message_changed", "hidden": true, "ts": ts(50), "message": {"user": "U3", "ts": ts(1), "text": "edited later"}}),
        json!({"subtype": "message_deleted", "hidden": true, "ts": ts(51), "deleted_ts": ts(2)}),
    ]);
    let third = json!([more(said(86_400), &json!({"text": "the parent"}))]);
    let files = [
        ("users.json", users.to_string()),
        ("channels.json", channels.to_string()),
        ("cafe\u{301}\\2025-01-01.json", Value::from(first).to_string()),
        ("cafe\u{301}\\2025-01-02.json", String::new()),
        ("cafe\u{301}\\2025-01-03.json", third.to_string()),
    ];
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in files {
        zip.start_file(format!("My export\\{path}"), SimpleFileOptions::default()).expect("a file");
        zip.write_all(content.as_bytes()).expect("a content");
    }
    zip.finish().expect("a zip").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_export_comes_through_the_program_and_its_history_is_read() {
    let app = TestApp::start().await;
    let team = Workspace::found(&app).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export.zip");
    std::fs::write(&path, odd_export(&team.member)).expect("an archive");
    let program = async |arguments: &[&str]| {
        let (arguments, environment) =
            (arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>(), app.environment.clone());
        let work = move || run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &environment).output;
        let output = tokio::task::spawn_blocking(work).await.expect("the program ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let report = program(&["import", "slack", path.to_str().expect("a path"), "--workspace", &team.id.to_string(), "--json"]).await;
    let report = serde_json::from_str::<Value>(&report).expect("a report");
    assert_eq!((&report["messages"]["imported"], &report["channels"]["imported"]), (&json!(33), &json!(1)), "{report}");
    assert!(report["skipped"].to_string().contains("2025-01-02.json"), "{report}");

    let position = settled(&app).await;
    let channel = async || {
        let unread = team.member.get_at(settled(&app).await, &team.path("/unread")).await.expect(200);
        let channels = unread["channels"].as_array().expect("channels").clone();
        channels.into_iter().find(|channel| channel["channel_id"] != team.general.to_string()).expect("the imported channel")
    };
    let imported = channel().await;
    assert_eq!((&imported["unread"], &imported["mentions"]), (&json!(0), &json!(0)), "history is read");
    let path = format!("/v1/channels/{}/messages?limit=100", imported["channel_id"].as_str().expect("an identifier"));
    let page = team.member.get_at(position, &path).await.expect(200);
    let messages = page["items"].as_array().expect("messages");
    let text = |text: &str| messages.iter().find(|message| message["content"].as_str().is_some_and(|content| content.contains(text)));
    assert!(text("edited later").is_some() && text("> Ann: frost tonight").is_some(), "{page}");
    assert!(text("(empty message)").is_none() && text("an early answer").is_none(), "the answer is in its thread: {page}");
    assert_eq!(messages.len(), 31, "{page}");
    assert_eq!(text("the parent").map(|parent| &parent["reply_count"]), Some(&json!(1)));

    let marker = format!("/v1/channels/{}/read-marker", imported["channel_id"].as_str().expect("an identifier"));
    let back = json!({"message_id": text("number 27").expect("a message")["message_id"], "move_back": true});
    team.member.put(&marker, back).await.expect(200);
    assert_eq!(channel().await["unread"], json!(4), "a marker may be moved back into the history");
    let replayed = program(&["replay", "relational", "--dry-run"]).await;
    assert!(replayed.contains("equal to the old model"), "{replayed}");
}
