//! Invitations.

use serde_json::json;
use tests::person::PASSWORD;
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_once() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let invited = app.sign_up("invited").await;
    let token = team.invite(&invited.email, "member").await;
    let acceptance = format!("/v1/invitations/{token}/acceptance");

    let accepted = invited.post(&acceptance, json!({})).await;
    let position = accepted.position();
    assert_eq!(accepted.expect(200)["workspace_id"], json!(team.id));
    invited.get_at(position, &team.general("/messages")).await.expect(200);
    team.post(&invited, team.general, "thank you").await.expect(201);
    for person in [&invited, &team.stranger] {
        person.post(&acceptance, json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_server_registers_people_with_and_without_an_invitation() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let token = team.invite("new@example.org", "member").await;
    let register = async |name: &str, token: Option<&str>| {
        let email = format!("{name}@example.org");
        let body = json!({"email": email, "username": name, "display_name": name, "password": PASSWORD, "invitation_token": token});
        app.post("/v1/users", &body).await
    };
    // The token is for servers that need one. Here another address may register, and accept the invitation.
    let of_nobody = format!("bsi_{}", "A".repeat(43));
    for (name, token) in [("one", Some(token.as_str())), ("two", Some(of_nobody.as_str())), ("three", None)] {
        register(name, token).await.expect(201);
    }
    // What cannot be a token is a mistake of the client, as the document says.
    for wrong in ["nonsense", &token[..46]] {
        register("four", Some(wrong)).await.expect_problem(404, "workspace.invitation_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_listed_and_revoked() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let invited = team.owner.post(&team.path("/invitations"), json!({"email": team.stranger.email})).await;
    let position = invited.position();
    let invited = invited.expect(201);
    let listed = team.owner.get_at(position, &team.path("/invitations")).await.expect(200);
    assert_eq!(listed["items"][0]["invitation_id"], invited["invitation_id"]);
    assert!(!listed.to_string().contains("bsi_"), "only the inviter sees the token");
    team.member.get(&team.path("/invitations")).await.expect_problem(403, "access.forbidden");

    let one = team.path(&format!("/invitations/{}", invited["invitation_id"].as_str().expect("an invitation")));
    team.member.delete(&one).await.expect_problem(403, "access.forbidden");
    team.owner.delete(&one).await.expect(204);
    let acceptance = format!("/v1/invitations/{}/acceptance", invited["token"].as_str().expect("a token"));
    team.stranger.post(&acceptance, json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    team.owner.delete(&one).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_invitation_is_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let invitations = team.path("/invitations");
    team.owner.post(&invitations, json!({"email": "nowhere"})).await.expect_problem(422, "input.invalid");
    let past = json!({"email": "a@example.org", "expires_at": "2001-01-01T00:00:00Z"});
    team.owner.post(&invitations, past).await.expect_problem(422, "workspace.invitation_expiry_invalid");
    team.owner
        .post(&invitations, json!({"email": "a@example.org", "role": "owner"}))
        .await
        .expect_problem(422, "workspace.owner_not_invited");
    team.member.post(&invitations, json!({"email": "a@example.org"})).await.expect_problem(403, "access.forbidden");
    team.stranger.post("/v1/invitations/nonsense/acceptance", json!({})).await.expect_problem(404, "workspace.invitation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_returns_the_same_token() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let body = json!({"email": "a@example.org", "role": "guest"});
    let first = team.owner.post_once("invite-1", &team.path("/invitations"), body.clone()).await.expect(201);
    let second = team.owner.post_once("invite-1", &team.path("/invitations"), body).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(second.expect(201), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_and_a_former_member_are_not_invited() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let invitations = team.path("/invitations");
    let invite = |email: &str| json!({"email": email});
    team.owner.post(&invitations, invite(&team.member.email)).await.expect_problem(409, "workspace.invited_member");
    team.owner.post(&invitations, invite(&team.member.email.to_uppercase())).await.expect_problem(409, "workspace.invited_member");
    team.owner.post(&invitations, invite(&team.owner.email)).await.expect_problem(409, "workspace.invited_member");
    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.member.id))).await.expect(200);
    team.owner.post(&invitations, invite(&team.member.email)).await.expect_problem(409, "workspace.invited_deactivated");
    team.guest.delete(&team.path("/members/me")).await.expect(204);
    team.owner.post(&invitations, invite(&team.guest.email)).await.expect_problem(409, "workspace.invited_deactivated");

    // An account elsewhere on the server, and no account at all, look alike. Without the permission, nothing is told.
    team.owner.post(&invitations, invite(&team.stranger.email)).await.expect(201);
    team.owner.post(&invitations, invite("nobody@example.org")).await.expect(201);
    team.stranger.post(&invitations, invite(&team.member.email)).await.expect_problem(404, "workspace.not_found");
}
