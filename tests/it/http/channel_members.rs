//! The members of a channel.

use serde_json::json;
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_joins_and_leaves_a_public_channel() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[]).await;
    let membership = format!("/v1/channels/{channel}/membership");
    team.post(&team.member, channel, "hello").await.expect_problem(403, "channel.not_a_member");
    team.member.put_empty(&membership).await.expect(200);
    team.member.put_empty(&membership).await.expect(200);
    let position = team.post(&team.member, channel, "hello").await.position();
    let members = team.member.get_at(position, &format!("/v1/channels/{channel}/members")).await.expect(200);
    assert_eq!(members["items"].as_array().map(Vec::len), Some(2));
    team.member.delete(&membership).await.expect(204);
    team.member.delete(&membership).await.expect(204);
    team.post(&team.member, channel, "hello").await.expect_problem(403, "channel.not_a_member");
    team.guest.put_empty(&membership).await.expect_problem(404, "channel.not_found");
    team.member.delete(&team.general("/membership")).await.expect_problem(409, "channel.general_stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_added_and_removed_and_a_removal_is_effective_at_once() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "private", "secret", &[]).await;
    let members = format!("/v1/channels/{channel}/members");
    team.owner.post(&members, json!({"user_id": team.guest.id})).await.expect(200);
    team.owner.post(&members, json!({"user_id": team.guest.id})).await.expect_problem(409, "channel.member_already");
    team.owner.post(&members, json!({"user_id": team.stranger.id})).await.expect_problem(409, "workspace.not_a_member");
    team.guest.post(&members, json!({"user_id": team.member.id})).await.expect_problem(403, "access.forbidden");
    team.guest.get(&format!("/v1/channels/{channel}/messages")).await.expect(200);

    let guest = format!("{members}/{}", team.guest.id);
    team.guest.delete(&format!("{members}/{}", team.owner.id)).await.expect_problem(403, "channel.admins_only");
    team.owner.delete(&guest).await.expect(204);
    team.guest.get(&format!("/v1/channels/{channel}/messages")).await.expect_problem(404, "channel.not_found");
    team.post(&team.guest, channel, "still here?").await.expect_problem(404, "channel.not_found");
    team.owner.delete(&guest).await.expect(204);
    team.owner.delete(&format!("{members}/{}", team.stranger.id)).await.expect_problem(404, "workspace.member_not_found");
    team.owner.delete(&format!("{members}/{}", team.owner.id)).await.expect_problem(409, "channel.leave_instead");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_notification_levels_are_changed() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[&team.member]).await;
    let role = format!("/v1/channels/{channel}/members/{}/role", team.member.id);
    let level = format!("/v1/channels/{channel}/notification-level");
    team.member.put(&role, json!({"role": "admin"})).await.expect_problem(403, "channel.admins_only");
    team.owner.put(&role, json!({"role": "admin"})).await.expect(200);
    let position = team.member.put(&level, json!({"level": "mentions"})).await.position();
    let members = team.owner.get_at(position, &format!("/v1/channels/{channel}/members")).await.expect(200);
    let member = members["items"].as_array().expect("rows").iter().find(|row| row["user_id"] == json!(team.member.id)).expect("the member");
    assert_eq!((&member["role"], &member["notification_level"]), (&json!("admin"), &json!("mentions")));
    team.member.put(&level, json!({"level": "loud"})).await.expect_problem(400, "request.body_invalid");
    team.guest.put(&level, json!({"level": "all"})).await.expect_problem(404, "channel.not_found");
}
