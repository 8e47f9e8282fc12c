//! Workspaces.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::{Value, json};
use tests::person::{PASSWORD, Person, send};
use tests::team::id;
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_created_with_its_general_channel_and_its_owner() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    let mine = team.owner.get_at(position, "/v1/workspaces").await.expect(200);
    assert_eq!((mine["items"].as_array().map(Vec::len), &mine["items"][0]["name"]), (Some(1), &json!("Acme")));
    let members = team.owner.get(&team.path(&format!("/members/{}", team.owner.id))).await.expect(200);
    assert_eq!(members["role"], "owner");
    let channels = team.owner.get(&team.path("/channels")).await.expect(200);
    assert_eq!(channels["items"][0]["is_general"], true);
    assert_eq!(team.stranger.get("/v1/workspaces").await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_domain_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let body = json!({"name": "Acme", "domain": "acme.example.org"});
    ann.post("/v1/workspaces", body.clone()).await.expect(201);
    ann.post("/v1/workspaces", body).await.expect_problem(409, "workspace.domain_taken");
    ann.post("/v1/workspaces", json!({"name": "Acme", "domain": "Acme!"})).await.expect_problem(422, "input.invalid");
    ann.post("/v1/workspaces", json!({"name": "Acme", "max_members": 0})).await.expect_problem(422, "input.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_workspace_is_the_one_with_the_host_as_its_domain() {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.2")]).await;
    let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
    let create = async |name: &str, domain: &str| {
        let created = ann.post("/v1/workspaces", json!({"name": name, "domain": domain})).await;
        (created.position(), id(&created.expect(201), "workspace_id"))
    };
    let (_, acme) = create("Acme", "acme.example.org").await;
    let (position, other) = create("Other", "other.example.org").await;
    let current = |by: &Person, host: &str| {
        let request = by.request(Method::GET, "/v1/workspaces/current").header("Host", host);
        send(request.header("Backscroll-Min-Position", position))
    };
    for (host, workspace_id) in [("acme.example.org", acme), ("ACME.example.org:8443", acme), ("other.example.org.", other)] {
        assert_eq!(id(&current(&ann, host).await.expect(200), "workspace_id"), workspace_id, "{host}");
    }
    for host in ["nobody.example.org", "example.org", "127.0.0.1:8080", "acme.example.org.evil.example", "[::1]:80"] {
        current(&ann, host).await.expect_problem(404, "workspace.not_found");
    }
    // A caller who is no member learns nothing.
    let unknown = current(&bob, "nobody.example.org").await.expect(404)["detail"].clone();
    assert_eq!(current(&bob, "acme.example.org").await.expect_problem(404, "workspace.not_found")["detail"], unknown);
    app.get("/v1/workspaces/current").await.expect_problem(401, "auth.token_missing");

    // A client cannot name another host than the one that it asks, but a trusted proxy can.
    let forwarded = |client: reqwest::Client| {
        let request = client.get(format!("{}/v1/workspaces/current", app.url)).bearer_auth(&ann.token).header("Host", "10.0.0.1:8080");
        send(request.header("X-Forwarded-Host", "acme.example.org").header("Backscroll-Min-Position", position))
    };
    let from = |address: &str| reqwest::Client::builder().local_address(address.parse::<IpAddr>().ok()).build().expect("a client");
    forwarded(from("127.0.0.1")).await.expect_problem(404, "workspace.not_found");
    assert_eq!(id(&forwarded(from("127.0.0.2")).await.expect(200), "workspace_id"), acme);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_moves_and_the_current_workspace_follows_at_once() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (domain, acme) = (team.path("/domain"), json!({"domain": "acme.example.org"}));
    let current = |by: &Person, position: i64| {
        let request = by.request(Method::GET, "/v1/workspaces/current").header("Host", "acme.example.org");
        send(request.header("Backscroll-Min-Position", position))
    };
    let changed = team.owner.put(&domain, acme.clone()).await;
    let position = changed.position();
    changed.expect(204);
    let shown = current(&team.member, position).await.expect(200);
    assert_eq!((id(&shown, "workspace_id"), &shown["domain"]), (team.id, &json!("acme.example.org")));
    assert_eq!(team.owner.put(&domain, acme.clone()).await.position(), position, "the same domain is no change");

    // The domain belongs to one workspace at a time.
    let created = team.stranger.post("/v1/workspaces", json!({"name": "Other"})).await.expect(201);
    let other = format!("/v1/workspaces/{}", id(&created, "workspace_id"));
    let of_other = format!("{other}/domain");
    team.stranger.put(&of_other, acme.clone()).await.expect_problem(409, "workspace.domain_taken");
    team.owner.delete(&domain).await.expect(204);
    let position = team.stranger.put(&of_other, acme.clone()).await.position();
    assert_eq!(current(&team.stranger, position).await.expect(200)["name"], "Other");
    current(&team.owner, position).await.expect_problem(404, "workspace.not_found");
    assert_eq!(team.owner.get_at(position, &team.path("")).await.expect(200)["domain"], Value::Null);

    // An operator need not be a member. A workspace without a domain stays as it is.
    team.operator.put(&domain, json!({"domain": "acme.example.com"})).await.expect(204);
    team.operator.delete(&domain).await.expect(204);
    team.operator.delete(&domain).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_and_operators_change_a_domain() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (domain, acme) = (team.path("/domain"), json!({"domain": "acme.example.org"}));
    let role = team.path(&format!("/members/{}/role", team.member.id));
    team.owner.put(&role, json!({"role": "admin"})).await.expect(200);
    for person in [&team.member, &team.guest] {
        person.put(&domain, acme.clone()).await.expect_problem(403, "workspace.owners_only");
        person.delete(&domain).await.expect_problem(403, "workspace.owners_only");
    }
    team.stranger.put(&domain, acme.clone()).await.expect_problem(404, "workspace.not_found");
    let nowhere = format!("/v1/workspaces/{}/domain", uuid::Uuid::now_v7());
    team.operator.put(&nowhere, acme.clone()).await.expect_problem(404, "workspace.not_found");
    for invalid in ["Acme.example.org", "acme!", "", ".example.org"] {
        team.owner.put(&domain, json!({"domain": invalid})).await.expect_problem(422, "input.invalid");
    }
    team.owner.put(&domain, json!({"domain": null})).await.expect_problem(400, "request.body_invalid");
    team.owner.patch(&team.path(""), acme).await.expect_problem(400, "request.body_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_change_details_and_settings_and_members_do_not() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.owner.patch(&team.path(""), json!({"description": "We make everything"})).await.expect(200);
    team.owner.patch(&team.path(""), json!({"name": "Acme Inc."})).await.expect(200);
    let changed = team.owner.patch(&team.path("/settings"), json!({"edit_window_minutes": 5})).await;
    let position = changed.position();
    changed.expect(200);
    let shown = team.member.get_at(position, &team.path("")).await.expect(200);
    assert_eq!((&shown["name"], &shown["description"]), (&json!("Acme Inc."), &json!("We make everything")));
    assert_eq!(shown["settings"]["edit_window_minutes"], 5);
    let cleared = team.owner.patch(&team.path(""), json!({"description": null})).await.position();
    assert_eq!(team.owner.get_at(cleared, &team.path("")).await.expect(200)["description"], Value::Null);

    team.member.patch(&team.path(""), json!({"name": "Mine"})).await.expect_problem(403, "access.forbidden");
    team.member.patch(&team.path("/settings"), json!({"retention_policy": {"days": 1}})).await.expect_problem(403, "access.forbidden");
    team.stranger.patch(&team.path(""), json!({"name": "Mine"})).await.expect_problem(404, "workspace.not_found");
    team.owner
        .patch(&team.path("/settings"), json!({"retention_policy": {"days": 0}}))
        .await
        .expect_problem(422, "workspace.settings_invalid");
    team.owner.patch(&team.path("/settings"), json!({"colour": "red"})).await.expect_problem(400, "request.body_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_change_a_plan_and_they_need_not_be_members() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (plan, pro) = (team.path("/plan"), json!({"plan": "pro"}));
    let free = team.owner.get(&team.path("")).await.expect(200);
    assert_eq!(free["plan_type"], "free");
    for person in [&team.owner, &team.member, &team.guest, &team.stranger] {
        person.put(&plan, pro.clone()).await.expect_problem(403, "server.operators_only");
    }
    team.operator.get(&team.path("")).await.expect_problem(404, "workspace.not_found");
    let changed = team.operator.put(&plan, pro.clone()).await;
    let position = changed.position();
    changed.expect(204);
    assert_eq!(team.member.get_at(position, &team.path("")).await.expect(200)["plan_type"], "pro");
    team.operator.put(&plan, json!({"plan": "gold"})).await.expect_problem(400, "request.body_invalid");
    let nowhere = format!("/v1/workspaces/{}/plan", uuid::Uuid::now_v7());
    team.operator.put(&nowhere, pro).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ownership_of_a_workspace_is_transferred_to_a_member_only() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let owner = team.path("/owner");
    let to = |person: &Person, password: &str| json!({"to": person.id, "current_password": password});
    team.owner.put(&owner, to(&team.stranger, PASSWORD)).await.expect_problem(404, "workspace.member_not_found");
    team.member.put(&owner, to(&team.member, PASSWORD)).await.expect_problem(403, "access.forbidden");
    team.owner.put(&owner, json!({"to": team.member.id})).await.expect_problem(400, "request.body_invalid");
    team.owner.put(&owner, to(&team.member, "a guess")).await.expect_problem(422, "password.wrong");
    let handed = team.owner.put(&owner, to(&team.member, PASSWORD)).await.position();
    let role = |person: &Person| team.path(&format!("/members/{}", person.id));
    assert_eq!(team.member.get_at(handed, &role(&team.member)).await.expect(200)["role"], "owner");
    assert_eq!(team.member.get(&role(&team.owner)).await.expect(200)["role"], "admin");
}
