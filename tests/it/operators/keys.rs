//! Changes of the master key, lost signing keys, and the name of the log, as an operator does and sees them.

use std::collections::BTreeMap;
use std::fs::File;

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::person::PASSWORD;
use tests::{Program, Team, TestApp, eventually, program};

/// The old master key: the one of all tests.
const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// The new master key: 32 times the byte 1.
const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

type Environment = BTreeMap<String, String>;

fn with(app: &TestApp, changes: &[(&str, &str)]) -> Environment {
    let mut environment = app.environment.clone();
    environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    environment
}

fn with_keys(app: &TestApp, current: &str, previous: &str) -> Environment {
    with(app, &[("BACKSCROLL_MASTER_KEY", current), ("BACKSCROLL_MASTER_KEY_PREVIOUS", previous)])
}

async fn run(verb: &str, environment: &Environment) -> (Option<i32>, String) {
    program::said(&program::output(&verb.split(' ').collect::<Vec<_>>(), environment).await)
}

async fn at(program: &Program, path: &str) -> String {
    let answer = reqwest::get(format!("{}{path}", program.operators_url)).await.expect("the operators' address answers");
    answer.text().await.expect("a text")
}

/// The part `proof` of `/readyz`, and the state of the whole.
async fn proof(program: &Program) -> (Value, String) {
    let ready = serde_json::from_str::<Value>(&at(program, "/readyz").await).expect("JSON");
    (ready["proof"].clone(), ready["status"].as_str().unwrap_or_default().to_owned())
}

async fn expect_a_problem(program: &Program, with: &str) {
    eventually("/readyz says why the log is not signed", async || {
        let (part, status) = proof(program).await;
        part["ok"] == false && status != "ready" && part["state"].as_str().is_some_and(|state| state.contains(with))
    })
    .await;
    let metrics = at(program, "/metrics").await;
    assert!(metrics.contains("\nbackscroll_proof_refuses 1\n"), "{metrics}");
}

async fn expect_signing(program: &Program) {
    eventually("/readyz says that the log is signed", async || {
        let (part, _) = proof(program).await;
        part["ok"] == true && part["state"].as_str().is_some_and(|state| state.starts_with("signs"))
    })
    .await;
    assert!(at(program, "/metrics").await.contains("\nbackscroll_proof_refuses 0\n"));
}

async fn count(pool: &PgPool, statement: &str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.expect("a count")
}

/// Waits until every event is in a signed head.
async fn settle(pool: &PgPool) {
    let unsigned = "SELECT (SELECT max(position) FROM events) - coalesce((SELECT max(size) FROM proof.checkpoints), 0)";
    eventually("every event is in a signed head", async || count(pool, unsigned).await == 0).await;
}

/// A server that has signed its log, and is stopped. Returns its database.
async fn signed_and_stopped() -> (TestApp, PgPool) {
    let mut app = TestApp::start().await;
    app.sign_up("ann").await;
    let pool = app.database.pool(2).await;
    settle(&pool).await;
    app.stop().await;
    (app, pool)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_under_the_master_key_is_rotated_while_servers_with_the_old_and_with_both_keys_run() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let pool = app.database.pool(2).await;
    settle(&pool).await;
    let invitations = team.path("/invitations");
    let invite = async |url: &str, email: &str| {
        let invited = team.owner.at_url(url).post_once(email, &invitations, json!({"email": email, "role": "member"})).await;
        invited.expect(201)["token"].as_str().expect("a token").to_owned()
    };
    let old_link = invite(&app.url, "old@example.org").await;
    let lost_link = invite(&app.url, "lost@example.org").await;

    // One server has both keys already. What it makes, the server with the old key alone can open.
    let both = with_keys(&app, NEW, OLD);
    let (second, second_url) = Program::serve(&both);
    let registration = json!({"email": "old@example.org", "username": "old", "display_name": "Old", "password": PASSWORD});
    team.stranger.at_url(&second_url).post("/v1/users", registration).await.expect(201);
    let token = app.sign_in("old@example.org").await;
    let new_person = team.stranger.with_token(token);
    assert_eq!(new_person.get("/v1/users/me").await.expect(200)["email"], "old@example.org");

    let (code, said) = run("keys rotate", &both).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 keys that sign the log are encrypted again") && said.contains("links of invitations stay valid"), "{said}");
    assert!(said.contains("nothing in it needs another master key; remove master_key_previous on every server"), "{said}");
    let (code, said) = run("keys rotate", &both).await;
    assert!(code == Some(0) && said.contains(" 0 keys of people") && said.contains(" 0 keys that sign the log"), "{said}");

    // A server that still has the old key alone seals nothing with it any more.
    let late = json!({"email": "late@example.org", "username": "late", "display_name": "Late", "password": PASSWORD});
    assert_ne!(app.post("/v1/users", &late).await.status, 201, "the server does not have the master key");
    assert_eq!(count(&pool, "SELECT count(DISTINCT master_id) FROM secret.person_keys WHERE wrapped IS NOT NULL").await, 1);
    app.stop().await;
    expect_signing(&second).await;
    drop(second);

    let new_alone = with_keys(&app, NEW, "");
    let (third, url) = Program::serve(&new_alone);
    let accept = async |link: &str| new_person.at_url(&url).post(&format!("/v1/invitations/{link}/acceptance"), json!({})).await;
    accept(&old_link).await.expect(200);
    let found_again = invite(&url, "lost@example.org").await;
    assert_ne!(found_again, lost_link, "a token is derived from the master key");
    let tokens = "SELECT count(*) FROM secret.invitations GROUP BY invitation_id ORDER BY count(*) DESC LIMIT 1";
    assert_eq!(count(&pool, tokens).await, 2, "both links of the invitation are valid");
    settle(&pool).await;
    expect_signing(&third).await;
    let (code, said) = run("audit rotate-key", &new_alone).await;
    assert_eq!(code, Some(0), "{said}");
    settle(&pool).await;
    let (code, said) = run("audit verify", &new_alone).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_that_was_left_under_an_old_master_key_makes_the_proof_unready_until_it_is_rotated() {
    let (app, pool) = signed_and_stopped().await;
    let (new_alone, both) = (with_keys(&app, NEW, ""), with_keys(&app, NEW, OLD));
    // Release 0.1 rotated the keys of people only.
    sqlx::raw_sql("CREATE TABLE kept AS TABLE secret.proof_keys").execute(&pool).await.expect("a copy");
    let (code, said) = run("keys rotate", &both).await;
    assert_eq!(code, Some(0), "{said}");
    let as_before = "UPDATE secret.proof_keys SET sealed = kept.sealed FROM kept WHERE kept.vkey = proof_keys.vkey";
    sqlx::raw_sql(as_before).execute(&pool).await.expect("a change");

    let log = tempfile::NamedTempFile::new().expect("a file");
    let log_file = File::create(log.path()).expect("a file");
    let (server, url) = Program::serving(&mut program::command(&["serve"], &new_alone), log_file);
    expect_a_problem(&server, "is sealed under another master key: set that one as master_key_previous, and run `backscroll keys rotate`")
        .await;
    let (code, said) = run("audit verify", &new_alone).await;
    assert!(code == Some(1) && said.contains("it is not signed any more") && said.contains("sealed under another master key"), "{said}");
    let (code, said) = run("audit rotate-key", &new_alone).await;
    assert!(code == Some(4) && said.contains("--new-trust"), "a lost key is not replaced by the way: {said}");
    let (code, said) = run("keys rotate", &new_alone).await;
    assert!(
        code == Some(4) && said.contains("the previous master key is still needed") && !said.contains("remove master_key_previous"),
        "{said}"
    );
    assert_eq!(reqwest::get(format!("{url}/readyz")).await.expect("an answer").status(), 200, "people can go on");

    let (code, said) = run("keys rotate", &both).await;
    assert!(code == Some(0) && said.contains(" 1 keys that sign the log are encrypted again"), "{said}");
    expect_signing(&server).await;
    let logged = std::fs::read_to_string(log.path()).expect("the log");
    assert_eq!(logged.matches("the log is not signed").count(), 1, "the reason is logged once: {logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_schema_proof_is_lost_is_not_signed_until_an_operator_decides_for_a_new_key() {
    let (app, pool) = signed_and_stopped().await;
    let old = sqlx::query_scalar::<_, String>("SELECT vkey FROM proof.keys").fetch_one(&pool).await.expect("a key");
    let (code, said) = run("audit rotate-key --new-trust", &app.environment).await;
    assert!(code == Some(4) && said.contains("the present signing key works"), "{said}");

    // Restored without the rows of `proof`, as after `migrate` and a dump of `public` and `secret`.
    sqlx::raw_sql("TRUNCATE proof.keys, proof.checkpoints, proof.tiles, proof.deliveries").execute(&pool).await.expect("a loss");
    let (server, _) = Program::serve(&app.environment);
    expect_a_problem(&server, "and proof.keys is empty. Restore the schemas proof and secret from the backup").await;
    assert_eq!(count(&pool, "SELECT count(*) FROM proof.keys").await, 0, "no key is made by the way");
    let left = sqlx::query_scalar::<_, String>("SELECT vkey FROM secret.proof_keys").fetch_all(&pool).await.expect("the keys");
    assert_eq!(left, [old.as_str()], "the old private key is kept");
    drop(server);

    // Restored without the schema: the server makes it again, without rows.
    sqlx::raw_sql("DROP SCHEMA proof CASCADE").execute(&pool).await.expect("a loss");
    let (server, _) = Program::serve(&app.environment);
    expect_a_problem(&server, "and proof.keys is empty. Restore the schemas proof and secret from the backup").await;
    let (code, said) = run("audit rotate-key --new-trust", &app.environment).await;
    assert!(code == Some(0) && said.contains("give it to the auditors"), "{said}");
    let new = said.trim_end().lines().last().expect("a key").to_owned();
    assert!(new.starts_with("chat.example.org/v1/proof+") && new != old, "the log keeps its name: {new}");
    settle(&pool).await;
    expect_signing(&server).await;
    let noted = "SELECT payload #>> '{installation.proof_key_rotated,change}' FROM events
                 WHERE event_type = 'installation.proof_key_rotated' ORDER BY position DESC LIMIT 1";
    let noted = sqlx::query_scalar::<_, String>(noted).fetch_one(&pool).await.expect("an event");
    assert_eq!(noted, "new_trust");
    let (code, said) = run("audit verify", &app.environment).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_head_waits_for_a_name_which_is_visible_and_harms_nobody() {
    let mut app = TestApp::start_with(&[("BACKSCROLL_PROOF_ORIGIN", "")]).await;
    let team = Team::found(&app).await;
    let pool = app.database.pool(2).await;
    let refused = app.get("/v1/proof/checkpoint").await.expect_problem(404, "proof.no_name");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("set public_url or proof_origin")), "{refused}");
    team.owner.get(&team.path("/audit/export")).await.expect_problem(503, "proof.no_name");
    eventually("the server is ready, and says what it waits for", async || {
        let ready = app.as_operator("/readyz").await.expect(200);
        let state = ready["proof"]["state"].as_str().unwrap_or_default().to_owned();
        ready["status"] == "ready" && ready["proof"]["ok"] == true && state.contains("waits for a name: set public_url or proof_origin")
    })
    .await;
    assert_eq!(count(&pool, "SELECT count(*) FROM proof.keys").await, 0);
    let (code, said) = run("audit verify", &app.environment).await;
    assert!(code == Some(0) && said.contains("the log has no name yet: set public_url or proof_origin"), "{said}");
    app.stop().await;

    let named = with(&app, &[("BACKSCROLL_PUBLIC_URL", "https://chat.example.com")]);
    let (server, _) = Program::serve(&named);
    settle(&pool).await;
    expect_signing(&server).await;
    let head = sqlx::query_scalar::<_, String>("SELECT note FROM proof.checkpoints ORDER BY size DESC LIMIT 1");
    let head = head.fetch_one(&pool).await.expect("a head");
    assert_eq!(head.lines().next(), Some("chat.example.com/v1/proof"), "{head}");
}
