//! No user grants a permission that they lack, and no user changes a member with a higher rank. The tests repeat the
//! attacks that were found on a running server, and similar ones.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::PASSWORD;
use tests::{Person, Team, TestApp};

fn below(team: &Team, person: &Person, what: &str) -> String {
    team.path(&format!("/members/{}{what}", person.id))
}

async fn grant(team: &Team, person: &Person, permissions: Value) {
    team.owner.put(&below(team, person, "/permissions"), json!({"permissions": permissions})).await.expect(200);
}

async fn invite(team: &Team, by: &Person, role: &str) -> Answer {
    let email = format!("{}@example.org", uuid::Uuid::now_v7());
    by.post(&team.path("/invitations"), json!({"email": email, "role": role})).await
}

fn acceptance(invited: &Value) -> String {
    format!("/v1/invitations/{}/acceptance", invited["token"].as_str().expect("a token"))
}

/// A team with an admin.
async fn with_admin(app: &TestApp) -> (Team, Person) {
    let team = Team::found(app).await;
    let admin = app.sign_up("admin").await;
    team.take_in(&admin, "admin").await;
    (team, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_manages_members_cannot_raise_themselves_or_demote_an_admin() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    grant(&team, &team.member, json!({"member.manage": true})).await;
    let manager = &team.member;
    for person in [manager, &team.guest] {
        manager.put(&below(&team, person, "/role"), json!({"role": "admin"})).await.expect_problem(403, "workspace.role_beyond_own");
    }
    let owner = json!({"role": "owner", "current_password": PASSWORD});
    manager.put(&below(&team, manager, "/role"), owner).await.expect_problem(403, "workspace.owners_only");
    for (person, code) in [(&admin, "workspace.rank_above_own"), (&team.owner, "workspace.owners_only")] {
        manager.put(&below(&team, person, "/role"), json!({"role": "guest"})).await.expect_problem(403, code);
        manager.put(&below(&team, person, "/permissions"), json!({"permissions": {"message.post": false}})).await.expect_problem(403, code);
        manager.put(&below(&team, person, "/details"), json!({"title": "Fool"})).await.expect_problem(403, code);
        manager.put_empty(&below(&team, person, "/deactivation")).await.expect_problem(403, code);
    }
    let beyond = json!({"permissions": {"member.manage": true, "audit.read": true}});
    for person in [manager, &team.guest] {
        manager.put(&below(&team, person, "/permissions"), beyond.clone()).await.expect_problem(403, "workspace.permission_beyond_own");
    }
    // Only an admin may reactivate a deactivated admin. The manager is a member.
    team.owner.put_empty(&below(&team, &admin, "/deactivation")).await.expect(200);
    manager.delete(&below(&team, &admin, "/deactivation")).await.expect_problem(403, "workspace.rank_above_own");
    // The admin has this permission by role. A permission that they granted to themselves would outlive the role.
    let outright = json!({"permissions": {"audit.read": true}});
    team.owner.delete(&below(&team, &admin, "/deactivation")).await.expect(204);
    admin.put(&below(&team, &admin, "/permissions"), outright).await.expect_problem(403, "workspace.permission_to_oneself");
    // The manager may change members of a lower rank.
    manager.put(&below(&team, &team.guest, "/role"), json!({"role": "member"})).await.expect(200);
    manager.put_empty(&below(&team, &team.guest, "/deactivation")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_may_invite_invites_guests_only() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    grant(&team, &team.guest, json!({"member.invite": true})).await;
    for role in ["admin", "member"] {
        invite(&team, &team.guest, role).await.expect_problem(403, "workspace.role_beyond_own");
    }
    let invited = invite(&team, &team.guest, "guest").await.expect(201);
    team.stranger.post(&acceptance(&invited), json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_who_may_not_read_the_audit_invites_nobody_who_may() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    grant(&team, &admin, json!({"audit.read": false})).await;
    invite(&team, &admin, "admin").await.expect_problem(403, "workspace.permission_beyond_own");
    admin.put(&below(&team, &team.member, "/role"), json!({"role": "admin"})).await.expect_problem(403, "workspace.permission_beyond_own");
    admin
        .put(&below(&team, &admin, "/permissions"), json!({"permissions": {}}))
        .await
        .expect_problem(403, "workspace.permission_beyond_own");
    // A second account of the admin gets no more permissions, neither at once nor in steps.
    let invited = invite(&team, &admin, "member").await.expect(201);
    team.stranger.post(&acceptance(&invited), json!({})).await.expect(200);
    team.stranger.get(&team.path("/audit")).await.expect_problem(403, "access.forbidden");
    let second = below(&team, &team.stranger, "/role");
    admin.put(&second, json!({"role": "admin"})).await.expect_problem(403, "workspace.permission_beyond_own");
    let denied = json!({"permissions": {"audit.read": false}});
    admin.put(&below(&team, &team.stranger, "/permissions"), denied).await.expect(200);
    admin.put(&second, json!({"role": "admin"})).await.expect(200);
    let lifted = json!({"permissions": {}});
    for by in [&admin, &team.stranger] {
        by.put(&below(&team, &team.stranger, "/permissions"), lifted.clone()).await.expect_problem(403, "workspace.permission_beyond_own");
        by.get(&team.path("/audit")).await.expect_problem(403, "access.forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_cannot_deactivate_an_admin_with_more_permissions() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    team.take_in(&team.stranger, "admin").await;
    grant(&team, &admin, json!({"audit.read": false})).await;
    admin.put_empty(&below(&team, &team.stranger, "/deactivation")).await.expect_problem(403, "workspace.rank_above_own");
    team.stranger.put_empty(&below(&team, &admin, "/deactivation")).await.expect(200);
    // A reactivated member gets their former permissions again. So the caller needs these permissions.
    grant(&team, &team.member, json!({"compliance.read": true})).await;
    team.stranger.put_empty(&below(&team, &team.member, "/deactivation")).await.expect(200);
    team.stranger.delete(&below(&team, &team.member, "/deactivation")).await.expect_problem(403, "workspace.permission_beyond_own");
    team.owner.delete(&below(&team, &team.member, "/deactivation")).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invitations_of_an_admin_end_with_their_membership_for_good() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    let kept = json!({"email": "me-again@example.org", "role": "admin"});
    let invited = admin.post_once("one-key", &team.path("/invitations"), kept.clone()).await.expect(201);
    let shut_out = team.owner.put_empty(&below(&team, &admin, "/deactivation")).await;
    let position = shut_out.position();
    shut_out.expect(200);
    let listed = team.owner.get_at(position, &team.path("/invitations")).await.expect(200);
    assert_eq!(listed["items"], json!([]), "the list has no invitation any more");
    team.stranger.post(&acceptance(&invited), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    admin.post(&acceptance(&invited), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    // The inviter is reactivated, but the invitation stays revoked, even when the same request is repeated.
    team.owner.delete(&below(&team, &admin, "/deactivation")).await.expect(204);
    team.stranger.post(&acceptance(&invited), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    let again = admin.post_once("one-key", &team.path("/invitations"), kept).await.expect(201);
    team.stranger.post(&acceptance(&again), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    let anew = invite(&team, &admin, "admin").await.expect(201);
    team.stranger.post(&acceptance(&anew), json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_when_its_inviter_loses_the_rank_or_the_permissions_for_it() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    let (as_admin, as_guest) = (invite(&team, &admin, "admin").await.expect(201), invite(&team, &admin, "guest").await.expect(201));
    grant(&team, &admin, json!({"audit.read": false})).await;
    team.stranger.post(&acceptance(&as_admin), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    team.owner.put(&below(&team, &admin, "/role"), json!({"role": "member"})).await.expect(200);
    team.stranger.post(&acceptance(&as_guest), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_invalid_while_its_inviter_is_suspended() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    let invited = invite(&team, &admin, "member").await.expect(201);
    let suspension = format!("/v1/users/{}/suspension", admin.id);
    team.operator.put(&suspension, json!({})).await.expect(204);
    team.stranger.post(&acceptance(&invited), json!({})).await.expect_problem(409, "workspace.invitation_ended");
    team.operator.delete(&suspension).await.expect(204);
    team.stranger.post(&acceptance(&invited), json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_acceptance_and_demotion_of_the_inviter_run_one_after_the_other() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    for round in 0..8 {
        let invited = invite(&team, &admin, "admin").await.expect(201);
        let newcomer = app.sign_up(&format!("newcomer{round}")).await;
        let (accept, role) = (acceptance(&invited), below(&team, &admin, "/role"));
        let (accepted, demoted) = tokio::join!(newcomer.post(&accept, json!({})), team.owner.put(&role, json!({"role": "member"})));
        if accepted.status == 200 {
            assert!(accepted.position() < demoted.position(), "{accepted:?} {demoted:?}");
        } else {
            accepted.expect_problem(404, "workspace.invitation_not_found");
        }
        demoted.expect(200);
        team.owner.put(&role, json!({"role": "admin"})).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_owner_stays_when_two_step_down_concurrently() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let owner = json!({"role": "owner", "current_password": PASSWORD});
    team.owner.put(&below(&team, &team.member, "/role"), json!({"role": "owner"})).await.expect_problem(422, "password.required");
    let guess = json!({"role": "owner", "current_password": "a guess"});
    team.owner.put(&below(&team, &team.member, "/role"), guess).await.expect_problem(422, "password.wrong");
    team.owner.put(&below(&team, &team.member, "/role"), owner).await.expect(200);
    let down = |person| (below(&team, person, "/role"), json!({"role": "member"}));
    let ((first, body), (second, _)) = (down(&team.owner), down(&team.member));
    let (one, other) = tokio::join!(team.owner.put(&first, body.clone()), team.member.put(&second, body.clone()));
    let refused = if one.status == 200 { other } else { one };
    refused.expect_problem(409, "workspace.last_owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_member_of_lower_rank_removes_or_demotes_a_member_of_a_channel() {
    let app = TestApp::start().await;
    let (team, admin) = with_admin(&app).await;
    let channel = team.channel(&team.member, "private", "ours", &[&team.owner, &admin, &team.guest]).await;
    let there = |person: &Person, what: &str| format!("/v1/channels/{channel}/members/{}{what}", person.id);
    // A member of the workspace is the channel's admin. They may make members of any rank admins of the channel, and
    // may remove members that do not have a higher rank.
    for person in [&team.owner, &admin, &team.guest] {
        team.member.put(&there(person, "/role"), json!({"role": "admin"})).await.expect(200);
    }
    for (person, code) in [(&admin, "workspace.rank_above_own"), (&team.owner, "workspace.owners_only")] {
        for by in [&team.member, &team.guest] {
            by.delete(&there(person, "")).await.expect_problem(403, code);
            by.put(&there(person, "/role"), json!({"role": "member"})).await.expect_problem(403, code);
        }
    }
    team.guest.delete(&there(&team.member, "")).await.expect_problem(403, "workspace.rank_above_own");
    // A guest who is a channel's admin still lacks the workspace's permission to add members.
    let members = format!("/v1/channels/{channel}/members");
    team.guest.post(&members, json!({"user_id": team.member.id})).await.expect_problem(403, "access.forbidden");
    team.member.put(&there(&team.guest, "/role"), json!({"role": "member"})).await.expect(200);
    team.guest.put(&there(&team.guest, "/role"), json!({"role": "admin"})).await.expect_problem(403, "channel.admins_only");
    team.member.delete(&there(&team.guest, "")).await.expect(204);

    // A member with the permission to manage channels is limited by their rank, too.
    grant(&team, &team.guest, json!({"channel.manage": true, "channel.browse": true})).await;
    let open = team.channel(&team.owner, "public", "open", &[&team.member]).await;
    let member = format!("/v1/channels/{open}/members/{}", team.member.id);
    team.guest.delete(&member).await.expect_problem(403, "workspace.rank_above_own");
    team.guest.delete(&format!("/v1/channels/{channel}/members/{}", team.member.id)).await.expect_problem(404, "channel.not_found");
    team.owner.delete(&member).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_owner_grants_no_more_than_an_admin() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    grant(&team, &team.owner, json!({"audit.read": false})).await;
    let invited = invite(&team, &team.owner, "admin").await.expect(201);
    team.owner.put(&team.path("/owner"), json!({"to": team.member.id, "current_password": PASSWORD})).await.expect(200);
    team.stranger.post(&acceptance(&invited), json!({})).await.expect_problem(404, "workspace.invitation_not_found");
    let owner = json!({"role": "owner", "current_password": PASSWORD});
    team.owner.put(&below(&team, &team.owner, "/role"), owner).await.expect_problem(403, "workspace.owners_only");
    team.owner.put_empty(&below(&team, &team.member, "/deactivation")).await.expect_problem(403, "workspace.owners_only");
    team.owner
        .put(&below(&team, &team.owner, "/permissions"), json!({"permissions": {}}))
        .await
        .expect_problem(403, "workspace.permission_beyond_own");
}
