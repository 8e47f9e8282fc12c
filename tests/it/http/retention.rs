//! Retention, archive and purge, over HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ChannelId, MessageId, UserId};
use domain::message::NewMessage;
use domain::text::MessageBody;
use serde_json::{Value, json};
use tests::team::id;
use tests::{Person, Team, TestApp, eventually};
use uuid::Uuid;

use crate::support::post_dated;

/// Posts a message with a time this number of days ago.
async fn posted(app: &TestApp, by: &Person, channel: Uuid, days: i64, text: &str, thread: Option<Uuid>) -> Uuid {
    let sent_at: DateTime<Utc> = Utc::now() - TimeDelta::days(days);
    let new = NewMessage {
        message_id: MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes")),
        content: MessageBody::parse(text).expect("a text"),
        thread_id: thread.map(MessageId),
        client_msg_id: None,
        sent_at,
    };
    let message_id = new.message_id.0;
    assert!(post_dated(&app.app().commands, UserId(by.id), ChannelId(channel), new).await, "the message is appended");
    message_id
}

async fn keep_for(team: &Team, policy: Value) {
    team.owner.patch(&team.path("/settings"), json!({ "retention_policy": policy })).await.expect(200);
}

/// Waits until the read tables have the whole log.
async fn settled(app: &TestApp) -> i64 {
    crate::cache::settled(app).await
}

async fn preview(team: &Team, position: i64) -> Value {
    team.owner.get_at(position, &team.path("/retention/preview")).await.expect(200)
}

/// Runs retention to its end.
async fn run(app: &TestApp, team: &Team) {
    settled(app).await;
    eventually("a run may begin", async || team.owner.post(&team.path("/retention/runs"), json!({})).await.status == 202).await;
    eventually("the run has ended", async || {
        let position = settled(app).await;
        preview(team, position).await["messages"] == 0
    })
    .await;
}

fn texts(page: &Value) -> Vec<String> {
    page["items"].as_array().expect("items").iter().map(|row| row["content"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_are_removed_from_everything_but_the_archive() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let general = team.general;
    let mention = format!("quince for <@{}>", team.guest.id);
    let old = posted(&app, &team.member, general, 60, &mention, None).await;
    let root = posted(&app, &team.member, general, 50, "an old thread", None).await;
    posted(&app, &team.owner, general, 45, "with an old answer", Some(root)).await;
    let lively = posted(&app, &team.member, general, 40, "a thread that goes on", None).await;
    posted(&app, &team.owner, general, 2, "still", Some(lively)).await;
    let pinned = posted(&app, &team.member, general, 40, "pinned", None).await;
    team.member.put_empty(&format!("/v1/messages/{pinned}/pin")).await.expect(200);
    posted(&app, &team.member, general, 1, "quince of yesterday", None).await;
    keep_for(&team, json!({"days": 30})).await;

    let position = settled(&app).await;
    let before = preview(&team, position).await;
    assert_eq!((&before["messages"], &before["held"]), (&json!(3), &json!(0)), "{before}");
    assert_eq!((&before["channels"][0]["policy_of"], &before["channels"][0]["days"]), (&json!("workspace"), &json!(30)));
    run(&app, &team).await;

    let page = team.guest.get(&team.general("/messages")).await.expect(200);
    let said = page["items"].as_array().expect("items").iter().filter(|row| row["message_type"] == "text");
    let kept = said.map(|row| row["content"].as_str().expect("a text")).collect::<Vec<_>>();
    assert_eq!(kept, ["a thread that goes on", "pinned", "quince of yesterday"], "{page}");
    let found = team.member.get(&team.path("/search/messages?q=quince")).await.expect(200);
    assert_eq!(found["total"], 1, "{found}");
    assert_eq!(team.guest.get(&team.path("/mentions")).await.expect(200)["items"], json!([]));

    let archive = team.owner.get(&team.general("/retained-messages")).await.expect(200);
    assert_eq!(texts(&archive), [mention.as_str(), "an old thread", "with an old answer"]);
    let first = team.owner.get(&team.general("/retained-messages?limit=2")).await.expect(200);
    let previous = first["previous"].as_str().expect("an older page");
    let second = team.owner.get(&team.general(&format!("/retained-messages?limit=2&before={previous}"))).await.expect(200);
    assert_eq!(texts(&second), [mention.as_str()]);

    for person in [&team.member, &team.guest] {
        person.get(&team.general("/retained-messages")).await.expect_problem(403, "access.forbidden");
    }
    team.stranger.get(&team.general("/retained-messages")).await.expect_problem(404, "channel.not_found");
    team.member.get(&format!("/v1/messages/{old}")).await.expect_problem(404, "message.retained");
    team.member.patch(&format!("/v1/messages/{old}"), json!({"content": "other"})).await.expect_problem(404, "message.retained");
    team.member.put_empty(&format!("/v1/messages/{old}/reactions/tada")).await.expect_problem(404, "message.retained");
    let answer = json!({"content": "late", "thread_id": root});
    team.member.post(&team.general("/messages"), answer).await.expect_problem(404, "message.retained");
}

/// Whether a retention run has begun and not ended.
const RUN_IN_PROGRESS: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND (classid::bigint << 32 | objid::bigint) = hashtextextended('backscroll retention', 0))";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_applies_the_policy_that_was_acknowledged_before_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    posted(&app, &team.member, team.general, 60, "old", None).await;
    posted(&app, &team.member, team.general, 1, "of yesterday", None).await;
    settled(&app).await;
    // The read tables cannot go on: each batch begins with this row.
    let mut blocking = app.app().pool.begin().await.expect("a transaction");
    let row = "SELECT position FROM projection_checkpoints WHERE projection = 'relational' FOR UPDATE";
    sqlx::query(row).execute(&mut *blocking).await.expect("the row");
    let policy = json!({"retention_policy": {"days": 30}});
    team.owner.patch(&team.path("/settings"), policy).await.expect(202);

    let path = team.path("/retention/runs");
    let (started, ()) = tokio::join!(team.owner.post(&path, json!({})), async {
        let has_begun = async || sqlx::query_scalar::<_, bool>(RUN_IN_PROGRESS).fetch_one(&app.app().pool).await.expect("the locks");
        eventually("the run has begun", has_begun).await;
        blocking.commit().await.expect("the row is free again");
    });
    started.expect(202);
    eventually("the old message has left", async || {
        texts(&team.owner.get(&team.general("/retained-messages")).await.expect(200)) == ["old"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_everything_and_the_preview_names_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    posted(&app, &team.member, team.general, 60, "kept by the hold", None).await;
    posted(&app, &team.owner, team.general, 60, "kept by the first hold alone", None).await;
    keep_for(&team, json!({"days": 30})).await;
    let hold =
        async |on: Value| id(&team.owner.post(&team.path("/holds"), json!({"on": on, "reason": "a case"})).await.expect(201), "hold_id");
    let release = async |hold: Uuid| team.owner.put(&team.path(&format!("/holds/{hold}/release")), json!({"reason": "closed"})).await;
    let on_channel = hold(json!({"kind": "channel", "channel_id": team.general})).await;
    let held = preview(&team, settled(&app).await).await;
    assert_eq!((&held["messages"], &held["held"]), (&json!(0), &json!(2)), "{held}");
    assert_eq!(held["channels"][0]["holds"], json!([on_channel]));
    app.app().retention.run(None).await.expect("a run");
    let on_person = hold(json!({"kind": "person", "user_id": team.member.id})).await;
    release(on_channel).await.expect(204);
    let held = preview(&team, settled(&app).await).await;
    assert_eq!((&held["messages"], &held["held"]), (&json!(1), &json!(1)), "{held}");
    assert_eq!(held["channels"][0]["holds"], json!([on_person]));
    run(&app, &team).await;
    assert_eq!(texts(&team.owner.get(&team.general("/retained-messages")).await.expect(200)), ["kept by the first hold alone"]);
    release(on_person).await.expect(204);
    run(&app, &team).await;
    let archive = team.owner.get(&team.general("/retained-messages")).await.expect(200);
    assert_eq!(archive["items"].as_array().map(Vec::len), Some(2), "{archive}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channels_policy_has_priority_and_needs_a_permission() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "public", "for-ever", &[]).await;
    let settings = |policy: Value| json!({"allow_threads": true, "allow_file_upload": true, "allow_external_sharing": false, "retention_policy": policy});
    let path = format!("/v1/channels/{channel}/settings");
    // The channel's admin may change its settings, but not its retention policy.
    team.member.put(&path, settings(json!(null))).await.expect(200);
    team.member.put(&path, settings(json!({"days": 1}))).await.expect_problem(403, "access.forbidden");
    team.owner.put(&path, settings(json!({"days": null}))).await.expect(200);
    team.owner.put(&path, settings(json!({"days": 0}))).await.expect_problem(422, "channel.settings_invalid");
    team.owner.put(&path, settings(json!({"days": 1, "colour": "red"}))).await.expect_problem(400, "request.body_invalid");
    posted(&app, &team.member, channel, 90, "kept", None).await;
    posted(&app, &team.member, team.general, 90, "left", None).await;
    keep_for(&team, json!({"days": 30, "action": "archive", "keep_pinned": false})).await;
    let shown = preview(&team, settled(&app).await).await;
    assert_eq!(shown["messages"], 1, "{shown}");
    run(&app, &team).await;
    assert_eq!(texts(&team.owner.get(&format!("/v1/channels/{channel}/retained-messages")).await.expect(200)), Vec::<String>::new());

    team.member.get(&team.path("/retention/preview")).await.expect_problem(403, "access.forbidden");
    team.member.post(&team.path("/retention/runs"), json!({})).await.expect_problem(403, "access.forbidden");
    team.owner.put(&team.path(&format!("/members/{}/role", team.member.id)), json!({"role": "admin"})).await.expect(200);
    team.member.get(&team.path("/retention/preview")).await.expect(200);
    team.member.post(&team.path("/retention/runs"), json!({})).await.expect_problem(403, "access.forbidden");
    team.member.patch(&team.path("/settings"), json!({"retention_policy": null})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_purged_on_a_legal_request_unless_it_is_held() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let secret = team.channel(&team.member, "private", "secret", &[]).await;
    let message = team.message(&team.member, secret, "slander").await;
    team.member.patch(&format!("/v1/messages/{message}"), json!({"content": "more slander"})).await.expect(200);
    let path = format!("/v1/messages/{message}/purge");
    let reason = json!({"reason": "Decision of the court"});
    team.member.put(&path, reason.clone()).await.expect_problem(403, "access.forbidden");
    team.guest.put(&path, reason.clone()).await.expect_problem(404, "message.not_found");
    let on = json!({"kind": "person", "user_id": team.member.id});
    let hold = id(&team.owner.post(&team.path("/holds"), json!({"on": on, "reason": "a case"})).await.expect(201), "hold_id");
    let refused = team.owner.put(&path, reason.clone()).await.expect_problem(409, "workspace.held");
    assert!(refused["detail"].as_str().is_some_and(|said| said.contains(&hold.to_string())), "{refused}");
    team.owner.put(&team.path(&format!("/holds/{hold}/release")), json!({"reason": "closed"})).await.expect(204);
    // The owner is not in the channel. A purge for a legal reason does not need that.
    let position = team.owner.put(&path, reason.clone()).await.position();
    team.owner.put(&path, reason).await.expect(204);
    let shown = team.member.get_at(position, &format!("/v1/messages/{message}")).await.expect(200);
    assert_eq!((&shown["content"], &shown["is_deleted"], &shown["edit_history"]), (&json!(""), &json!(true), &json!([])), "{shown}");
}
