//! Runs that are interrupted, and runs that were due while no server ran.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use domain::WorkspaceCommand;
use domain::retention::RetentionPolicy;
use domain::workspace::WorkspaceSettings;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use sqlx::Connection;
use tests::{TestApp, eventually, program};

use crate::laws::workspace;
use crate::support::{Team, asked, post_at};

/// Posts this number of messages from two months ago, under a policy of one month.
async fn with_old_messages(app: &TestApp, count: usize) -> Team {
    let commands = &app.app().commands;
    let team = workspace(commands).await;
    let settings = WorkspaceSettings { retention_policy: Some(RetentionPolicy::days(30)), ..WorkspaceSettings::default() };
    commands.workspace(&asked(team.owner), team.workspace_id, WorkspaceCommand::ChangeSettings(settings)).await.expect("a policy");
    let posts = (0..count).map(|n| async move {
        let sent_at = Utc::now() - TimeDelta::days(60) + TimeDelta::seconds(i64::try_from(n).expect("a number"));
        post_at(commands, team.owner, team.general, sent_at, &format!("message {n}")).await;
    });
    futures::StreamExt::for_each_concurrent(futures::stream::iter(posts), 32, |post| post).await;
    settled(app).await;
    team
}

async fn settled(app: &TestApp) {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    app.app().progress.wait_for(RELATIONAL, head, Duration::from_secs(60)).await.expect("the projection keeps up");
}

async fn count(app: &TestApp, statement: &str) -> i64 {
    sqlx::query_scalar::<_, i64>(statement).fetch_one(&app.app().pool).await.expect("a count")
}

const APPLIED: &str = "SELECT count(*) FROM events WHERE event_type = 'retention.applied'";
const ARCHIVED: &str = "SELECT count(*) FROM messages_archive";
const STANDING: &str = "SELECT count(*) FROM messages";
const NAMED: &str = "SELECT coalesce(sum(json_array_length(payload -> 'retention.applied' -> 'messages')), 0)::bigint FROM events
    WHERE event_type = 'retention.applied'";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_keeps_its_finished_steps_and_the_next_run_does_the_rest() {
    const MESSAGES: i64 = 3_000;
    let app = TestApp::start_with(&[("BACKSCROLL_RETENTION_AT", "off")]).await;
    with_old_messages(&app, usize::try_from(MESSAGES).expect("a count")).await;
    let mut run = program::command(&["retention", "run"], &app.environment).spawn().expect("the binary runs");
    eventually("the first step of the run is done", async || count(&app, APPLIED).await > 0).await;
    // While the test holds this lock, no process appends. So the run cannot end before it is killed.
    let mut appends = sqlx::PgConnection::connect(&app.database.url).await.expect("a connection");
    sqlx::query("SELECT pg_advisory_lock(4701)").execute(&mut appends).await.expect("the lock");
    run.kill().expect("the run is killed");
    run.wait().expect("the run has ended");
    drop(appends.close().await);
    settled(&app).await;
    let left = count(&app, ARCHIVED).await;
    assert!(left > 0 && left < MESSAGES, "{left} messages were removed before the run was killed");

    eventually("the lock of the killed run is free again", async || app.app().retention.run(None).await.is_ok()).await;
    settled(&app).await;
    assert_eq!((count(&app, ARCHIVED).await, count(&app, STANDING).await), (MESSAGES, 0));
    assert_eq!(count(&app, NAMED).await, MESSAGES, "each message is in one event only");
    let report = rebuild(&app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("an equal model");
    assert!(report.compared_at.is_some() && report.differences.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_due_while_no_server_ran_is_caught_up() {
    let mut app = TestApp::start_with(&[("BACKSCROLL_RETENTION_AT", "off")]).await;
    with_old_messages(&app, 20).await;
    assert_eq!(count(&app, ARCHIVED).await, 0);
    let long_ago = "INSERT INTO public.process_cursors (process, finished_at) VALUES ('retention', now() - interval '3 days')";
    sqlx::query(long_ago).execute(&app.app().pool).await.expect("a row");
    let (url, stream) = (app.database.url.clone(), app.stream.clone());
    let second = TestApp::start_with(&[("BACKSCROLL_POSTGRES_URL", &url), ("BACKSCROLL_NATS_STREAM", &stream)]).await;
    eventually("the run is caught up", async || count(&second, ARCHIVED).await == 20).await;
    let finished = "SELECT count(*) FROM public.process_cursors WHERE process = 'retention' AND finished_at > now() - interval '1 hour'";
    eventually("the run is recorded", async || count(&second, finished).await == 1).await;
    drop(second);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_who_called_a_run_on_the_command_line() {
    let app = TestApp::start_with(&[("BACKSCROLL_RETENTION_AT", "off")]).await;
    with_old_messages(&app, 3).await;
    let run = program::output(&["retention", "run"], &app.environment).await;
    assert_eq!(run.status.code(), Some(0), "{}", program::said(&run).1);
    settled(&app).await;
    let shown = program::output(&["audit", "log", "--type", "retention.applied", "--json"], &app.environment).await;
    let entry = String::from_utf8(shown.stdout).expect("text").lines().next().map(str::to_owned).expect("an entry");
    let entry = serde_json::from_str::<serde_json::Value>(&entry).expect("JSON");
    assert!(entry["by"].as_str().is_some_and(|by| by.ends_with("(command line)")), "{entry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_concurrent_runs_one_is_refused() {
    let app = TestApp::start_with(&[("BACKSCROLL_RETENTION_AT", "off")]).await;
    with_old_messages(&app, 5).await;
    let mut other = sqlx::PgConnection::connect(&app.database.url).await.expect("a connection");
    let lock = "SELECT pg_advisory_lock(hashtextextended('backscroll retention', 0))";
    sqlx::query(lock).execute(&mut other).await.expect("the lock");
    let refused = app.app().retention.run(None).await.expect_err("another run holds the lock");
    assert!(matches!(refused, processes::retention::RunError::UnderWay), "{refused:?}");
    // The test releases the lock explicitly: after a mere disconnect, Postgres would keep it until it notices.
    sqlx::query("SELECT pg_advisory_unlock(hashtextextended('backscroll retention', 0))").execute(&mut other).await.expect("the lock");
    assert_eq!(app.app().retention.run(None).await.expect("a run").messages(), 5);
}

/// The number of rows that a plan has read from tables of messages.
fn rows_read(plan: &serde_json::Value) -> f64 {
    let of = |field: &str| plan[field].as_f64().unwrap_or(0.0);
    let here = plan["Relation Name"].as_str().is_some_and(|table| table.starts_with("messages_"));
    let own = if here { (of("Actual Rows") + of("Rows Removed by Filter")) * of("Actual Loops") } else { 0.0 };
    own + plan["Plans"].as_array().into_iter().flatten().map(rows_read).sum::<f64>()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_due_threads_reads_nothing_of_the_rest_of_the_channel() {
    const YOUNG: i64 = 20_000;
    let app = TestApp::start_with(&[("BACKSCROLL_RETENTION_AT", "off")]).await;
    let team = with_old_messages(&app, 50).await;
    let fill = "INSERT INTO messages (message_id, channel_id, workspace_id, user_id, content, created_at, updated_at, position)
                SELECT gen_random_uuid(), channel_id, workspace_id, user_id, 'x', now(), now(), 1
                FROM (SELECT * FROM messages WHERE channel_id = $1 LIMIT 1) AS one, generate_series(1, $2)";
    let months = "SELECT DISTINCT tableoid::regclass::text FROM messages ORDER BY 1";
    // The partition of this month exists if the server has written a message in it.
    post_at(&app.app().commands, team.owner, team.general, Utc::now(), "young").await;
    settled(&app).await;
    assert!(sqlx::query_scalar::<_, String>(months).fetch_all(&app.app().pool).await.expect("months").len() >= 2);
    sqlx::query(fill).bind(team.general.0).bind(YOUNG).execute(&app.app().pool).await.expect("young messages");
    sqlx::query("ANALYZE messages").execute(&app.app().pool).await.expect("the analysis");

    let cut_off = Utc::now() - TimeDelta::days(30);
    for (file, page) in [
        (include_str!("../../../projections/src/relational/sql/due_threads.sql"), 10),
        (include_str!("../../../projections/src/relational/sql/count_due.sql"), 50),
    ] {
        let values = [
            format!("'{}'::uuid", team.general.0),
            format!("'{}'::timestamptz", cut_off.to_rfc3339()),
            "FALSE".into(),
            "'{}'::uuid[]".into(),
            "FALSE".into(),
            "'1970-01-01Z'::timestamptz".into(),
            "'00000000-0000-0000-0000-000000000000'::uuid".into(),
            page.to_string(),
        ];
        let filled = values.iter().enumerate().fold(file.to_owned(), |sql, (n, value)| sql.replace(&format!("${}", n + 1), value));
        let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) {filled}");
        let plan = sqlx::query_scalar::<_, serde_json::Value>(&explain).fetch_one(&app.app().pool).await.expect("a plan");
        let read = rows_read(&plan[0]["Plan"]);
        assert!(read >= f64::from(page) && read < 5_000.0, "{read} rows were read for {page} threads: {plan}");
    }
}
