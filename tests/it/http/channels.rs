//! Channels and conversations.

use serde_json::{Value, json};
use tests::team::id;
use tests::{Team, TestApp};
use uuid::Uuid;

fn below(channel: Uuid, what: &str) -> String {
    format!("/v1/channels/{channel}{what}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_channel_is_created_browsed_and_found_by_name() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[]).await;
    let position = team.post(&team.owner, channel, "hello").await.position();

    let browsed = team.member.get_at(position, &team.path("/channels?scope=browse")).await.expect(200);
    let names = browsed["items"].as_array().expect("rows").iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names, [json!("general"), json!("random")]);
    let named = team.member.get(&team.path("/channels?name=random")).await.expect(200);
    assert_eq!(named["items"][0]["channel_id"], json!(channel));
    let mine = team.member.get(&team.path("/channels")).await.expect(200);
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(1), "the member is in #general only");
    team.guest.get(&team.path("/channels?scope=browse")).await.expect_problem(403, "access.forbidden");
    assert_eq!(team.guest.get(&team.path("/channels?name=random")).await.expect(200)["items"], json!([]));

    team.owner.post(&team.path("/channels"), json!({"type": "public", "name": "random"})).await.expect_problem(409, "channel.name_taken");
    team.owner.post(&team.path("/channels"), json!({"type": "public", "name": "No Such"})).await.expect_problem(422, "input.invalid");
    team.owner.post(&team.path("/channels"), json!({"type": "public"})).await.expect_problem(422, "channel.name_required");
    team.owner.post(&team.path("/channels"), json!({"type": "secret", "name": "x"})).await.expect_problem(400, "request.body_invalid");
    team.guest.post(&team.path("/channels"), json!({"type": "public", "name": "mine"})).await.expect_problem(403, "access.forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_channel_is_hidden_from_users_that_are_not_in_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "private", "secret", &[]).await;
    let position = team.post(&team.member, channel, "hush").await.position();
    team.member.get_at(position, &below(channel, "")).await.expect(200);
    for path in ["", "/messages", "/members", "/pins"] {
        team.owner.get(&below(channel, path)).await.expect_problem(404, "channel.not_found");
    }
    team.post(&team.owner, channel, "hello").await.expect_problem(404, "channel.not_found");
    assert_eq!(team.owner.get(&team.path("/channels?name=secret")).await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_have_one_direct_conversation() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let direct = |with: Uuid| json!({"type": "dm", "members": [with]});
    let first = team.owner.post(&team.path("/channels"), direct(team.member.id)).await.expect(201);
    let again = team.member.post(&team.path("/channels"), direct(team.owner.id)).await;
    assert_eq!(again.header("idempotency-replayed"), None);
    assert_eq!(again.expect(200), first);
    team.owner.post(&team.path("/channels"), direct(team.stranger.id)).await.expect_problem(409, "workspace.not_a_member");
    let named = json!({"type": "dm", "members": [team.guest.id], "name": "us"});
    team.owner.post(&team.path("/channels"), named).await.expect_problem(422, "channel.name_unexpected");
    let group = json!({"type": "group_dm", "members": [team.member.id]});
    team.owner.post(&team.path("/channels"), group).await.expect_problem(422, "channel.people_out_of_range");

    let channel = id(&first, "channel_id");
    team.owner.put(&below(channel, "/name"), json!({"name": "us"})).await.expect_problem(409, "channel.direct_stays");
    let position = team.post(&team.owner, channel, "psst").await.position();
    team.guest.get_at(position, &below(channel, "/messages")).await.expect_problem(404, "channel.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channels_name_descriptions_and_settings_are_changed() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[&team.member]).await;
    team.owner.put(&below(channel, "/name"), json!({"name": "chatter", "display_name": "Chatter"})).await.expect(200);
    team.member.put(&below(channel, "/topic"), json!({"topic": "Today"})).await.expect(200);
    team.member.put(&below(channel, "/purpose"), json!({"purpose": "Talk"})).await.expect(200);
    team.member.put(&below(channel, "/description"), json!({"description": "All of it"})).await.expect(200);
    let settings =
        json!({"allow_threads": false, "allow_file_upload": true, "allow_external_sharing": false, "retention_policy": {"days": 30}});
    let position = team.owner.put(&below(channel, "/settings"), settings).await.position();
    let shown = team.member.get_at(position, &below(channel, "")).await.expect(200);
    for (field, value) in
        [("name", "chatter"), ("display_name", "Chatter"), ("topic", "Today"), ("purpose", "Talk"), ("description", "All of it")]
    {
        assert_eq!(shown[field], value);
    }
    assert_eq!((&shown["allow_threads"], &shown["retention_policy"]["days"]), (&json!(false), &json!(30)));
    let cleared = team.member.put(&below(channel, "/topic"), json!({"topic": null})).await.position();
    assert_eq!(team.member.get_at(cleared, &below(channel, "")).await.expect(200)["topic"], Value::Null);

    team.member.put(&below(channel, "/name"), json!({"name": "mine"})).await.expect_problem(403, "channel.admins_only");
    team.owner.put(&below(channel, "/name"), json!({"name": "general"})).await.expect_problem(409, "channel.name_taken");
    team.owner.put(&below(channel, "/topic"), json!({"topic": "x".repeat(501)})).await.expect_problem(422, "input.invalid");
    team.owner.put(&below(channel, "/settings"), json!({"allow_threads": true})).await.expect_problem(400, "request.body_invalid");
    team.guest.put(&below(channel, "/topic"), json!({"topic": "Mine"})).await.expect_problem(404, "channel.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_the_permission_may_not_archive_a_channel() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[&team.member]).await;
    let archival = below(channel, "/archived");
    team.member.put_empty(&archival).await.expect_problem(403, "channel.admins_only");
    team.owner.put_empty(&archival).await.expect(200);
    team.owner.put_empty(&archival).await.expect(200);
    team.post(&team.owner, channel, "hello?").await.expect_problem(409, "channel.archived");
    team.member.get(&below(channel, "/messages")).await.expect(200);
    team.owner.delete(&archival).await.expect(204);
    team.owner.delete(&archival).await.expect(204);
    team.post(&team.owner, channel, "hello").await.expect(201);
    team.owner.put_empty(&team.general("/archived")).await.expect_problem(409, "channel.general_stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_conversation_with_somebody_who_has_left_is_shown_read_only() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let with = |others: &[Uuid]| json!({"type": if others.len() == 1 { "dm" } else { "group_dm" }, "members": others});
    let (channels, other) = (team.path("/channels"), team.member.id);
    let direct = id(&team.owner.post(&channels, with(&[other])).await.expect(201), "channel_id");
    let group = id(&team.owner.post(&channels, with(&[other, team.guest.id])).await.expect(201), "channel_id");
    let message = team.message(&team.owner, direct, "so long").await;
    team.owner.put_empty(&team.path(&format!("/members/{other}/deactivation"))).await.expect(200);

    let shown = team.owner.post(&channels, with(&[other])).await;
    let position = shown.position();
    assert_eq!(id(&shown.expect(200), "channel_id"), direct);
    team.owner.get_at(position, &below(direct, "/messages")).await.expect(200);
    let one = format!("/v1/messages/{message}");
    team.post(&team.owner, direct, "hello?").await.expect_problem(409, "channel.conversation_read_only");
    team.owner.put_empty(&below(direct, "/typing")).await.expect_problem(409, "channel.conversation_read_only");
    team.owner.patch(&one, json!({"content": "bye"})).await.expect_problem(409, "channel.conversation_read_only");
    team.owner.put_empty(&format!("{one}/reactions/tada")).await.expect_problem(409, "channel.conversation_read_only");
    team.owner.delete(&one).await.expect(204);
    assert_eq!(id(&team.owner.post(&channels, with(&[other, team.guest.id])).await.expect(200), "channel_id"), group);
    team.post(&team.owner, group, "the two of us").await.expect(201);
    team.guest.post(&channels, with(&[other])).await.expect_problem(409, "workspace.not_a_member");

    team.owner.delete(&team.path(&format!("/members/{other}/deactivation"))).await.expect(204);
    team.post(&team.owner, direct, "welcome back").await.expect(201);
}
