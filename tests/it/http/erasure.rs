//! Requests for the erasure of a user, cancellations, and the export of a user's data.

use std::io::{Cursor, Read};

use chrono::{TimeDelta, Utc};
use commands::event_store::{Append, Outcome, StreamWrite};
use commands::{CommandRequest, ErasureCandidates};
use domain::ids::{UserId, WorkspaceId};
use domain::{Context, StreamId, UserCommand, UserEvent};
use processes::replays::by_the_server;
use reqwest::Method;
use serde_json::json;
use tests::{Person, Team, TestApp, eventually};
use uuid::Uuid;

async fn due_at(person: &Person, position: i64) -> serde_json::Value {
    person.get_at(position, "/v1/users/me").await.expect(200)["erasure_due_at"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_delayed_and_can_be_cancelled() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "2")]).await;
    let team = Team::found(&app).await;
    let asked = team.member.delete_confirmed("/v1/users/me").await;
    let position = asked.position();
    asked.expect(204);
    let due = due_at(&team.member, position).await;
    let at = due.as_str().and_then(|text| text.parse::<chrono::DateTime<Utc>>().ok()).expect("a time");
    assert!((Utc::now() + TimeDelta::minutes(115)..Utc::now() + TimeDelta::minutes(121)).contains(&at), "{due}");
    team.member.delete_confirmed("/v1/users/me").await.expect(204);
    assert_eq!(due_at(&team.member, position).await, due, "a repeated request does not begin the waiting time anew");
    let by_operator = team.operator.delete_confirmed(&format!("/v1/users/{}", team.member.id)).await;
    by_operator.expect_problem(409, "user.erasure_requested_already");
    team.message(&team.member, team.general, "still here").await;
    let cancelled = team.member.delete("/v1/users/me/erasure").await;
    let position = cancelled.position();
    cancelled.expect(204);
    assert!(due_at(&team.member, position).await.is_null());
    team.member.delete("/v1/users/me/erasure").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_user_and_operators_may_request_an_erasure() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let erasure = |person: &Person| format!("/v1/users/{}", person.id);
    team.stranger.delete_confirmed(&erasure(&team.member)).await.expect_problem(404, "user.not_found");
    team.member.delete_confirmed(&erasure(&team.guest)).await.expect_problem(403, "user.erasure_not_yours");
    team.owner.delete_confirmed(&erasure(&team.guest)).await.expect_problem(403, "user.erasure_not_yours");
    team.owner.delete_confirmed("/v1/users/me").await.expect_problem(409, "user.erasure_of_the_last_owner");
    team.operator.delete_confirmed(&erasure(&team.guest)).await.expect(204);
    team.owner.delete(&format!("{}/erasure", erasure(&team.guest))).await.expect_problem(404, "user.not_found");
    // The user cancels the operator's request.
    team.guest.delete("/v1/users/me/erasure").await.expect(204);
    team.operator.delete_confirmed(&erasure(&team.member)).await.expect(204);
    team.operator.delete(&format!("{}/erasure", erasure(&team.member))).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_erasure_needs_the_password_of_the_caller() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let with = |person: &Person, path: &str, password: &str| {
        tests::person::send(person.request(Method::DELETE, path).json(&json!({"current_password": password})))
    };
    let member = format!("/v1/users/{}", team.member.id);
    with(&team.member, "/v1/users/me", "a guess").await.expect_problem(422, "password.wrong");
    with(&team.member, &member, "a guess").await.expect_problem(422, "password.wrong");
    with(&team.operator, &member, "a guess").await.expect_problem(422, "password.wrong");
    team.member.delete("/v1/users/me").await.expect_problem(415, "request.media_type");
    team.member.get("/v1/users/me").await.expect(200);
    team.member.delete_confirmed("/v1/users/me").await.expect(204);
    team.member.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_two_workspaces_propose_is_not_carried_out() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let proposal = team.path(&format!("/members/{}/erasure-proposal", team.member.id));
    team.stranger.put_empty(&proposal).await.expect_problem(404, "workspace.not_found");
    team.guest.put_empty(&proposal).await.expect_problem(403, "workspace.owners_only");
    team.owner.put_empty(&proposal).await.expect(204);
    team.owner.put_empty(&proposal).await.expect(204);
    let nobody = team.path(&format!("/members/{}/erasure-proposal", team.stranger.id));
    team.owner.put_empty(&nobody).await.expect_problem(404, "workspace.member_not_found");

    // A second workspace invites the member, and also an operator, and proposes their erasure as well.
    let created = team.stranger.post("/v1/workspaces", json!({"name": "Trap"})).await.expect(201);
    let trap = tests::team::id(&created, "workspace_id");
    for victim in [&team.member, &team.operator] {
        let invitation = json!({"email": victim.email, "role": "member"});
        let invited = team.stranger.post(&format!("/v1/workspaces/{trap}/invitations"), invitation).await.expect(201);
        let token = invited["token"].as_str().expect("a token").to_owned();
        victim.post(&format!("/v1/invitations/{token}/acceptance"), json!({})).await.expect(200);
        team.stranger.delete_confirmed(&format!("/v1/users/{}", victim.id)).await.expect_problem(403, "user.erasure_not_yours");
        team.stranger.put_empty(&format!("/v1/workspaces/{trap}/members/{}/erasure-proposal", victim.id)).await.expect(204);
        let user = app.app().commands.user_state(UserId(victim.id)).await.expect("the user");
        assert!(user.is_active() && user.erasure.is_none() && !user.proposals.is_empty(), "{user:?}");
    }
    let proposed = "SELECT count(*) FROM events WHERE event_type = 'user.erasure_proposed'";
    assert_eq!(sqlx::query_scalar::<_, i64>(proposed).fetch_one(&app.app().pool).await.expect("a count"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_a_workspace_requested_in_an_older_release_is_cancelled() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let user_id = UserId(team.member.id);
    let commands = &app.app().commands;
    // An older release accepted this request from an owner. No command creates such an event any more.
    let requested_by = UserId(team.owner.id);
    let event = UserEvent::ErasureRequested { requested_by, due_at: Utc::now() - TimeDelta::minutes(1) };
    let asked = by(team.owner.id);
    let write =
        StreamWrite { stream: StreamId::user(user_id), workspace_id: None, expected: 1, caused_by: None, events: vec![event.into()] };
    let metadata = asked.context.metadata("request erasure");
    let request = Append { writes: vec![write], guards: vec![], claims: vec![], idempotency: None, subject: user_id.0, metadata };
    assert!(matches!(commands.store().append(request).await, Ok(Outcome::Appended { .. })));
    eventually("the request is cancelled", async || commands.user_state(user_id).await.expect("the user").erasure.is_none()).await;
    let user = commands.user_state(user_id).await.expect("the user");
    assert!(user.is_active(), "{user:?}");
    let by = "SELECT payload #>> '{user.erasure_cancelled,cancelled_by}' FROM events WHERE event_type = 'user.erasure_cancelled'";
    let by = sqlx::query_scalar::<_, String>(by).fetch_one(&app.app().pool).await.expect("the log");
    assert_eq!(by, UserId::SYSTEM.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_request_for_erasure_is_cancelled_when_the_operator_is_suspended() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (user_id, operator) = (UserId(team.member.id), UserId(team.operator.id));
    let commands = &app.app().commands;
    commands.user(&by_the_server(None), UserId(team.stranger.id), UserCommand::MakeOperator).await.expect("another operator");
    let asked = CommandRequest { context: Context::of(operator, Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None };
    let operators = [operator, UserId(team.stranger.id)];
    let around = ErasureCandidates { workspaces: &[WorkspaceId(team.id)], operators: &operators };
    commands.request_erasure(&asked, user_id, TimeDelta::seconds(3), around).await.expect("a request");
    commands.suspend_user(&by(team.stranger.id), operator, None, &operators).await.expect("a suspension");
    eventually("the request is cancelled", async || commands.user_state(user_id).await.expect("the user").erasure.is_none()).await;
    assert!(commands.user_state(user_id).await.expect("the user").is_active());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_operator_is_neither_erased_nor_suspended() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let operator = format!("/v1/users/{}", team.operator.id);
    let suspension = format!("{operator}/suspension");
    team.operator.delete_confirmed("/v1/users/me").await.expect_problem(409, "user.last_operator");
    team.operator.delete_confirmed(&operator).await.expect_problem(409, "user.last_operator");
    team.operator.put(&suspension, json!({})).await.expect_problem(409, "user.last_operator");
    team.member.put(&suspension, json!({})).await.expect_problem(403, "server.operators_only");

    let commands = &app.app().commands;
    let made = commands.user(&by_the_server(None), UserId(team.member.id), UserCommand::MakeOperator).await.expect("another operator");
    team.member.get_at(made.position, "/v1/users/me").await.expect(200);
    // Two operators suspend each other concurrently. One of them stays.
    let (member, operator) = (UserId(team.member.id), UserId(team.operator.id));
    let operators = [member, operator];
    let (one, other) = (by(team.member.id), by(team.operator.id));
    let (first, second) =
        tokio::join!(commands.suspend_user(&one, operator, None, &operators), commands.suspend_user(&other, member, None, &operators));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let (left, gone) = if first.is_ok() { (&team.member, operator) } else { (&team.operator, member) };
    left.put(&format!("/v1/users/{}/suspension", left.id), json!({})).await.expect_problem(409, "user.last_operator");
    left.delete_confirmed("/v1/users/me").await.expect_problem(409, "user.last_operator");
    left.delete_confirmed(&format!("/v1/users/{gone}")).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_user_is_no_member_any_more_and_their_invitations_have_ended() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let admin = app.sign_up("admin").await;
    team.take_in(&admin, "admin").await;
    let invited = admin.post(&team.path("/invitations"), json!({"email": "late@example.org", "role": "admin"})).await.expect(201);
    let token = invited["token"].as_str().expect("a token").to_owned();
    admin.delete_confirmed("/v1/users/me").await.expect(204);
    let workspace = app.app().commands.workspace_state(WorkspaceId(team.id)).await.expect("the workspace");
    assert!(workspace.active_member(UserId(admin.id)).is_none() && workspace.invitations.is_empty());
    team.stranger
        .post(&format!("/v1/invitations/{token}/acceptance"), json!({}))
        .await
        .expect_problem(404, "workspace.invitation_not_found");
}

fn by(user_id: Uuid) -> CommandRequest {
    CommandRequest { context: Context::of(UserId(user_id), Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_prevents_an_erasure_until_it_is_released() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let hold = json!({"on": {"kind": "person", "user_id": team.member.id}, "reason": "a case"});
    let held = team.owner.post(&team.path("/holds"), hold).await.expect(201);
    team.member.delete_confirmed("/v1/users/me").await.expect_problem(409, "workspace.held");
    let hold_id = tests::team::id(&held, "hold_id");
    let release = team.owner.request(Method::PUT, &team.path(&format!("/holds/{hold_id}/release"))).json(&json!({"reason": "it is over"}));
    tests::person::send(release).await.expect(204);
    team.member.delete_confirmed("/v1/users/me").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_an_erased_user_is_refused_as_soon_as_the_erasure_is_answered() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let other_session = team.member.with_token(app.sign_in(&team.member.email).await);
    team.member.delete_confirmed("/v1/users/me").await.expect(204);
    for session in [&team.member, &other_session] {
        session.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
        session.post(&team.general("/messages"), json!({"content": "boo"})).await.expect_problem(401, "auth.token_invalid");
    }
    let login = json!({"login": team.member.email, "password": tests::person::PASSWORD});
    app.post("/v1/sessions", &login).await.expect_problem(401, "session.wrong_credentials");
    // Another user may register the email address.
    let again = json!({"email": team.member.email, "username": "somebody-else", "display_name": "E", "password": tests::person::PASSWORD});
    app.post("/v1/users", &again).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_is_due_is_carried_out_by_itself() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let user_id = UserId(team.member.id);
    let asked = CommandRequest { context: Context::of(user_id, Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None };
    let commands = &app.app().commands;
    let around = ErasureCandidates { workspaces: &[WorkspaceId(team.id)], operators: &[] };
    commands.request_erasure(&asked, user_id, TimeDelta::zero(), around).await.expect("a request");
    eventually("the user is erased", async || commands.user_state(user_id).await.expect("the user").erased).await;
    eventually("the user's session has ended", async || team.member.get("/v1/users/me").await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_exports_their_own_data_and_operators_export_that_of_every_user() {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let mut team = Team::found(&app).await;
    team.member.coming_from("203.0.113.40", "Merlin/1").patch("/v1/users/me", json!({"title": "Falconer"})).await.expect(200);
    let guess = json!({"login": team.member.email, "password": "a guess"});
    team.member.coming_from("203.0.113.41", "Merlin/2").post("/v1/sessions", guess).await.expect(401);
    let suspension = format!("/v1/users/{}/suspension", team.member.id);
    team.operator.put(&suspension, json!({})).await.expect(204);
    team.operator.delete(&suspension).await.expect(204);
    // The suspension has ended the user's session.
    team.member.token = app.sign_in(&team.member.email).await;
    let message = team.message(&team.member, team.general, "first words").await;
    team.member.patch(&format!("/v1/messages/{message}"), json!({"content": "second thoughts"})).await.expect(200);
    let theirs = team.message(&team.owner, team.general, "not theirs").await;
    let reacted = team.member.put_empty(&format!("/v1/messages/{theirs}/reactions/tada")).await;
    let position = reacted.position();
    reacted.expect(200);
    let path = format!("/v1/users/{}/export", team.member.id);
    team.owner.post_confirmed(&path).await.expect_problem(403, "server.operators_only");
    team.member.get("/v1/users/me/export").await.expect_problem(405, "request.method_not_allowed");
    team.member.post("/v1/users/me/export", json!({"current_password": "a guess"})).await.expect_problem(422, "password.wrong");
    team.operator.post(&path, json!({"current_password": "a guess"})).await.expect_problem(422, "password.wrong");
    for (asker, path) in [(&team.member, "/v1/users/me/export"), (&team.operator, path.as_str())] {
        let request = asker.request(Method::POST, path).header("Backscroll-Min-Position", position);
        let confirmed = json!({"current_password": tests::person::PASSWORD});
        let queued = tests::person::send(request.json(&confirmed)).await;
        let export = queued.header("location").expect("the export").to_owned();
        queued.expect(202);
        eventually("the export is ready", async || asker.get(&export).await.body["state"] == "ready").await;
        let download = asker.request(Method::POST, &format!("{export}/download")).json(&confirmed);
        let response = download.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let bytes = response.bytes().await.expect("a whole zip");
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
        let mut read = |name: &str| {
            let mut text = String::new();
            zip.by_name(name).expect("an entry").read_to_string(&mut text).expect("a text");
            text
        };
        assert!(read("profile.json").contains(&team.member.email));
        assert!(read("workspaces.json").contains("Acme"));
        assert!(read("channels.json").contains("general"));
        assert!(read("sessions.json").contains("session_id"));
        let account =
            read("account.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<serde_json::Value>>();
        let types = account.iter().map(|event| event["event_type"].as_str().expect("a type")).collect::<Vec<_>>();
        let happened = [
            "user.registered",
            "session.started",
            "user.profile_changed",
            "session.refused",
            "user.suspended",
            "user.reactivated",
            "session.started",
        ];
        // The sweep of sessions records the end of the first session later.
        let types = types.into_iter().filter(|name| *name != "session.ended").collect::<Vec<_>>();
        assert_eq!(types, happened);
        assert_eq!(account[0]["payload"]["user.registered"]["email"], team.member.email);
        let from = |place: usize| (account[place]["metadata"]["address"].as_str(), account[place]["metadata"]["user_agent"].as_str());
        assert_eq!((from(2), from(3)), ((Some("203.0.113.40"), Some("Merlin/1")), (Some("203.0.113.41"), Some("Merlin/2"))));
        assert_eq!((from(4), from(5)), ((None, None), (None, None)), "the operator's address is not the user's data");
        let messages = read("messages.jsonl");
        assert!(messages.contains("first words") && messages.contains("second thoughts") && !messages.contains("not theirs"), "{messages}");
        assert!(read("edits.jsonl").contains("first words"));
        let events = read("events.jsonl");
        assert!(events.contains("message.reacted") && events.contains("🎉") && !events.contains("not theirs"), "{events}");
    }
}
