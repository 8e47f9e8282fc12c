//! Read markers and unread counts, over HTTP.

use domain::ids::{ChannelId, UserId, WorkspaceId};
use serde_json::{Value, json};
use tests::team::id;
use tests::{Person, Team, TestApp};
use uuid::Uuid;

use super::{cached_unread, settled};
use crate::support::{asked, post};

async fn unread(app: &TestApp, team: &Team, person: &Person) -> Value {
    let position = settled(app).await;
    let answer = person.get_at(position, &team.path("/unread")).await;
    assert!(answer.position() >= position);
    answer.expect(200)
}

/// The numbers of messages and mentions that a user has not read in a channel.
async fn in_channel(app: &TestApp, team: &Team, person: &Person, channel: Uuid) -> (i64, i64) {
    let unread = unread(app, team, person).await;
    let channels = unread["channels"].as_array().expect("channels");
    let found = channels.iter().find(|row| row["channel_id"] == channel.to_string()).unwrap_or_else(|| panic!("{channel} in {unread}"));
    (found["unread"].as_i64().expect("a count"), found["mentions"].as_i64().expect("a count"))
}

async fn mark(person: &Person, channel: Uuid, message: Uuid, back: bool) -> Uuid {
    let body = if back { json!({"message_id": message, "move_back": true}) } else { json!({"message_id": message}) };
    id(&person.put(&format!("/v1/channels/{channel}/read-marker"), body).await.expect(200), "message_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_others_are_unread_until_they_are_marked_on_all_devices_alike() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let phone = team.member.with_token(app.sign_in(&team.member.email).await);
    let before = in_channel(&app, &team, &team.member, team.general).await;
    assert_eq!(before, (0, 0), "earlier messages and system messages are not unread");
    let first = team.message(&team.owner, team.general, "one").await;
    let second = team.message(&team.owner, team.general, &format!("two <@{}>", team.member.id)).await;
    team.message(&team.member, team.general, "my own").await;
    let deleted = team.message(&team.owner, team.general, "three").await;
    team.owner.delete(&format!("/v1/messages/{deleted}")).await.expect(204);
    assert_eq!(in_channel(&app, &team, &team.member, team.general).await, (2, 1));
    assert_eq!(mark(&team.member, team.general, first, false).await, first);
    assert_eq!(in_channel(&app, &team, &phone, team.general).await, (1, 1));
    assert_eq!(mark(&phone, team.general, second, false).await, second);
    assert_eq!(mark(&team.member, team.general, first, false).await, second, "a marker does not move back");
    assert_eq!(in_channel(&app, &team, &team.member, team.general).await, (0, 0));
    assert_eq!(mark(&team.member, team.general, first, true).await, first, "a marker moves back on request");
    assert_eq!(in_channel(&app, &team, &phone, team.general).await, (1, 1));
    assert_eq!(in_channel(&app, &team, &team.guest, team.general).await, (3, 0), "each user has a separate marker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_survives_an_emptied_redis_and_a_restart_of_the_server() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let first = team.message(&team.owner, team.general, "one").await;
    team.message(&team.owner, team.general, "two").await;
    mark(&team.member, team.general, first, false).await;
    app.empty_redis().await;
    assert_eq!(in_channel(&app, &team, &team.member, team.general).await, (1, 0));
    let shown = unread(&app, &team, &team.member).await;
    let channel = shown["channels"].as_array().expect("channels").iter().find(|row| row["channel_id"] == team.general.to_string());
    assert_eq!(channel.expect("#general")["last_read_message_id"], first.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_leave_out_muted_channels_and_count_only_mentions_where_the_user_chose_so() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let loud = team.channel(&team.owner, "public", "loud", &[&team.member]).await;
    for channel in [team.general, loud] {
        team.message(&team.owner, channel, "one").await;
        team.message(&team.owner, channel, "<!channel> two").await;
    }
    let totals = |unread: &Value| (unread["unread"].as_i64(), unread["mentions"].as_i64());
    let path = format!("/v1/channels/{loud}/notification-level");
    let level = |level: &'static str| team.member.put(&path, json!({"level": level}));
    assert_eq!(totals(&unread(&app, &team, &team.member).await), (Some(4), Some(2)));
    level("mentions").await.expect(200);
    assert_eq!(totals(&unread(&app, &team, &team.member).await), (Some(2), Some(2)));
    level("none").await.expect(200);
    assert_eq!(totals(&unread(&app, &team, &team.member).await), (Some(2), Some(1)));
    assert_eq!(in_channel(&app, &team, &team.member, loud).await, (2, 1), "the channel's own count stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_has_no_count_there_at_once_and_cannot_move_the_marker() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let secret = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    let message = team.message(&team.owner, secret, "hush").await;
    assert_eq!(in_channel(&app, &team, &team.member, secret).await, (1, 0));
    team.owner.delete(&format!("/v1/channels/{secret}/members/{}", team.member.id)).await.expect(204);
    let shown = team.member.get(&team.path("/unread")).await.expect(200);
    assert!(!shown.to_string().contains(&secret.to_string()), "{shown}");
    let marking = |person: &Person, channel: Uuid, message: Uuid| {
        let path = format!("/v1/channels/{channel}/read-marker");
        let person = person.clone();
        async move { person.put(&path, json!({"message_id": message})).await }
    };
    marking(&team.member, secret, message).await.expect_problem(404, "channel.not_found");
    marking(&team.owner, team.general, message).await.expect_problem(404, "message.not_found");
    marking(&team.owner, secret, Uuid::now_v7()).await.expect_problem(404, "message.not_found");
    let open = team.channel(&team.owner, "public", "open", &[]).await;
    let said = team.message(&team.owner, open, "hello").await;
    marking(&team.member, open, said).await.expect_problem(403, "channel.not_a_member");
    team.stranger.get(&team.path("/unread")).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_end_at_a_thousand_and_the_answer_says_so() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (owner, channel) = (UserId(team.owner.id), ChannelId(team.general));
    let commands = &app.app().commands;
    let say = async |texts: std::ops::Range<usize>| {
        let posts = texts.map(|n| async move { post(commands, &asked(owner), channel, &format!("number {n} <!everyone>")).await });
        for posted in futures::future::join_all(posts).await {
            posted.expect("a message");
        }
    };
    say(0..150).await;
    let look = async || {
        settled(&app).await;
        let (user, workspace) = (UserId(team.member.id), WorkspaceId(team.id));
        let cached = cached_unread(&app, user, workspace).await.channels;
        assert_eq!(cached, app.app().read_models.unread(user, workspace).await.expect("counts"));
        let general = cached.into_iter().find(|row| row.channel_id == team.general).expect("#general");
        (general.unread, general.mentions, general.more)
    };
    assert_eq!(look().await, (150, 150, false));
    say(150..1_000).await;
    assert_eq!(look().await, (1_000, 1_000, false));
    say(1_000..1_500).await;
    assert_eq!(look().await, (1_000, 1_000, true));
    // The cache is filled again with few messages. The count needs more, which are read from Postgres.
    app.empty_redis().await;
    assert_eq!(look().await, (1_000, 1_000, true));
}
