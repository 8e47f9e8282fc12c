//! Legal holds.

use serde_json::{Value, json};
use tests::team::id;
use tests::{Team, TestApp};
use uuid::Uuid;

fn on_channel(channel_id: Uuid) -> Value {
    json!({"on": {"kind": "channel", "channel_id": channel_id}, "reason": "Case 1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_and_members_with_the_permission_place_list_and_release_holds() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let holds = team.path("/holds");
    let placed = id(&team.owner.post(&holds, on_channel(team.general)).await.expect(201), "hold_id");
    let shown = team.owner.get(&holds).await.expect(200);
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["items"][0]["on"], json!({"kind": "channel", "channel_id": team.general}));
    assert_eq!((&shown["items"][0]["reason"], id(&shown["items"][0], "placed_by")), (&json!("Case 1"), team.owner.id));

    let permissions = team.path(&format!("/members/{}/permissions", team.member.id));
    team.owner.put(&permissions, json!({"permissions": {"holds.manage": true}})).await.expect(200);
    let release = team.path(&format!("/holds/{placed}/release"));
    team.member.put(&release, json!({"reason": "closed"})).await.expect(204);
    team.member.put(&release, json!({"reason": "closed"})).await.expect(204);
    assert_eq!(team.member.get(&holds).await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_admins_may_not_place_or_release_holds() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let holds = team.path("/holds");
    let placed = id(&team.owner.post(&holds, on_channel(team.general)).await.expect(201), "hold_id");
    team.owner.put(&team.path(&format!("/members/{}/role", team.member.id)), json!({"role": "admin"})).await.expect(200);
    let release = team.path(&format!("/holds/{placed}/release"));
    for person in [&team.member, &team.guest] {
        person.post(&holds, on_channel(team.general)).await.expect_problem(403, "access.forbidden");
        person.get(&holds).await.expect_problem(403, "access.forbidden");
        person.put(&release, json!({"reason": "mine"})).await.expect_problem(403, "access.forbidden");
    }
    team.stranger.post(&holds, on_channel(team.general)).await.expect_problem(404, "workspace.not_found");
    assert_eq!(team.owner.get(&holds).await.expect(200)["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_needs_a_target_in_the_workspace_and_a_reason() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let holds = team.path("/holds");
    let elsewhere = team.stranger.post("/v1/workspaces", json!({"name": "Elsewhere"})).await.expect(201);
    let channels = format!("/v1/workspaces/{}/channels", id(&elsewhere, "workspace_id"));
    let theirs = id(&team.stranger.post(&channels, json!({"type": "public", "name": "theirs"})).await.expect(201), "channel_id");
    for channel in [theirs, Uuid::now_v7()] {
        team.owner.post(&holds, on_channel(channel)).await.expect_problem(404, "workspace.hold_target_not_found");
    }
    let person = |user_id: Uuid| json!({"on": {"kind": "person", "user_id": user_id}, "reason": "Case 2"});
    team.owner.post(&holds, person(team.stranger.id)).await.expect_problem(404, "workspace.hold_target_not_found");
    team.owner.post(&holds, person(team.guest.id)).await.expect(201);
    team.owner.post(&holds, json!({"on": {"kind": "workspace"}, "reason": " "})).await.expect_problem(422, "input.invalid");
    team.owner.post(&holds, json!({"on": {"kind": "galaxy"}, "reason": "all"})).await.expect_problem(400, "request.body_invalid");
}
