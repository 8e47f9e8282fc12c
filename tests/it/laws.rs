//! Invariants of the whole system: the live projection equals a rebuild from zero, every message is there once, and
//! every projection converges.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream;
use chrono::Utc;
use commands::{Commands, NewWorkspace};
use domain::ids::{ChannelId, WorkspaceId};
use domain::text::WorkspaceName;
use domain::workspace::Details;
use projections::{RELATIONAL, RebuildOptions, RebuildReport, rebuild};
use slack::import::{self, Limits, Settings};
use tests::app::TestApp;
use tests::{eventually, servers};
use uuid::Uuid;

use crate::support::{Team, asked, post, sign_up};

/// The longest time that a projection may take to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(120);

/// A workspace that is large enough for every user of the archives.
pub async fn workspace(commands: &Commands) -> Team {
    let owner = sign_up(commands, &format!("owner-{}", Uuid::now_v7().simple())).await;
    let team = Team { owner, workspace_id: WorkspaceId(Uuid::now_v7()), general: ChannelId(Uuid::now_v7()) };
    let details = Details { name: WorkspaceName::parse("Hollow Hill").expect("a name"), description: None, avatar_url: None };
    let new = NewWorkspace {
        workspace_id: team.workspace_id,
        general_channel_id: team.general,
        details,
        domain: None,
        max_members: 100_000,
        each_max: None,
    };
    commands.create_workspace(&asked(owner), new).await.expect("a workspace");
    team
}

async fn everything_is_projected(app: &TestApp) -> i64 {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    app.app().progress.wait_for(RELATIONAL, head, CATCH_UP_MAX).await.expect("the projection catches up")
}

/// Rebuilds the read model. The rebuild refuses to switch if the live model differs.
async fn rebuilt(app: &TestApp) -> RebuildReport {
    let options = RebuildOptions::default();
    let report = rebuild(&app.app().stores, RELATIONAL, options, |_| {}).await.expect("an equal model");
    assert!(report.compared_at.is_some(), "nothing was compared");
    assert!(report.differences.is_empty());
    report
}

async fn count(app: &TestApp, what: &'static str) -> u64 {
    let count: i64 = sqlx::query_scalar(what).fetch_one(&app.app().pool).await.expect("a count");
    u64::try_from(count).expect("a count")
}

const IN_THE_LOG: &str = "SELECT count(*) FROM events WHERE event_type = 'message.posted' AND metadata->>'command' = 'import slack'";
const STREAMS: &str =
    "SELECT count(DISTINCT aggregate_id) FROM events WHERE event_type = 'message.posted' AND metadata->>'command' = 'import slack'";
const IN_THE_READ_MODEL: &str = "SELECT count(*) FROM messages m WHERE EXISTS
    (SELECT FROM events e WHERE e.position = (SELECT min(position) FROM events f WHERE f.aggregate_type = 'message'
         AND f.aggregate_id = m.message_id::text) AND e.metadata->>'command' = 'import slack')";
const MESSAGES: &str = "SELECT count(DISTINCT message_id) FROM messages";

/// The sample, and those real archives beside the project that do not take long.
fn archives() -> Vec<PathBuf> {
    let beside =
        ["slack-export-2018.zip", "gitter-slack-export-small.zip"].map(|name| servers::checkout().join("../shared/data").join(name));
    let sample = servers::checkout().join("tests/fixtures/sample-export.zip");
    let (used, absent): (Vec<_>, Vec<_>) = beside.into_iter().partition(|path| path.exists());
    println!("used: {sample:?} and {used:?}; not beside the project: {absent:?}");
    std::iter::once(sample).chain(used).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_an_archive_is_once_in_the_log_and_in_the_read_model_and_a_rebuild_agrees() {
    for archive in archives() {
        let app = TestApp::start().await;
        let commands = &app.app().commands;
        let team = workspace(commands).await;
        let settings = Settings {
            workspace_id: team.workspace_id,
            importer: team.owner,
            at: Utc::now(),
            correlation_id: Uuid::now_v7(),
            limits: Limits::default(),
        };
        let report = import::slack(commands.store(), &archive, &settings, &()).await.expect("an import");
        let imported = report.messages.imported;
        assert_eq!(imported, report.messages.in_file - report.messages.skipped, "{archive:?}");
        assert_eq!(count(&app, IN_THE_LOG).await, imported, "{archive:?}");
        assert_eq!(count(&app, STREAMS).await, imported, "{archive:?}");
        everything_is_projected(&app).await;
        assert_eq!(count(&app, IN_THE_READ_MODEL).await, imported, "{archive:?}");

        let head = *commands.store().head().borrow();
        let again = import::slack(commands.store(), &archive, &settings, &()).await.expect("a second import");
        assert_eq!((again.events_appended(), again.messages.imported), (0, 0), "{archive:?}");
        assert_eq!(commands.store().catch_up().await.expect("the head"), head, "a second import appended something");

        let rebuild = rebuilt(&app).await;
        assert_eq!(rebuild.events, u64::try_from(head).expect("a count"));
        assert!(count(&app, MESSAGES).await >= imported);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projection_converges_when_the_stream_is_deleted_under_load() {
    let app = TestApp::start().await;
    let team = workspace(&app.app().commands).await;
    let context = jetstream::new(servers::nats().await);
    for round in 0..3 {
        for n in 0..200 {
            post(&app.app().commands, &asked(team.owner), team.general, &format!("message {round} {n}")).await.expect("a post");
            if n == 100 {
                // In the first round, the relay may not have created the stream yet.
                let _ = context.delete_stream(&app.stream).await;
            }
        }
    }
    everything_is_projected(&app).await;
    assert_eq!(count(&app, MESSAGES).await, 600);
    rebuilt(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_with_one_database_return_the_same_and_one_of_them_relays() {
    let first = TestApp::start().await;
    let second = TestApp::start_with(&[("BACKSCROLL_POSTGRES_URL", &first.database.url), ("BACKSCROLL_NATS_STREAM", &first.stream)]).await;
    let team = workspace(&first.app().commands).await;
    for n in 0..300 {
        let app = if n % 2 == 0 { &first } else { &second };
        post(&app.app().commands, &asked(team.owner), team.general, &format!("message {n}")).await.expect("a post");
    }
    for app in [&first, &second] {
        everything_is_projected(app).await;
        assert_eq!(count(app, MESSAGES).await, 300);
    }
    let leading = |app: &TestApp| app.app().relay.leading.load(std::sync::atomic::Ordering::Relaxed);
    eventually("one of the servers relays", async || leading(&first) != leading(&second)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_under_load_ends_equal_and_readers_never_see_a_part_of_it() {
    let app = TestApp::start().await;
    let commands = app.app().commands.clone();
    let team = workspace(&commands).await;
    for n in 0..300 {
        post(&commands, &asked(team.owner), team.general, &format!("before {n}")).await.expect("a post");
    }
    everything_is_projected(&app).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let load = tokio::spawn({
        let (commands, stop) = (commands.clone(), stop.clone());
        async move {
            let mut posted = 0_u64;
            while !stop.is_cancelled() {
                post(&commands, &asked(team.owner), team.general, &format!("during {posted}")).await.expect("a post");
                posted += 1;
            }
            posted
        }
    });
    let reader = tokio::spawn({
        let (pool, stop) = (app.app().pool.clone(), stop.clone());
        async move {
            let (mut least, mut reads) = (300, 0);
            while !stop.is_cancelled() {
                let seen: i64 = sqlx::query_scalar(MESSAGES).fetch_one(&pool).await.expect("no query fails while the model is switched");
                assert!(seen >= least, "a reader saw {seen} messages after {least}");
                (least, reads) = (seen, reads + 1);
            }
            reads
        }
    });
    for _ in 0..3 {
        rebuilt(&app).await;
    }
    stop.cancel();
    let (posted, reads) = (load.await.expect("the load"), reader.await.expect("the reader"));
    assert!(posted > 0 && reads > 0);
    everything_is_projected(&app).await;
    assert_eq!(count(&app, MESSAGES).await, 300 + posted);
    rebuilt(&app).await;
}
