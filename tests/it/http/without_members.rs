//! Channels that nobody is in: an owner lists, adopts, renames and archives them.

use serde_json::{Value, json};
use tests::{Team, TestApp};
use uuid::Uuid;

fn below(channel: Uuid, what: &str) -> String {
    format!("/v1/channels/{channel}{what}")
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("rows").iter().map(|row| row["name"].as_str().expect("a name")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_lists_and_adopts_a_private_channel_that_everybody_has_left() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let left = team.channel(&team.member, "private", "left", &[]).await;
    let kept = team.channel(&team.member, "private", "kept", &[]).await;
    let list = team.path("/channels?scope=without_members");
    let position = team.member.delete(&below(left, "/membership")).await.position();

    team.member.get(&list).await.expect_problem(403, "channel.owners_only");
    assert_eq!(names(&team.owner.get_at(position, &list).await.expect(200)), ["left"]);
    team.owner.get(&below(left, "/messages")).await.expect_problem(404, "channel.not_found");
    team.member.put_empty(&below(left, "/adoption")).await.expect_problem(404, "channel.not_found");
    team.owner.put_empty(&below(kept, "/adoption")).await.expect_problem(404, "channel.not_found");
    let open = team.channel(&team.member, "public", "open", &[]).await;
    team.owner.put_empty(&below(open, "/adoption")).await.expect_problem(409, "channel.not_without_members");
    team.member.put_empty(&team.general("/adoption")).await.expect_problem(403, "channel.owners_only");

    team.owner.put_empty(&below(left, "/adoption")).await.expect(200);
    let position = team.owner.put_empty(&below(left, "/adoption")).await.position();
    assert_eq!(team.owner.get_at(position, &list).await.expect(200)["items"], json!([]));
    let members = team.owner.get(&below(left, "/members")).await.expect(200);
    assert_eq!((&members["items"][0]["user_id"], &members["items"][0]["role"]), (&json!(team.owner.id), &json!("admin")));
    team.owner.post(&below(left, "/members"), json!({"user_id": team.member.id})).await.expect(200);

    let audit = team.owner.get_at(position, &team.path("/audit?limit=100&type=channel.member_joined")).await;
    assert!(audit.expect(200).to_string().contains(&left.to_string()), "the adoption is in the audit");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_renames_and_archives_a_channel_whose_members_have_left_the_workspace() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "private", "plans", &[]).await;
    let conversation = team.member.post(&team.path("/channels"), json!({"type": "dm", "members": []})).await;
    conversation.expect(201);
    for path in ["/name", "/archived"] {
        team.owner.put(&below(channel, path), json!({"name": "old-plans"})).await.expect_problem(404, "channel.not_found");
    }
    let position = team.member.delete(&team.path("/members/me")).await.position();
    let listed = team.owner.get_at(position, &team.path("/channels?scope=without_members")).await.expect(200);
    assert_eq!(names(&listed), ["plans"], "conversations are never listed");
    team.owner.put(&below(channel, "/name"), json!({"name": "old-plans"})).await.expect(200);
    team.owner.put_empty(&below(channel, "/archived")).await.expect(200);
    team.channel(&team.owner, "public", "plans", &[]).await;
    team.owner.put_empty(&below(channel, "/adoption")).await.expect(200);
    team.owner.delete(&below(channel, "/archived")).await.expect(204);

    // The member comes back, and is in the channel as before.
    team.owner.delete(&team.path(&format!("/members/{}/deactivation", team.member.id))).await.expect(204);
    team.member.get(&below(channel, "/messages")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_of_a_channel_names_another_one_before_they_go() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "private", "plans", &[&team.guest, &team.owner]).await;
    let role = |person: Uuid| below(channel, &format!("/members/{person}/role"));
    team.member.delete(&below(channel, "/membership")).await.expect_problem(409, "channel.last_admin");
    team.member.put(&role(team.member.id), json!({"role": "member"})).await.expect_problem(409, "channel.last_admin");
    let removal = below(channel, &format!("/members/{}", team.member.id));
    team.owner.delete(&removal).await.expect_problem(409, "channel.last_admin");
    team.guest.delete(&below(channel, "/membership")).await.expect(204);

    team.member.put(&role(team.owner.id), json!({"role": "admin"})).await.expect(200);
    team.member.delete(&below(channel, "/membership")).await.expect(204);
    team.owner.delete(&below(channel, "/membership")).await.expect(204);
}
