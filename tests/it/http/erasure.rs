//! Asking for somebody to be erased, cancelling it, and the copy of one's data.

use std::io::{Cursor, Read};

use chrono::{TimeDelta, Utc};
use commands::Asked;
use domain::Context;
use domain::ids::{UserId, WorkspaceId};
use reqwest::Method;
use serde_json::json;
use tests::{Person, Team, TestApp, eventually};
use uuid::Uuid;

async fn due_at(person: &Person, position: i64) -> serde_json::Value {
    person.get_at(position, "/v1/users/me").await.expect(200)["erasure_due_at"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_waits_and_can_be_cancelled() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "2")]).await;
    let team = Team::found(&app).await;
    let asked = team.member.delete("/v1/users/me").await;
    let position = asked.position();
    asked.expect(204);
    let due = due_at(&team.member, position).await;
    let due = due.as_str().and_then(|text| text.parse::<chrono::DateTime<Utc>>().ok()).expect("a time");
    assert!((Utc::now() + TimeDelta::minutes(115)..Utc::now() + TimeDelta::minutes(121)).contains(&due), "{due}");
    team.member.delete("/v1/users/me").await.expect_problem(409, "user.erasure_requested_already");
    team.message(&team.member, team.general, "still here").await;
    let cancelled = team.member.delete("/v1/users/me/erasure").await;
    let position = cancelled.position();
    cancelled.expect(204);
    assert!(due_at(&team.member, position).await.is_null());
    team.member.delete("/v1/users/me/erasure").await.expect_problem(409, "user.erasure_not_requested");
}

#[tokio::test(flavor = "multi_thread")]
async fn they_themselves_operators_and_who_owns_all_their_workspaces_may_ask() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let erasure = |person: &Person| format!("/v1/users/{}", person.id);
    team.stranger.delete(&erasure(&team.member)).await.expect_problem(404, "user.not_found");
    team.member.delete(&erasure(&team.guest)).await.expect_problem(403, "user.erasure_not_yours");
    team.owner.delete("/v1/users/me").await.expect_problem(409, "user.erasure_of_the_last_owner");
    team.owner.delete(&erasure(&team.guest)).await.expect(204);
    team.guest.delete("/v1/users/me/erasure").await.expect_problem(403, "user.erasure_not_yours");
    team.member.delete(&format!("{}/erasure", erasure(&team.guest))).await.expect_problem(404, "user.not_found");
    team.owner.delete(&format!("{}/erasure", erasure(&team.guest))).await.expect(204);

    team.stranger.post("/v1/workspaces", json!({"name": "Other"})).await.expect(201);
    team.take_in(&team.stranger, "member").await;
    team.owner.delete(&erasure(&team.stranger)).await.expect_problem(403, "user.erasure_not_yours");
    team.operator.delete(&erasure(&team.member)).await.expect(204);
    team.operator.delete(&format!("{}/erasure", erasure(&team.member))).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_is_in_the_way_until_it_is_released() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let hold = json!({"on": {"kind": "person", "user_id": team.member.id}, "reason": "a case"});
    let held = team.owner.post(&team.path("/holds"), hold).await.expect(201);
    team.member.delete("/v1/users/me").await.expect_problem(409, "workspace.held");
    let hold_id = tests::team::id(&held, "hold_id");
    let release = team.owner.request(Method::PUT, &team.path(&format!("/holds/{hold_id}/release"))).json(&json!({"reason": "it is over"}));
    tests::person::send(release).await.expect(204);
    team.member.delete("/v1/users/me").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_refused_to_who_was_erased_from_the_answer_on() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let other_session = team.member.with_token(app.sign_in(&team.member.email).await);
    team.member.delete("/v1/users/me").await.expect(204);
    for session in [&team.member, &other_session] {
        session.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
        session.post(&team.general("/messages"), json!({"content": "boo"})).await.expect_problem(401, "auth.token_invalid");
    }
    let login = json!({"login": team.member.email, "password": tests::person::PASSWORD});
    app.post("/v1/sessions", &login).await.expect_problem(401, "session.wrong_credentials");
    // The address is free for somebody else.
    let again = json!({"email": team.member.email, "username": "somebody-else", "display_name": "E", "password": tests::person::PASSWORD});
    app.post("/v1/users", &again).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_carried_out_by_itself() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let user_id = UserId(team.member.id);
    let asked = Asked { context: Context::of(user_id, Utc::now(), Uuid::now_v7()), idempotency: None };
    let commands = &app.app().commands;
    commands.request_erasure(&asked, user_id, TimeDelta::zero(), &[WorkspaceId(team.id)]).await.expect("a request");
    eventually("they are erased", async || commands.user_state(user_id).await.expect("the user").erased).await;
    eventually("their session has ended", async || team.member.get("/v1/users/me").await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gets_all_of_ones_data_and_operators_get_everybodys() {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let team = Team::found(&app).await;
    team.member.coming_from("203.0.113.40", "Merlin/1").patch("/v1/users/me", json!({"title": "Falconer"})).await.expect(204);
    let guess = json!({"login": team.member.email, "password": "a guess"});
    team.member.coming_from("203.0.113.41", "Merlin/2").post("/v1/sessions", guess).await.expect(401);
    let suspension = format!("/v1/users/{}/suspension", team.member.id);
    team.operator.put(&suspension, json!({})).await.expect(204);
    team.operator.delete(&suspension).await.expect(204);
    let message = team.message(&team.member, team.general, "first words").await;
    team.member.patch(&format!("/v1/messages/{message}"), json!({"content": "second thoughts"})).await.expect(204);
    let theirs = team.message(&team.owner, team.general, "not theirs").await;
    let reacted = team.member.put_empty(&format!("/v1/messages/{theirs}/reactions/tada")).await;
    let position = reacted.position();
    reacted.expect(204);
    let path = format!("/v1/users/{}/export", team.member.id);
    team.owner.get(&path).await.expect_problem(403, "server.operators_only");
    for (asker, path) in [(&team.member, "/v1/users/me/export"), (&team.operator, path.as_str())] {
        let request = asker.request(Method::GET, path).header("Backscroll-Min-Position", position);
        let response = request.send().await.expect("an answer");
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
        let happened =
            ["user.registered", "session.started", "user.profile_changed", "session.refused", "user.suspended", "user.reactivated"];
        assert_eq!(types, happened);
        assert_eq!(account[0]["payload"]["user.registered"]["email"], team.member.email);
        let from = |place: usize| (account[place]["metadata"]["address"].as_str(), account[place]["metadata"]["user_agent"].as_str());
        assert_eq!((from(2), from(3)), ((Some("203.0.113.40"), Some("Merlin/1")), (Some("203.0.113.41"), Some("Merlin/2"))));
        assert_eq!((from(4), from(5)), ((None, None), (None, None)), "from where the operator came is not theirs");
        let messages = read("messages.jsonl");
        assert!(messages.contains("first words") && messages.contains("second thoughts") && !messages.contains("not theirs"), "{messages}");
        let events = read("events.jsonl");
        assert!(events.contains("message.reacted") && events.contains("tada") && !events.contains("not theirs"), "{events}");
    }
}
