//! The members of a workspace.

use serde_json::{Value, json};
use tests::{Person, Team, TestApp};

fn below(team: &Team, person: &Person, what: &str) -> String {
    team.path(&format!("/members/{}{what}", person.id))
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_a_page_at_a_time() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    let first = team.guest.get_at(position, &team.path("/members?limit=2")).await.expect(200);
    let next = first["next"].as_str().expect("a cursor to the third member");
    let second = team.guest.get(&team.path(&format!("/members?limit=2&after={next}"))).await.expect(200);
    let seen = [&first, &second]
        .into_iter()
        .flat_map(|page| page["items"].as_array().expect("rows"))
        .map(|row| row["user_id"].clone())
        .collect::<Vec<_>>();
    let mut everybody = [&team.owner, &team.member, &team.guest].map(|person| json!(person.id)).to_vec();
    everybody.sort_by_key(Value::to_string);
    assert_eq!(seen, everybody);
    assert_eq!(second.get("next"), None);

    team.guest.get(&team.path("/members?limit=0")).await.expect_problem(400, "request.query_invalid");
    team.guest.get(&team.path("/members?limit=many")).await.expect_problem(400, "request.query_invalid");
    team.guest.get(&team.path("/members?after=nonsense")).await.expect_problem(400, "request.cursor_invalid");
    team.guest.get(&team.path("/members?page=2")).await.expect_problem(400, "request.query_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_finds_users_by_their_profiles() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let changed =
        team.owner.put(&below(&team, &team.member, "/details"), json!({"title": "Astronaut", "department": "Space"})).await.position();
    let found = team.owner.get_at(changed, &team.path("/directory?q=astro")).await.expect(200);
    assert_eq!((found["items"].as_array().map(Vec::len), &found["items"][0]["user_id"]), (Some(1), &json!(team.member.id)));
    let everyone = team.owner.get(&team.path("/directory")).await.expect(200);
    assert_eq!(everyone["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(team.owner.get(&team.path("/directory?q=%25")).await.expect(200)["items"], json!([]), "no character is a wildcard");
    team.owner.get(&team.path("/directory?q=%00")).await.expect_problem(422, "input.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_with_the_permission_change_roles() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let role = below(&team, &team.guest, "/role");
    team.member.put(&role, json!({"role": "member"})).await.expect_problem(403, "access.forbidden");
    let changed = team.owner.put(&role, json!({"role": "member"})).await.position();
    assert_eq!(team.owner.get_at(changed, &below(&team, &team.guest, "")).await.expect(200)["role"], "member");
    team.owner.put(&role, json!({"role": "king"})).await.expect_problem(400, "request.body_invalid");
    team.owner.put(&below(&team, &team.owner, "/role"), json!({"role": "member"})).await.expect_problem(409, "workspace.last_owner");
    team.owner
        .put(&below(&team, &team.stranger, "/role"), json!({"role": "member"}))
        .await
        .expect_problem(404, "workspace.member_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_of_the_member_overrides_the_role() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let permissions = below(&team, &team.member, "/permissions");
    team.owner.put(&permissions, json!({"permissions": {"message.post": false, "audit.read": true}})).await.expect(200);
    team.post(&team.member, team.general, "hello").await.expect_problem(403, "access.forbidden");
    team.member.get(&team.path("/log")).await.expect(200);
    team.owner.put(&permissions, json!({"permissions": {"fly": true}})).await.expect_problem(400, "request.body_invalid");
    team.member.put(&permissions, json!({"permissions": {}})).await.expect_problem(403, "access.forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_member_sees_nothing_until_they_are_reactivated() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let deactivation = below(&team, &team.member, "/deactivation");
    team.member.put_empty(&deactivation).await.expect_problem(403, "access.forbidden");
    team.owner.put_empty(&deactivation).await.expect(200);
    team.member.get(&team.general("/messages")).await.expect_problem(404, "channel.not_found");
    team.post(&team.member, team.general, "hello").await.expect_problem(404, "channel.not_found");
    team.member.get(&team.path("")).await.expect_problem(404, "workspace.not_found");
    assert_eq!(team.member.get("/v1/workspaces").await.expect(200)["items"], json!([]));
    team.owner.put_empty(&deactivation).await.expect(200);

    team.owner.delete(&deactivation).await.expect(204);
    team.member.get(&team.path("")).await.expect(200);
    team.owner.delete(&deactivation).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_leaves_the_workspace_by_themselves_except_the_last_owner() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let me = team.path("/members/me");
    team.owner.delete(&me).await.expect_problem(409, "workspace.last_owner");
    team.stranger.delete(&me).await.expect_problem(404, "workspace.not_found");
    for person in [&team.member, &team.guest] {
        let position = person.delete(&me).await.position();
        person.get(&team.general("/messages")).await.expect_problem(404, "channel.not_found");
        team.post(person, team.general, "still here?").await.expect_problem(404, "channel.not_found");
        person.get(&team.path("")).await.expect_problem(404, "workspace.not_found");
        person.get("/v1/users/me").await.expect(200);
        let again = person.delete(&me).await;
        assert!(again.position() >= position);
        again.expect(204);
        let shown = team.owner.get_at(position, &below(&team, person, "")).await.expect(200);
        assert_eq!(shown["membership"], "deactivated");
        let query = format!("/audit?limit=100&type=workspace.member_deactivated&actor={}", person.id);
        let audit = team.owner.get_at(position, &team.path(&query)).await.expect(200);
        assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "one departure: {audit}");
    }
    // An owner who is not the last one may leave too.
    team.owner.delete(&below(&team, &team.member, "/deactivation")).await.expect(204);
    let role = json!({"role": "owner", "current_password": tests::person::PASSWORD});
    team.owner.put(&below(&team, &team.member, "/role"), role).await.expect(200);
    team.owner.delete(&me).await.expect(204);
}
