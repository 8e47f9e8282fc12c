//! Accounts: profiles, preferences, sessions, suspensions and erasures.

use chrono::{TimeDelta, Utc};
use commands::{CommandRequest, ErasureCandidates};
use domain::ids::UserId;
use domain::{Context, UserCommand};
use processes::replays::by_the_server;
use serde_json::json;
use uuid::Uuid;

use super::Company;
use crate::TestApp;
use crate::person::PASSWORD;

pub(super) async fn change_profiles(app: &TestApp, company: &Company) {
    for (n, person) in company.crew.iter().enumerate() {
        let profile =
            json!({"title": format!("Sailor of berth {n}"), "phone": format!("+49 40 5550{n:03}"), "bio": "Was here before the new pier."});
        person.patch("/v1/users/me", profile).await.expect(200);
    }
    let owner = &company.team.owner;
    owner.patch("/v1/users/me", json!({"pronouns": "she/her", "avatar_url": "https://ferry.example.org/mara.png"})).await.expect(200);
    let preferences = json!({"language": "da", "timezone": "Europe/Copenhagen", "notification_settings": {"sounds": false}});
    owner.patch("/v1/users/me/preferences", preferences).await.expect(200);
    let expires_at = Utc::now() + TimeDelta::days(1);
    owner.put("/v1/users/me/custom-status", json!({"text": "on the bridge", "emoji": "ferry", "expires_at": expires_at})).await.expect(200);
    company.team.guest.put("/v1/users/me/custom-status", json!({"text": "seasick"})).await.expect(200);
    let nobody_said = app.get("/v1/users/me").await;
    nobody_said.expect(401);
}

/// Starts sessions, refuses some, and ends sessions in every way except by expiry.
pub(super) async fn sign_in_and_out(app: &TestApp, company: &Company) {
    let owner = &company.team.owner;
    let with_device = json!({"login": owner.email, "password": PASSWORD, "device_type": "wheelhouse tablet"});
    app.post("/v1/sessions", &with_device).await.expect(201);
    for person in &company.crew {
        let again = person.with_token(app.sign_in(&person.username).await);
        again.delete("/v1/sessions/current").await.expect(204);
    }
    app.post("/v1/sessions", &json!({"login": owner.email, "password": "not the password"})).await.expect(401);
    app.post("/v1/sessions", &json!({"login": "nobody@example.org", "password": PASSWORD})).await.expect(401);
    let guest = &company.team.guest;
    app.sign_in(&guest.email).await;
    let change = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
    guest.put("/v1/users/me/password", change).await.expect(204);
}

/// Suspends a user and ends the suspension. A second user asks for erasure and cancels it. A third user is erased.
pub(super) async fn lock_out_and_erase(app: &TestApp, company: &Company) {
    let operator = &company.team.operator;
    let locked_out = company.sailor(9);
    let suspension = format!("/v1/users/{}/suspension", locked_out.id);
    operator.put(&suspension, json!({"reason": "lost the keys of the harbour office"})).await.expect(204);
    app.post("/v1/sessions", &json!({"login": locked_out.email, "password": PASSWORD})).await.expect_problem(403, "user.not_active");
    operator.delete(&suspension).await.expect(204);

    // This server erases at once. So the test requests this erasure without HTTP, with time to cancel it.
    let hesitant = company.sailor(10);
    let user_id = UserId(hesitant.id);
    let workspaces = app.app().erasures().affiliations(user_id).await.expect("their workspaces").workspaces;
    let asked = CommandRequest { context: Context::of(user_id, Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None };
    app.app()
        .commands
        .request_erasure(&asked, user_id, TimeDelta::days(30), ErasureCandidates { workspaces: &workspaces, operators: &[] })
        .await
        .expect("a request");
    hesitant.delete("/v1/users/me/erasure").await.expect(204);

    appoint_and_dismiss(app, company).await;
    company.sailor(11).delete_confirmed("/v1/users/me").await.expect(204);
}

/// Makes two users operators, and one of them an ordinary user again, who gets a new password.
async fn appoint_and_dismiss(app: &TestApp, company: &Company) {
    let (stays, leaves) = (UserId(company.sailor(5).id), UserId(company.sailor(6).id));
    let (commands, asked) = (&app.app().commands, by_the_server(None));
    for user_id in [stays, leaves] {
        commands.user(&asked, user_id, UserCommand::MakeOperator).await.expect("an operator");
    }
    commands.remove_operator(&asked, leaves, &[stays]).await.expect("an ordinary user");
    commands.user(&asked, leaves, UserCommand::ResetPassword).await.expect("a record of a reset");
}
