//! One aggregate through time, and chains of cause and effect.

use chrono::{TimeDelta, Utc};
use domain::ids::{ChannelId, UserId};
use serde_json::{Value, json};
use tests::person::Person;
use tests::{Team, TestApp};
use uuid::Uuid;

use super::{audit, each};
use crate::support::post_at;

fn of_channel(team: &Team, channel: Uuid, below: &str) -> String {
    team.path(&format!("/audit/aggregates/channel/{channel}{below}"))
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["messages"].as_array().expect("messages").iter().map(|message| message["content"].as_str().unwrap_or("—")).collect()
}

async fn settled(app: &TestApp, reader: &Person, path: &str) -> Value {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    reader.get_at(head, path).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_shown_with_its_members_and_messages_as_they_were() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "public", "apples", &[]).await;
    let message = team.message(&team.member, channel, "first").await;
    let before = team.post(&team.member, channel, "second").await.position();
    team.member.patch(&format!("/v1/messages/{message}"), json!({"content": "first, corrected"})).await.expect(200);
    team.member.put(&format!("/v1/channels/{channel}/topic"), json!({"topic": "pears"})).await.expect(200);
    team.member.post(&format!("/v1/channels/{channel}/members"), json!({"user_id": team.guest.id})).await.expect(200);
    team.member.delete(&format!("/v1/messages/{message}")).await.expect(204);

    let then = settled(&app, &team.owner, &of_channel(&team, channel, &format!("/as-of?position={before}"))).await;
    assert_eq!(texts(&then), ["second", "first"]);
    assert_eq!((then["state"]["creation"]["topic"].clone(), then["state"]["members"].as_object().map(|m| m.len())), (Value::Null, Some(1)));
    let now = settled(&app, &team.owner, &of_channel(&team, channel, "/as-of")).await;
    assert_eq!(
        (now["state"]["creation"]["topic"].as_str(), now["state"]["members"].as_object().map(|m| m.len())),
        (Some("pears"), Some(2))
    );
    let deleted =
        now["messages"].as_array().expect("messages").iter().find(|m| m["message_id"] == message.to_string()).expect("a tombstone");
    assert_eq!((&deleted["is_deleted"], &deleted["content"]), (&json!(true), &Value::Null));

    let difference = settled(&app, &team.owner, &of_channel(&team, channel, &format!("/diff?from={before}"))).await;
    let readable = difference["readable"].as_array().expect("lines").iter().map(|line| line.as_str().expect("a line")).collect::<Vec<_>>();
    assert!(readable.contains(&"creation / topic: added pears"), "{readable:?}");
    assert!(readable.iter().any(|line| line.starts_with(&format!("members / {}: added", team.guest.username))), "{readable:?}");
    let page = settled(&app, &team.owner, &of_channel(&team, channel, &format!("/as-of?position={before}&limit=1"))).await;
    assert_eq!(texts(&page), ["second"]);
    let next = page["next_messages"].as_str().expect("more");
    let rest =
        settled(&app, &team.owner, &of_channel(&team, channel, &format!("/as-of?position={before}&limit=1&messages_after={next}"))).await;
    assert_eq!((texts(&rest), &rest["next_messages"]), (vec!["first"], &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_shows_the_state_after_each_event_and_pages() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "public", "apples", &[]).await;
    for topic in ["one", "two", "three"] {
        team.member.put(&format!("/v1/channels/{channel}/topic"), json!({"topic": topic})).await.expect(200);
    }
    let (mut topics, mut place) = (Vec::new(), String::new());
    loop {
        let page = settled(&app, &team.owner, &of_channel(&team, channel, &format!("/history?limit=2{place}"))).await;
        topics.extend(
            page["items"].as_array().expect("entries").iter().map(|item| item["state"]["creation"]["topic"].as_str().map(str::to_owned)),
        );
        match page["next"].as_str() {
            Some(next) => place = format!("&after={next}"),
            None => break,
        }
    }
    let topic = |text: &str| Some(text.to_owned());
    assert_eq!(
        topics,
        [None, None, topic("one"), topic("two"), topic("three")],
        "the creation, the creator's membership, and three topics"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_conversations_without_the_caller_are_withheld_at_every_time() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let secret = team.channel(&team.member, "private", "secret", &[]).await;
    let message = team.message(&team.member, secret, "hush").await;
    team.member.patch(&format!("/v1/messages/{message}"), json!({"content": "hush, hush"})).await.expect(200);
    let of_message = |below: &str| team.path(&format!("/audit/aggregates/message/{message}{below}"));
    for path in [of_channel(&team, secret, "/as-of"), of_message("/as-of"), of_message("/history"), of_message("/diff")] {
        let answer = settled(&app, &team.owner, &path).await.to_string();
        assert!(!answer.contains("hush") && answer.contains(r#""withheld":true"#), "{path}: {answer}");
    }
    let posted = audit(&app, &team, &team.owner, &format!("&aggregate_id={message}")).await[0]["position"].clone();
    let chain = settled(&app, &team.owner, &team.path(&format!("/audit/events/{posted}/chain"))).await.to_string();
    assert!(!chain.contains("hush"), "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_shows_the_other_events_of_the_same_request() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "public", "apples", &[]).await;
    let joined = team.owner.put_empty(&format!("/v1/channels/{channel}/membership")).await.position();
    let entries = audit(&app, &team, &team.owner, &format!("&aggregate_id={channel}&type=channel.member_joined")).await;
    let position = entries[0]["position"].as_i64().expect("a position");
    assert!(position <= joined);
    let chain = settled(&app, &team.owner, &team.path(&format!("/audit/events/{position}/chain"))).await;
    assert_eq!(chain["event"]["position"], position);
    let others = ["causes", "effects", "together"].map(|side| chain[side].as_array().expect("entries").len());
    assert_eq!(others, [0, 1, 0], "the only effect is the system message: {chain}");
    assert_eq!(chain["effects"][0]["event_type"], "message.posted");
}

/// The types of the events on one side of a chain.
fn side<'a>(chain: &'a Value, side: &str) -> Vec<&'a str> {
    each(chain[side].as_array().expect("entries"), "event_type")
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_a_workspace_causes_joining_its_first_channel() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let of_member = format!("&type=workspace.member_joined&actor={}", team.member.id);
    let joined = audit(&app, &team, &team.owner, &of_member).await[0]["position"].as_i64().expect("a position");
    let chain = settled(&app, &team.owner, &team.path(&format!("/audit/events/{joined}/chain"))).await;
    assert_eq!(side(&chain, "effects"), ["channel.member_joined", "message.posted"], "{chain}");
    let said = chain["effects"][1]["position"].as_i64().expect("a position");
    let chain = settled(&app, &team.owner, &team.path(&format!("/audit/events/{said}/chain"))).await;
    assert_eq!(side(&chain, "causes"), ["workspace.member_joined", "channel.member_joined"], "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cause_of_a_retention_run_is_the_last_change_of_the_policy() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (by, general) = (UserId(team.member.id), ChannelId(team.general));
    post_at(&app.app().commands, by, general, Utc::now() - TimeDelta::days(60), "long ago").await;
    for settings in
        [json!({"retention_policy": {"days": 900}}), json!({"retention_policy": {"days": 30}}), json!({"edit_window_minutes": 5})]
    {
        team.owner.patch(&team.path("/settings"), settings).await.expect(200);
    }
    let set = audit(&app, &team, &team.owner, "&type=workspace.settings_changed").await;
    app.app().retention.run(None).await.expect("a run");
    let applied = audit(&app, &team, &team.owner, "&type=retention.applied").await;
    assert_eq!(
        applied[0]["caused_by"], set[1]["position"],
        "the cause is neither the first policy nor a change that left it the same: {applied:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_other_workspaces_are_not_found() {
    let app = TestApp::start().await;
    let (team, other) = (Team::found(&app).await, Team::found(&app).await);
    let position = team.post(&team.owner, team.general, "hello").await.position();
    for below in ["history", "as-of", "diff"] {
        let path = |channel: Uuid| team.path(&format!("/audit/aggregates/channel/{channel}/{below}"));
        team.owner.get_at(position, &path(team.general)).await.expect(200);
        team.owner.get_at(position, &path(other.general)).await.expect_problem(404, "audit.aggregate_not_found");
        team.member.get(&path(team.general)).await.expect_problem(403, "access.forbidden");
        other.owner.get(&path(team.general)).await.expect_problem(404, "workspace.not_found");
        let house = team.path(&format!("/audit/aggregates/house/{}/{below}", team.general));
        team.owner.get(&house).await.expect_problem(400, "request.query_invalid");
    }
    team.owner
        .get(&of_channel(&team, team.general, "/as-of?position=1&time=2026-01-01T00:00:00Z"))
        .await
        .expect_problem(400, "request.query_invalid");
    team.owner.get(&of_channel(&team, team.general, "/diff?from=yesterday")).await.expect_problem(400, "request.query_invalid");
    team.owner.get(&team.path(&format!("/audit/events/{position}/chain"))).await.expect(200);
    team.member.get(&team.path(&format!("/audit/events/{position}/chain"))).await.expect_problem(403, "access.forbidden");
    other.owner.get(&other.path(&format!("/audit/events/{position}/chain"))).await.expect_problem(404, "audit.event_not_found");
}
