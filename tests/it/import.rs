//! The Slack import into a real event store: each message is imported once, also if the import is interrupted, or if
//! others write meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;
use commands::{Commands, NewWorkspace};
use domain::ids::{ChannelId, WorkspaceId};
use domain::permission::Role;
use domain::text::WorkspaceName;
use domain::workspace::Details;
use slack::import::{self, ImportReport, Limits, Observer, Progress, Settings};
use sqlx::PgPool;
use tests::{eventually, servers};
use uuid::Uuid;

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
