//! Every operation of the OpenAPI document refuses callers without a session, and signed-in callers without permission.
//! A new operation fails here until it refuses strangers or is on one of the two lists. The lists must stay short.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tests::person::{PASSWORD, send};
use tests::team::id;
use tests::{Team, TestApp};
use uuid::Uuid;

/// Operations that are open to every caller.
const PUBLIC: [&str; 12] = [
    "get_checkpoint",
    "get_entries",
    "get_server",
    "get_tile",
    "healthz",
    "list_proof_keys",
    "list_unicode_emojis",
    "prove_consistency",
    "prove_inclusion",
    "readyz",
    "register_user",
    "start_session",
];

/// Operations that are open to every signed-in user: they concern only the caller.
const ONES_OWN: [&str; 14] = [
    "change_custom_status",
    "change_password",
    "change_preferences",
    "change_profile",
    "create_live_ticket",
    "create_workspace",
    "end_current_session",
    "erase_me",
    "export_me",
    "get_me",
    "keep_me",
    "list_sessions",
    "list_workspaces",
    "open_live",
];

struct Operation {
    name: String,
    method: Method,
    path: String,
    has_body: bool,
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &Value)| {
        let of_method = |(method, operation): (&String, &Value)| Operation {
            name: operation["operationId"].as_str().expect("a name").to_owned(),
            method: method.to_uppercase().parse().expect("a method"),
            path: path.clone(),
            has_body: !operation["requestBody"].is_null(),
        };
        item.as_object().expect("methods").iter().map(of_method).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// Objects that exist, by the names of the path's parameters.
async fn things(team: &Team) -> BTreeMap<&'static str, String> {
    let channel = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    let message = team.message(&team.owner, channel, "hush").await;
    team.owner.put_empty(&format!("/v1/messages/{message}/reactions/tada")).await.expect(200);
    let invited = team.owner.post(&team.path("/invitations"), json!({"email": "new@example.org"})).await.expect(201);
    let sessions = team.owner.get("/v1/sessions").await.expect(200);
    let held = team.owner.post(&team.path("/holds"), json!({"on": {"kind": "workspace"}, "reason": "a case"})).await.expect(201);
    let export = team.member.post_confirmed("/v1/users/me/export").await.expect(202);
    BTreeMap::from([
        ("export_id", id(&export, "export_id").to_string()),
        ("workspace_id", team.id.to_string()),
        ("user_id", team.member.id.to_string()),
        ("channel_id", channel.to_string()),
        ("message_id", message.to_string()),
        ("invitation_id", id(&invited, "invitation_id").to_string()),
        // A user with the token of an invitation is invited. A stranger can only guess one.
        ("token", format!("bsi_{}", "A".repeat(43))),
        ("session_id", id(&sessions["items"][0], "session_id").to_string()),
        ("emoji", "tada".to_owned()),
        ("emoji_name", "party_parrot".to_owned()),
        ("hold_id", id(&held, "hold_id").to_string()),
        ("name", "relational".to_owned()),
        ("aggregate_type", "channel".to_owned()),
        ("aggregate_id", channel.to_string()),
        ("position", "1".to_owned()),
        ("park_key", format!("workspace:{}", team.id)),
        ("view", "at_1".to_owned()),
        ("level", "0".to_owned()),
        ("index", "000".to_owned()),
    ])
}

/// A body that would be accepted from a caller with permission.
fn body(name: &str, team: &Team) -> Value {
    let user_id = team.guest.id;
    match name {
        "add_channel_member" => json!({"user_id": user_id}),
        "announce_presence" => json!({"presence": "online"}),
        "change_channel_role" | "change_member_role" => json!({"role": "admin"}),
        "change_channel_settings" => json!({"allow_threads": true, "allow_file_upload": true, "allow_external_sharing": true}),
        "change_description" | "change_purpose" | "change_topic" | "change_workspace_settings" | "suspend_user" => json!({}),
        "change_member_details" => json!({"title": "Engineer"}),
        "change_member_permissions" => json!({"permissions": {}}),
        "change_notification_level" => json!({"level": "all"}),
        "change_workspace_domain" => json!({"domain": "mine.example.org"}),
        "change_workspace_plan" => json!({"plan": "pro"}),
        "change_workspace" | "rename_channel" => json!({"name": "mine"}),
        "create_channel" => json!({"type": "public", "name": "mine"}),
        "edit_message" | "post_message" => json!({"content": "mine"}),
        "hand_over_workspace" => json!({"to": user_id, "current_password": PASSWORD}),
        "download_export" | "erase_user" | "export_user" => json!({"current_password": PASSWORD}),
        "invite" => json!({"email": "mine@example.org"}),
        "place_hold" => json!({"on": {"kind": "workspace"}, "reason": "mine"}),
        "release_hold" | "purge_message" => json!({"reason": "mine"}),
        "skip_parked" => json!({"position": 1, "reason": "mine"}),
        "start_replay" => json!({}),
        "move_read_marker" => json!({"message_id": Uuid::now_v7()}),
        other => panic!("{other} takes a body: add a valid one here"),
    }
}

/// The query string of an operation that requires parameters.
fn query(name: &str, team: &Team) -> String {
    match name {
        "list_presence" => format!("?users={}", team.member.id),
        _ => String::new(),
    }
}

fn address(path: &str, things: &BTreeMap<&str, String>) -> String {
    let filled = things.iter().fold(path.to_owned(), |path, (name, thing)| path.replace(&format!("{{{name}}}"), thing));
    assert!(!filled.contains('{'), "{path} has a parameter without an object here");
    filled
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_callers_without_a_session() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let things = things(&team).await;
    let mut open = Vec::new();
    for operation in operations(&app.get("/openapi.json").await.expect(200)) {
        let address = address(&operation.path, &things) + &query(&operation.name, &team);
        let answer = app.request(operation.method, &address, Some(&json!({}))).await;
        match answer.status.as_u16() {
            401 => drop(answer.expect_problem(401, "auth.token_missing")),
            _ => open.push(operation.name),
        }
    }
    open.sort();
    assert_eq!(open, PUBLIC);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_a_stranger() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let things = things(&team).await;
    let operations = operations(&app.get("/openapi.json").await.expect(200));
    let mut refused = 0;
    for operation in &operations {
        if PUBLIC.contains(&operation.name.as_str()) || ONES_OWN.contains(&operation.name.as_str()) {
            continue;
        }
        let address = address(&operation.path, &things) + &query(&operation.name, &team);
        let request = team.stranger.request(operation.method.clone(), &address);
        let request = if operation.has_body { request.json(&body(&operation.name, &team)) } else { request };
        let answer = send(request).await;
        assert!([403, 404].contains(&answer.status.as_u16()), "{}: {answer:?}", operation.name);
        assert!(answer.body["code"] != "request.no_such_route", "{}: {answer:?}", operation.name);
        assert!(answer.header("ratelimit").is_some(), "{} does not count towards a limit", operation.name);
        refused += 1;
    }
    assert_eq!(refused, operations.len() - PUBLIC.len() - ONES_OWN.len(), "every operation is refused or on a list");
    assert!(refused > 50, "{refused} operations were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_stranger_change_nothing() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let things = things(&team).await;
    let count = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events WHERE aggregate_type <> 'installation'")
            .fetch_one(&app.app().pool)
            .await
            .expect("a count")
    };
    let before = count().await;
    for operation in operations(&app.get("/openapi.json").await.expect(200)) {
        if operation.method != Method::GET && !PUBLIC.contains(&operation.name.as_str()) && !ONES_OWN.contains(&operation.name.as_str()) {
            let request = team.stranger.request(operation.method.clone(), &address(&operation.path, &things));
            send(if operation.has_body { request.json(&body(&operation.name, &team)) } else { request }).await;
        }
    }
    assert_eq!(count().await, before);
}
