//! A purge empties payloads in the log, too. One function does it, and it can change nothing else. The proof of the log
//! accepts the emptied events.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use domain::ids::{ChannelId, HoldId, MessageId, UserId};
use domain::retention::{RetentionAction, RetentionPolicy};
use domain::text::{MessageBody, Reason};
use domain::workspace::{HoldTarget, WorkspaceSettings};
use domain::{MessageCommand, WorkspaceCommand};
use ledger::months::{restore, verify as verify_file};
use ledger::proof::verify::{Finding, Options, Report, verify};
use projections::{NewView, RELATIONAL, RebuildLock, RebuildOptions, ViewModels, rebuild};
use sqlx::PgPool;
use tests::{TestApp, TestDatabase, eventually};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cache::settled;
use crate::laws::workspace;
use crate::projections::Reading;
use crate::retention::log_files::put_keys_back;
use crate::support::{another_process, asked, code, post, post_at, this_month};

fn reason() -> Reason {
    Reason::parse("Decision of the court").expect("a reason")
}

/// Posts a message and edits it. Returns its identifier.
async fn edited(app: &TestApp, by: UserId, channel: ChannelId) -> MessageId {
    let commands = &app.app().commands;
    let id = MessageId(post(commands, &asked(by), channel, "slander").await.expect("a message").id);
    let edit = MessageCommand::Edit { content: MessageBody::parse("worse slander").expect("a text") };
    commands.message(&asked(by), id, edit).await.expect("an edit");
    id
}

async fn digests(pool: &PgPool) -> Vec<(i64, Vec<u8>)> {
    sqlx::query_as("SELECT position, digest FROM events ORDER BY position").fetch_all(pool).await.expect("digests")
}

/// The number of emptied events of the message that name the purge event.
async fn emptied(pool: &PgPool, id: MessageId) -> i64 {
    let statement = "SELECT count(*) FROM events e JOIN event_purges p USING (position) WHERE aggregate_id = $1
         AND payload -> event_type ->> 'erased' = 'true' AND payload -> event_type -> 'sealed' IS NULL AND p.reason = 'Decision of the court'
         AND p.purged_by = (SELECT position FROM events WHERE event_type = 'message.purged' AND aggregate_id = $1)";
    sqlx::query_scalar(statement).bind(id.0.to_string()).fetch_one(pool).await.expect("a count")
}

async fn verified(pool: &PgPool) -> Report {
    verify(pool, &Options::default(), |_, _| {}).await.expect("a report")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payloads_of_a_purged_message_are_emptied_and_their_digests_stay() {
    let app = TestApp::start().await;
    let (commands, pool) = (&app.app().commands, &app.app().pool);
    let team = workspace(commands).await;
    let id = edited(&app, team.owner, team.general).await;
    let other = edited(&app, team.owner, team.general).await;
    let before = digests(pool).await;
    commands.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await.expect("a purge");
    eventually("both events are emptied", async || emptied(pool, id).await == 2).await;
    assert_eq!(digests(pool).await[..before.len()], before[..], "no digest changed");
    assert_eq!(emptied(pool, other).await, 0);

    settled(&app).await;
    let report = rebuild(&app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("an equal model");
    assert!(report.compared_at.is_some() && report.differences.is_empty());
    // A process that has nothing of the message in memory reads a tombstone.
    let (_, again) = another_process(&app.database).await;
    let events = verified(pool).await.events;
    again.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await.expect("it is purged");
    assert_eq!(verified(pool).await.events, events, "a second purge changes nothing");

    let report = verified(pool).await;
    assert_eq!((report.purged, report.findings), (2, vec![]), "the log verifies, and the report counts the emptied events");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_from_before_a_purge_is_dropped_and_a_later_view_has_no_purged_text() {
    let app = TestApp::start().await;
    let (commands, pool, stores) = (&app.app().commands, &app.app().pool, &app.app().stores);
    let team = workspace(commands).await;
    let id = edited(&app, team.owner, team.general).await;
    let then = commands.store().catch_up().await.expect("the head");
    let build = async |name| {
        let turn = RebuildLock::acquire(pool, RELATIONAL).await.expect("the rebuild lock");
        let view = NewView::parse(Some(name), then).expect("a name");
        projections::build_view(turn, stores, &view, ViewModels::Relational, RebuildOptions::default(), |_| {}).await.expect("a view");
        let texts = format!("SELECT count(*) FROM view_{name}.messages WHERE content LIKE '%slander%'");
        sqlx::query_scalar::<_, i64>(&texts).fetch_one(pool).await.expect("the view")
    };
    assert_eq!(build("before").await, 1);
    commands.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await.expect("a purge");
    eventually("the view is dropped", async || projections::views(pool).await.expect("views").is_empty()).await;
    let schemas = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'view%'");
    assert_eq!(schemas.fetch_one(pool).await.expect("schemas"), 0);
    assert_eq!(emptied(pool, id).await, 2);
    assert_eq!(build("after").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_messages_that_a_policy_purges_are_emptied_too() {
    const MESSAGES: i64 = 700;
    let app = TestApp::start_with(&[("BACKSCROLL_RETENTION_AT", "off")]).await;
    let (commands, pool) = (&app.app().commands, &app.app().pool);
    let team = workspace(commands).await;
    let policy = RetentionPolicy { action: RetentionAction::Purge, ..RetentionPolicy::days(30) };
    let settings = WorkspaceSettings { retention_policy: Some(policy), ..WorkspaceSettings::default() };
    commands.workspace(&asked(team.owner), team.workspace_id, WorkspaceCommand::ChangeSettings(settings)).await.expect("a policy");
    for n in 0..MESSAGES {
        let sent_at = Utc::now() - TimeDelta::days(60) + TimeDelta::seconds(n);
        post_at(commands, team.owner, team.general, sent_at, &format!("slander {n}")).await;
    }
    let kept = post(commands, &asked(team.owner), team.general, "praise").await.expect("a message").position;
    settled(&app).await;
    app.app().retention.run(None).await.expect("a run");

    let count = "SELECT count(*) FROM events e JOIN event_purges p USING (position) JOIN events o ON o.position = p.purged_by
         WHERE e.payload -> e.event_type ->> 'erased' = 'true' AND o.event_type = 'retention.applied'";
    let emptied = async || sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await.expect("a count");
    eventually("all events are emptied", async || emptied().await == MESSAGES).await;
    let sealed = "SELECT count(*) FROM events WHERE event_type = 'message.posted' AND payload -> event_type -> 'sealed' IS NOT NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(sealed).fetch_one(pool).await.expect("a count"), 1, "the event at {kept} keeps its payload");
    settled(&app).await;
    rebuild(&app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("an equal model");
    let report = verified(pool).await;
    assert_eq!((i64::try_from(report.purged), report.findings), (Ok(MESSAGES), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_part_of_the_log_can_be_changed() {
    let app = TestApp::start().await;
    let (commands, pool) = (&app.app().commands, &app.app().pool);
    let team = workspace(commands).await;
    let (id, other) = (edited(&app, team.owner, team.general).await, edited(&app, team.owner, team.general).await);
    let refused = async |statement: &str| {
        let refused = sqlx::raw_sql(statement).execute(pool).await.expect_err(statement);
        let code = refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
    };
    refused("UPDATE events SET payload = '{}'").await;
    refused("DELETE FROM events").await;
    refused("SELECT purge_events(1, 'why', ARRAY [1::bigint], ARRAY ['{}'::json])").await;

    commands.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await.expect("a purge");
    eventually("both events are emptied", async || emptied(pool, id).await == 2).await;
    let purge = |position: String, payload: &str| {
        format!(
            "SELECT purge_events((SELECT position FROM events WHERE event_type = 'message.purged'), 'why', ARRAY [p.position], ARRAY [({payload})])
             FROM events p WHERE p.position = ({position})"
        )
    };
    let of = |id: MessageId| format!("SELECT min(position) FROM events WHERE aggregate_id = '{}'", id.0);
    // The purge event names neither the other message's event nor the first event of the log.
    refused(&purge(of(other), "payload")).await;
    refused(&purge("1".into(), "payload")).await;
    // A statement without the function can only empty payloads.
    let as_purge = |payload: &str| {
        format!(
            "SELECT set_config('backscroll.purging', 'yes', true); UPDATE events SET payload = {payload} WHERE position = ({})",
            of(other)
        )
    };
    let cut = r#"regexp_replace(payload::text, '"sealed":"[^"]*"', '"erased":true')"#;
    refused(&as_purge("'{}'")).await;
    refused(&as_purge(&format!(r#"replace({cut}, '"erased":true', '"erased":true,"forged":1')::json"#))).await;
    refused(&as_purge(&format!(r#"regexp_replace({cut}, '"author":"[^"]*"', '"author":"{}"')::json"#, Uuid::nil()))).await;
    refused(&as_purge(&format!(r#"regexp_replace({cut}, '"author":"[^"]*",?', '')::json"#))).await;
    refused(&as_purge(&format!("{cut}::json, digest = sha256('x')"))).await;
    refused("DELETE FROM event_purges").await;
    refused("UPDATE event_purges SET reason = 'another'").await;
    // The database's administrator can use the form of a purge. The verification of the proof detects it.
    sqlx::raw_sql(&as_purge(&format!("{cut}::json"))).execute(pool).await.expect("the form of a purge");
    let position = sqlx::query_scalar::<_, i64>(&of(other)).fetch_one(pool).await.expect("a position");
    assert_eq!(verified(pool).await.findings, [Finding::Digest { position }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_text_in_the_place_of_a_purged_one_is_detected() {
    let mut app = TestApp::start().await;
    let (commands, pool) = (&app.app().commands, app.app().pool.clone());
    let team = workspace(commands).await;
    let id = edited(&app, team.owner, team.general).await;
    commands.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await.expect("a purge");
    eventually("both events are emptied", async || emptied(&pool, id).await == 2).await;
    app.stop().await;
    let position = "SELECT min(position) FROM events WHERE aggregate_id = $1";
    let position = sqlx::query_scalar::<_, i64>(position).bind(id.0.to_string()).fetch_one(&pool).await.expect("a position");
    let tamper = format!(
        r#"ALTER TABLE events DISABLE TRIGGER USER;
           UPDATE events SET payload = replace(payload::text, '"erased":true', '"content":"praise"')::json WHERE position = {position}"#
    );
    sqlx::raw_sql(&tamper).execute(&pool).await.expect("an administrator may do that");
    assert_eq!(verified(&pool).await.findings, [Finding::NotEmptied { position }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_message_is_not_purged() {
    let app = TestApp::start().await;
    let (commands, pool) = (&app.app().commands, &app.app().pool);
    let team = workspace(commands).await;
    let id = edited(&app, team.owner, team.general).await;
    let hold_id = HoldId(Uuid::now_v7());
    let place = WorkspaceCommand::PlaceHold { hold_id, on: HoldTarget::Channel { channel_id: team.general }, reason: reason() };
    commands.workspace(&asked(team.owner), team.workspace_id, place).await.expect("a hold");
    let refused = commands.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await;
    assert_eq!(code(refused), "workspace.held");
    let told = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events WHERE event_type = 'message.purged'");
    assert_eq!(told.fetch_one(pool).await.expect("a count"), 0, "no event asks for its payload to be emptied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_restored_from_files_has_its_purges_again() {
    let app = TestApp::start().await;
    let (commands, pool) = (&app.app().commands, &app.app().pool);
    let team = workspace(commands).await;
    let id = edited(&app, team.owner, team.general).await;
    commands.message(&asked(team.owner), id, MessageCommand::Purge { reason: reason() }).await.expect("a purge");
    eventually("both events are emptied", async || emptied(pool, id).await == 2).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = this_month(pool, None, folder.path()).await;
    assert_eq!(verify_file(&path, |_| {}).expect("a valid month").erased, 2);

    let empty = TestDatabase::create().await;
    let restored = empty.pool(4).await;
    put_keys_back(pool, &restored).await;
    restore(&restored, &path).await.expect("a restore");
    let mut reading = Reading::of(&empty).await;
    reading.start_projector(None);
    let limit = Duration::from_secs(20);
    reading.progress.wait_for(RELATIONAL, manifest.last_position, limit).await.expect("the projector keeps up");
    let (shutdown, (_, head)) = (CancellationToken::new(), tokio::sync::watch::channel(0));
    let process = tokio::spawn(processes::purge::run(restored.clone(), reading.stores.clone(), head, shutdown.clone()));
    eventually("the purge is recorded again", async || emptied(&restored, id).await == 2).await;
    shutdown.cancel();
    process.await.expect("the process ends");
    let report = verified(&restored).await;
    assert_eq!((report.purged, report.findings), (2, vec![]));
}
