//! Users, workspaces and registration from the command line, with the real binary.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tests::person::{PASSWORD, Person, send};
use tests::{TestApp, program};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// A password that no test user has at first.
const NEW_PASSWORD: &str = "violet anchor pancake";

/// The environment of the commands: the test's, with a user of the operating system.
fn environment(app: &TestApp) -> BTreeMap<String, String> {
    let mut environment = app.environment.clone();
    environment.insert("USER".into(), "otto".into());
    environment
}

/// Runs a command whose standard input is `input`. Returns its exit code, its output and its errors.
async fn run(app: &TestApp, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::from(program::command(arguments, &environment(app)));
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("its input");
    // A command that reads no input may have ended already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("its end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs a command that must succeed, and returns its output.
async fn done(app: &TestApp, arguments: &str) -> String {
    done_with(app, &arguments.split(' ').collect::<Vec<_>>(), "").await
}

async fn done_with(app: &TestApp, arguments: &[&str], input: &str) -> String {
    let (code, out, error) = run(app, arguments, input).await;
    assert_eq!(code, Some(0), "{arguments:?}: {out}{error}");
    out
}

/// Registers a user with [`PASSWORD`], and returns the identifier and the rest of the output.
async fn add_user(app: &TestApp, name: &str) -> (Uuid, String) {
    let email = format!("{name}@example.org");
    let said = done_with(app, &["users", "add", "--email", &email, "--username", name, "--password-stdin"], PASSWORD).await;
    let (id, rest) = said.split_once(' ').expect("an identifier first");
    (id.parse().expect("an identifier"), rest.trim_end().to_owned())
}

async fn signed_in(app: &TestApp, id: Uuid, name: &str) -> Person {
    let email = format!("{name}@example.org");
    app.person(id, name, &email, app.sign_in(&email).await)
}

/// Waits until the read side has every event.
async fn caught_up(app: &TestApp, person: &Person) {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    person.get_at(head, "/v1/users/me").await.expect(200);
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_user_and_workspace_are_made_while_no_server_runs() {
    let mut app = TestApp::not_started(&[("BACKSCROLL_REGISTRATION", "closed")]).await;
    let (ann, said) = add_user(&app, "ann").await;
    assert!(said.starts_with("is registered from position ") && said.ends_with(", as an operator of this server"), "{said}");
    let (ben, said) = add_user(&app, "ben").await;
    assert!(!said.contains("operator"), "{said}");
    let add = ["workspaces", "add", "--name", "Acme Bakery", "--owner", "ben@example.org", "--domain", "acme.example.org"];
    let said = done_with(&app, &add, "").await;
    let acme = said.split(' ').next().and_then(|id| id.parse::<Uuid>().ok()).expect("an identifier first");
    assert!(said.contains(&format!("its owner is {ben}")), "{said}");
    done(&app, "workspaces add-member acme.example.org ann@example.org --role admin").await;

    // Lists need no server either.
    let users = json_lines(&done(&app, "users list --json").await);
    let of_users = users.iter().map(|user| (&user["username"], &user["is_operator"], &user["status"])).collect::<Vec<_>>();
    assert_eq!(of_users, [(&json!("ann"), &json!(true), &json!("active")), (&json!("ben"), &json!(false), &json!("active"))]);
    let (_, page, more) = run(&app, &["users", "list", "--limit", "1"], "").await;
    assert!(page.contains("ann@example.org") && !page.contains("ben@example.org"), "{page}");
    let next = done(&app, &format!("users list --after {ann} --limit 1")).await;
    assert!(more.contains(&format!("--after {ann}")) && next.contains("ben@example.org"), "{more}{next}");
    let listed = json_lines(&done(&app, "workspaces list --json").await);
    assert_eq!(
        (&listed[0]["workspace_id"], &listed[0]["domain"], &listed[0]["owners"]),
        (&json!(acme), &json!("acme.example.org"), &json!([ben]))
    );
    let shown = serde_json::from_str::<Value>(&done(&app, "users show ann@example.org --json").await).expect("JSON");
    assert_eq!(shown["workspaces"], json!([{"workspace_id": acme, "name": "Acme Bakery", "role": "admin"}]));
    assert!(done(&app, "workspaces show acme.example.org").await.contains("Acme Bakery"));

    app.start_again().await;
    let ben = signed_in(&app, ben, "ben").await;
    let current = ben.request(Method::GET, "/v1/workspaces/current").header("Host", "acme.example.org");
    let head = app.app().commands.store().catch_up().await.expect("the head");
    let current = send(current.header("Backscroll-Min-Position", head)).await.expect(200);
    assert_eq!(current["workspace_id"], json!(acme));
    let channels = ben.get(&format!("/v1/workspaces/{acme}/channels")).await.expect(200);
    assert_eq!((&channels["items"][0]["name"], &channels["items"][0]["created_by"]), (&json!("general"), &json!(ben.id)));
    // Both are in #general.
    let general = channels["items"][0]["channel_id"].as_str().expect("a channel").to_owned();
    let ann = signed_in(&app, ann, "ann").await;
    ann.post(&format!("/v1/channels/{general}/messages"), json!({"content": "hello"})).await.expect(201);
}

/// Arguments, the standard input, the exit code, and a part of the message.
const REFUSED: [(&str, &str, i32, &str); 32] = [
    ("users add --email ann@example.org --username other --password-stdin", PASSWORD, 4, "this email address is taken"),
    ("users add --email other@example.org --username ann --password-stdin", PASSWORD, 4, "is taken already; choose another"),
    ("users add --email other@example.org --username other --password-stdin", "12345678", 4, "easily guessed"),
    ("users add --email other@example.org --username other --password-stdin", "", 4, "8 to 200 characters"),
    ("users add --email other@example.org --username other --password-stdin", "one\ntwo", 2, "more than one line"),
    ("users add --email other@example.org --username other", PASSWORD, 2, "--password-stdin or --password-file"),
    ("users add --email other@example.org --username other --password-file /nowhere", "", 2, "/nowhere"),
    ("users add --email nowhere --username other --password-stdin", PASSWORD, 2, "email"),
    ("users add --email other@example.org --username me --password-stdin", PASSWORD, 2, "username"),
    ("users add --email other@example.org --username other --password secret", "", 2, "unexpected argument"),
    ("users show nobody@example.org", "", 2, "there is no user nobody@example.org"),
    ("users list --limit 0", "", 2, "1..=1000"),
    ("users set-password nobody@example.org --password-stdin", PASSWORD, 2, "there is no user"),
    ("users set-password ann@example.org --password-stdin", "ann@example.org", 4, "easily guessed"),
    ("users sign-out nobody@example.org", "", 2, "there is no user"),
    ("users suspend ann@example.org", "", 4, "the only operator"),
    ("users reactivate nobody@example.org", "", 2, "there is no user"),
    ("users remove-operator ann@example.org", "", 4, "the only operator"),
    ("workspaces add --name Other --owner nobody@example.org", "", 2, "there is no user"),
    ("workspaces add --name Other --owner ann@example.org --domain acme.example.org", "", 4, "this domain is taken"),
    ("workspaces add --name Other --owner ann@example.org --domain Acme!", "", 2, "domain"),
    ("workspaces add --name Other --owner ann@example.org --max-members 0", "", 4, "max_members"),
    ("workspaces show nowhere.example.org", "", 2, "there is no workspace nowhere.example.org"),
    ("workspaces show 00000000-0000-7000-8000-000000000000", "", 2, "there is no workspace"),
    ("workspaces set-domain nowhere.example.org other.example.org", "", 2, "there is no workspace"),
    ("workspaces set-domain other.example.org acme.example.org", "", 4, "this domain is taken"),
    ("workspaces set-plan acme.example.org gold", "", 2, "free, pro or enterprise"),
    ("workspaces add-member acme.example.org ann@example.org", "", 4, "an active member of this workspace already"),
    ("workspaces set-role acme.example.org ann@example.org member", "", 4, "a workspace always has an owner"),
    ("workspaces set-role acme.example.org ben@example.org member", "", 4, "there is no such member"),
    ("workspaces deactivate-member acme.example.org ann@example.org", "", 4, "a workspace always has an owner"),
    ("audit log --workspace nowhere.example.org", "", 2, "there is no workspace nowhere.example.org"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_has_its_exit_code_and_a_reason_and_changes_nothing() {
    let app = TestApp::not_started(&[]).await;
    add_user(&app, "ann").await;
    add_user(&app, "ben").await;
    for domain in ["acme.example.org", "other.example.org"] {
        done(&app, &format!("workspaces add --name Acme --owner ann@example.org --domain {domain}")).await;
    }
    let mut wrong = Vec::new();
    for (arguments, input, code, part) in REFUSED {
        let (ended, out, error) = run(&app, &arguments.split(' ').collect::<Vec<_>>(), input).await;
        if ended != Some(code) || !out.is_empty() || !error.contains(part) {
            wrong.push(format!("{arguments}: {ended:?} {out}{error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(json_lines(&done(&app, "users list --json").await).len(), 2);
    assert_eq!(json_lines(&done(&app, "workspaces list --json").await).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_password_ends_sessions_forgets_devices_and_is_in_the_log() {
    let app = TestApp::start().await;
    let ann = app.sign_up_as("ann", "ann").await;
    ann.get("/v1/users/me").await.expect(200);
    let known = || async {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM secret.known_devices").fetch_one(&app.app().pool);
        count.await.expect("the devices")
    };
    assert!(known().await > 0, "the device of the sign-in is known");
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "{NEW_PASSWORD}").expect("a password");
    let path = file.path().to_str().expect("a path").to_owned();
    let said = done_with(&app, &["users", "set-password", "ann@example.org", "--password-file", &path], "").await;
    assert!(said.starts_with(&ann.id.to_string()) && said.contains("all sessions have ended"), "{said}");

    ann.get("/v1/users/me").await.expect(401);
    assert_eq!(known().await, 0);
    let with_old = json!({"login": "ann@example.org", "password": PASSWORD});
    app.post("/v1/sessions", &with_old).await.expect_problem(401, "session.wrong_credentials");
    let again = ann.with_token(app.sign_in_with("ann@example.org", NEW_PASSWORD).await);
    caught_up(&app, &again).await;

    let reset = json_lines(&done(&app, "audit log --type user.password_reset --json").await);
    assert_eq!((reset.len(), &reset[0]["aggregate_id"]), (1, &json!(ann.id)));
    let ended = json_lines(&done(&app, "audit log --type session.ended --json").await);
    assert_eq!((&ended[0]["payload"]["session.ended"]["reason"], ended.len()), (&json!("password_changed"), 1));
    for entry in [&reset[0], &ended[0]] {
        assert_eq!(entry["actor_name"], "server");
        let by = entry["by"].as_str().expect("the user of the system");
        assert!(by.starts_with("otto at ") && by.ends_with(" (command line)"), "{by}");
    }
    assert!(!reset[0].to_string().contains(NEW_PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_signed_out_suspended_and_appointed() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.sign_up_as("ann", "ann").await, app.sign_up_as("ben", "ben").await);
    assert!(done(&app, "users sign-out ben@example.org").await.contains("1 sessions have ended"));
    ben.get("/v1/users/me").await.expect(401);
    let ben = signed_in(&app, ben.id, "ben").await;

    let cat = ["users", "add", "--email", "cat@example.org", "--username", "cat", "--name", "Cat C.", "--operator", "--password-stdin"];
    let said = done_with(&app, &cat, PASSWORD).await;
    assert!(said.contains("as an operator of this server"), "{said}");
    assert!(done(&app, "users remove-operator ann@example.org").await.contains("is not an operator any more"));
    assert!(done(&app, "users remove-operator ann@example.org").await.contains("is not an operator"));
    ann.put(&format!("/v1/users/{}/suspension", ben.id), json!({})).await.expect_problem(403, "server.operators_only");

    done_with(&app, &["users", "suspend", "ben@example.org", "--reason", "left the company"], "").await;
    ben.get("/v1/users/me").await.expect(401);
    app.post("/v1/sessions", &json!({"login": "ben", "password": PASSWORD})).await.expect_problem(403, "user.not_active");
    assert!(done(&app, "users show ben@example.org").await.contains("suspended"));
    done(&app, "users reactivate ben@example.org").await;
    signed_in(&app, ben.id, "ben").await.get("/v1/users/me").await.expect(200);
    let (code, _, error) = run(&app, &["users", "remove-operator", "cat@example.org"], "").await;
    assert!(code == Some(4) && error.contains("the only operator"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_changed_without_being_a_member() {
    let app = TestApp::not_started(&[]).await;
    let (ann, _) = add_user(&app, "ann").await;
    let (ben, _) = add_user(&app, "ben").await;
    let said = done(&app, "workspaces add --name Acme --owner ann@example.org").await;
    let acme = said.split(' ').next().expect("an identifier").to_owned();
    done(&app, &format!("workspaces set-domain {acme} acme.example.org")).await;
    done(&app, "workspaces set-domain acme.example.org acme.example.com").await;
    done_with(&app, &["workspaces", "rename", "acme.example.com", "Acme Bakery"], "").await;
    done(&app, "workspaces set-plan ACME.example.com pro").await;
    done(&app, "workspaces add-member acme.example.com ben@example.org --role guest").await;
    done(&app, "workspaces set-role acme.example.com ben@example.org owner").await;
    done(&app, "workspaces deactivate-member acme.example.com ann@example.org").await;
    let shown = || async { serde_json::from_str::<Value>(&done(&app, &format!("workspaces show {acme} --json")).await).expect("JSON") };
    let now = shown().await;
    assert_eq!((&now["name"], &now["plan"], &now["owners"]), (&json!("Acme Bakery"), &json!("pro"), &json!([ben])));
    assert_eq!((&now["domain"], &now["active_members"]), (&json!("acme.example.com"), &json!(1)));
    done(&app, "workspaces reactivate-member acme.example.com ann@example.org").await;
    done(&app, &format!("workspaces remove-domain {acme}")).await;
    let now = shown().await;
    assert_eq!((&now["domain"], now["owners"].as_array().map(Vec::len)), (&Value::Null, Some(2)), "{ann}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_server_registers_by_the_command_line_alone() {
    let app = TestApp::start_with(&[("BACKSCROLL_REGISTRATION", "closed")]).await;
    let body = json!({"email": "ann@example.org", "username": "ann", "display_name": "Ann", "password": PASSWORD});
    let refused = app.post("/v1/users", &body).await.expect_problem(403, "user.registration_closed");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("operators")), "{refused}");
    let (ann, said) = add_user(&app, "ann").await;
    assert!(said.contains("operator"), "the first user: {said}");
    signed_in(&app, ann, "ann").await.get("/v1/users/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_for_the_invited_registers_the_invited_address_with_its_token() {
    let app = TestApp::start_with(&[("BACKSCROLL_REGISTRATION", "invited")]).await;
    let (ann, _) = add_user(&app, "ann").await;
    let said = done(&app, "workspaces add --name Acme --owner ann@example.org").await;
    let acme = format!("/v1/workspaces/{}", said.split(' ').next().expect("an identifier"));
    let ann = signed_in(&app, ann, "ann").await;
    let invited = ann.post(&format!("{acme}/invitations"), json!({"email": "ben@example.org"})).await.expect(201);
    let token = invited["token"].as_str().expect("a token").to_owned();

    let body = |name: &str, token: Option<&str>| {
        let email = format!("{name}@example.org");
        json!({"email": email, "username": name, "display_name": name, "password": PASSWORD, "invitation_token": token})
    };
    app.post("/v1/users", &body("ben", None)).await.expect_problem(403, "user.registration_closed");
    app.post("/v1/users", &body("ben", Some("nonsense"))).await.expect_problem(404, "workspace.invitation_not_found");
    let guess = format!("bsi_{}", "A".repeat(43));
    app.post("/v1/users", &body("ben", Some(&guess))).await.expect_problem(404, "workspace.invitation_not_found");
    app.post("/v1/users", &body("eve", Some(&token))).await.expect_problem(403, "workspace.invitation_of_another");
    let registered = app.post("/v1/users", &body("ben", Some(&token))).await.expect(201);
    let mut again = body("ben", Some(&token));
    again["username"] = json!("another");
    app.post("/v1/users", &again).await.expect_problem(409, "user.email_taken");
    let ben = signed_in(&app, tests::team::id(&registered, "user_id"), "ben").await;
    ben.post(&format!("/v1/invitations/{token}/acceptance"), json!({})).await.expect(200);
    let twice = body("zoe", Some(&token));
    app.post("/v1/users", &twice).await.expect_problem(404, "workspace.invitation_not_found");
    let revoked = ann.post(&format!("{acme}/invitations"), json!({"email": "zoe@example.org"})).await.expect(201);
    let one = format!("{acme}/invitations/{}", revoked["invitation_id"].as_str().expect("an invitation"));
    ann.delete(&one).await.expect(204);
    app.post("/v1/users", &body("zoe", revoked["token"].as_str())).await.expect_problem(404, "workspace.invitation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_the_user_of_the_operating_system() {
    let app = TestApp::start().await;
    let ann = app.sign_up_as("ann", "ann").await;
    done(&app, "workspaces add --name Acme --owner ann@example.org --domain acme.example.org").await;
    done(&app, "workspaces set-plan acme.example.org pro").await;
    caught_up(&app, &ann).await;
    let line = done(&app, "audit log --workspace acme.example.org --type workspace.plan_changed").await;
    assert!(line.contains("otto at ") && line.contains("(command line)") && !line.contains('—'), "{line}");
    let entries = json_lines(&done(&app, "audit log --type workspace.plan_changed --json").await);
    assert_eq!((&entries[0]["actor_name"], &entries[0]["actor_id"]), (&json!("server"), &json!(Uuid::nil())));
    let shown = done(&app, &format!("audit show {}", entries[0]["position"])).await;
    assert!(shown.contains("by           otto at "), "{shown}");
    let csv = done(&app, "audit export --workspace acme.example.org --format csv").await;
    let head = csv.lines().next().expect("the names of the columns");
    let plan = csv.lines().find(|line| line.contains("workspace.plan_changed")).expect("the entry");
    assert!(head.ends_with(",by") && plan.contains(",server,") && plan.contains("(command line)"), "{head}\n{plan}");

    // Members who read the audit over HTTP see the same. A client cannot pass for the command line.
    let path = format!("/v1/workspaces/{}/audit?type=workspace.plan_changed", entries[0]["workspace_id"].as_str().expect("a workspace"));
    let seen = ann.get(&path).await.expect(200);
    assert_eq!(seen["items"][0]["by"], entries[0]["by"], "{seen}");
    let forged = ann.request(Method::PUT, "/v1/users/me/custom-status").header("User-Agent", "backscroll 9.9.9, run by root at db1:1");
    send(forged.json(&json!({"text": "away"}))).await.expect(200);
    caught_up(&app, &ann).await;
    let forged = json_lines(&done(&app, "audit log --type user.status_changed --json").await);
    assert_eq!((&forged[0]["actor_name"], &forged[0]["by"]), (&json!("ann"), &Value::Null));
}
