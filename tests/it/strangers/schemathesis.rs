//! Schemathesis sends valid and invalid requests to every operation of `/openapi.json`, as different users. No answer
//! may be a 5xx, or have a status, a type, a header or a schema that the document does not have.
//!
//! `BACKSCROLL_SCHEMATHESIS_EXAMPLES` sets the number of requests, and `BACKSCROLL_SCHEMATHESIS_SEED` the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::process::Stdio;
use std::str::FromStr;

use reqwest::Method;
use serde_json::{Value, json};
use tests::contract::Contract;
use tests::person::{PASSWORD, Person, send};
use tests::servers::checkout;
use tests::successes::{Successes, successes};
use tests::team::id;
use tests::{Team, TestApp};

/// The number of random requests for each operation. In addition, the boundaries of each parameter are always tried.
const EXAMPLES: u32 = 5;
/// The seed of the random requests.
const SEED: u32 = 4_799;
/// The share of parameters that name an existing object.
const REAL: f64 = 0.8;

/// Operations that end the caller's sessions. The caller of these signs in again each time. The change of the password
/// is last, because it ends all sessions at once.
const ENDING: [&[&str]; 2] = [&["end_current_session", "end_session"], &["change_password"]];
/// Operations that only an operator may run.
const OPERATORS: [&str; 6] =
    ["change_workspace_plan", "get_current_replay", "list_projections", "reactivate_user", "start_replay", "suspend_user"];
/// Without the boundaries of each parameter. They are the same for every caller, so they are tried only as the owner.
const AT_RANDOM: [&str; 2] = ["--phases", "examples,fuzzing"];

/// The flags for only these operations, or for all others.
fn only(operations: &[&str]) -> Vec<String> {
    vec!["--include-operation-id-regex".into(), format!("^({})$", operations.join("|"))]
}

fn all_but(operations: &[&str]) -> Vec<String> {
    vec!["--exclude-operation-id-regex".into(), format!("^({})$", operations.join("|"))]
}

pub(super) fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(format!("BACKSCROLL_SCHEMATHESIS_{name}")).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A separate team for each run, because the run may change and delete its objects.
pub(super) struct World {
    app: TestApp,
    pub(super) team: Team,
    /// Existing objects, by the names of their parameters.
    things: BTreeMap<&'static str, Vec<Value>>,
    /// How often each route succeeded during the set-up.
    made_with: Successes,
}

impl World {
    pub(super) async fn make() -> Self {
        let app = TestApp::start().await;
        let team = Team::found(&app).await;
        let things = things(&team).await;
        let made_with = successes(&app).await;
        Self { app, team, things, made_with }
    }

    /// The operations that succeeded.
    async fn succeeded(&self) -> BTreeSet<String> {
        let document = self.app.get("/openapi.json").await.expect(200);
        let name = |(method, route): &(String, String)| document["paths"][route][method]["operationId"].as_str().map(str::to_owned);
        let successes = successes(&self.app).await;
        let more = successes.iter().filter(|(route, count)| self.made_with.get(*route).is_none_or(|before| before < *count));
        more.filter_map(|(route, _)| name(route)).collect()
    }

    /// Sends requests to every operation that the flags select, with a token or without one.
    async fn ask(&self, token: Option<&str>, which: &[impl AsRef<OsStr>]) {
        self.run(&token.map_or(json!({}), bearer), which).await;
    }

    /// Sends requests as a user that signs in again whenever their session has ended.
    async fn ask_returning(&self, person: &Person, which: &[impl AsRef<OsStr>]) {
        let sign_in = json!({
            "path": "/v1/sessions", "method": "post", "payload": {"login": person.username, "password": PASSWORD},
            "extract_from": "body", "extract_selector": "/token", "retry_on": [401],
        });
        self.run(&json!({"dynamic": {"openapi": {"token": sign_in}}}), which).await;
    }

    async fn run(&self, auth: &Value, which: &[impl AsRef<OsStr>]) {
        let examples = setting("EXAMPLES", EXAMPLES);
        let (succeeded, report) = self.report(&self.config(auth), examples, which).await;
        assert!(succeeded, "{report}");
        println!("{report}");
    }

    /// Runs schemathesis with this configuration. Returns whether it found nothing, and what it printed.
    pub(super) async fn report(&self, config: &Value, examples: u32, flags: &[impl AsRef<OsStr>]) -> (bool, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("schemathesis.toml");
        std::fs::write(&file, toml::to_string(config).expect("TOML")).expect("a configuration");
        // A status is right only if a code of the operation has it. So the run gets these statuses, and not `default`.
        let document = folder.path().join("openapi.json");
        let served = self.app.get("/openapi.json").await.expect(200);
        std::fs::write(&document, Contract::of_this_release().spelt_out(&served).to_string()).expect("a document");
        let seed = setting("SEED", SEED);
        let mut command = tokio::process::Command::new(checkout().join("scripts/schemathesis.sh"));
        command.arg("--config-file").arg(&file).arg("run").arg(&document).args(["--url", &self.app.url]);
        command.args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string()]).args(flags);
        let output = command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.expect("scripts/schemathesis.sh runs");
        let report = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), format!("schemathesis with the seed {seed} and {examples} examples:\n{report}"))
    }

    pub(super) fn config(&self, auth: &Value) -> Value {
        let dictionaries = self.things.iter().map(|(name, values)| (name.replace('.', "-"), json!({"values": values})));
        let real = |name: &str| json!({"dictionary": name.replace('.', "-"), "probability": REAL});
        let parameters = self.things.keys().map(|name| ((*name).to_owned(), real(name)));
        let mut config = json!({
            "auth": auth,
            "checks": checks(),
            "continue-on-failure": true,
            "dictionaries": Value::Object(dictionaries.collect()),
            "generation": {"database": "none", "no-shrink": true},
            "parameters": Value::Object(parameters.collect()),
            "phases": {"stateful": {"enabled": false}},
            "warnings": false,
        });
        config["output"] = json!({"sanitization": {"enabled": false}});
        config
    }
}

/// Every request with this token.
pub(super) fn bearer(token: &str) -> Value {
    json!({"openapi": {"token": {"bearer": token}}})
}

fn checks() -> Value {
    let held = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "allow_header_conformance",
        "ignored_auth",
    ];
    let held = held.map(|check| (check.to_owned(), json!({"enabled": true})));
    let mut checks = json!({"enabled": false});
    checks.as_object_mut().expect("an object").extend(held);
    checks["response_schema_conformance"]["validate-formats"] = json!(true);
    checks
}

/// Existing objects. There are several of each kind, because the run archives, deletes, removes or transfers some.
async fn things(team: &Team) -> BTreeMap<&'static str, Vec<Value>> {
    let mut channels = vec![json!(team.general)];
    let mut messages = Vec::new();
    for n in 0..4 {
        let kind = if n % 2 == 0 { "public" } else { "private" };
        let channel = team.channel(&team.owner, kind, &format!("channel-{n}"), &[&team.member, &team.guest]).await;
        channels.push(json!(channel));
        for person in [&team.owner, &team.member, &team.guest] {
            messages.push(json!(team.message(person, channel, "hello <!here> *you*").await));
        }
    }
    let (mut tokens, mut invitations) = (Vec::new(), Vec::new());
    for n in 0..4 {
        let invite = json!({"email": format!("new-{n}@example.org"), "role": "guest"});
        let invited = team.owner.post(&team.path("/invitations"), invite).await.expect(201);
        tokens.push(invited["token"].clone());
        invitations.push(json!(id(&invited, "invitation_id")));
    }
    let position = team.post(&team.owner, team.general, "the last").await.position();
    let history = format!("/v1/channels/{}/messages?limit=1", channels[1].as_str().expect("a channel"));
    let page = team.owner.get_at(position, &history).await.expect(200);
    for _ in 0..8 {
        send(team.member.request(Method::POST, "/v1/sessions").json(&json!({"login": team.member.email, "password": PASSWORD})))
            .await
            .expect(201);
    }
    let sessions = team.member.get("/v1/sessions").await.expect(200);
    let sessions = sessions["items"].as_array().expect("sessions").iter().map(|session| session["session_id"].clone()).collect();
    let people = [&team.owner, &team.member, &team.guest, &team.stranger];
    BTreeMap::from([
        ("path.workspace_id", vec![json!(team.id)]),
        ("path.channel_id", channels),
        ("path.message_id", messages.clone()),
        ("path.user_id", people.map(|person| json!(person.id)).to_vec()),
        ("path.invitation_id", invitations),
        ("path.token", tokens),
        ("path.session_id", sessions),
        ("path.name", vec![json!("relational")]),
        ("query.before", vec![page["next"].clone()]),
        ("query.users", people.map(|person| json!(person.id)).to_vec()),
        ("header.Backscroll-Min-Position", (0..20).map(|position| json!(position.to_string())).collect()),
        ("body.user_id", people.map(|person| json!(person.id)).to_vec()),
        ("body.thread_id", messages),
        ("body.current_password", vec![json!(PASSWORD)]),
        ("body.new_password", vec![json!(PASSWORD)]),
    ])
}

pub(super) fn without_ending() -> Vec<String> {
    all_but(&ENDING.concat())
}

fn at_random(flags: Vec<String>) -> Vec<String> {
    AT_RANDOM.map(str::to_owned).into_iter().chain(flags).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_session_is_answered_as_documented() {
    let world = World::make().await;
    world.ask(None, &AT_RANDOM).await;
    // The proof contains only hashes, and is public.
    let proof = ["get_checkpoint", "list_proof_keys", "prove_consistency", "prove_inclusion"];
    let succeeded = world.succeeded().await.into_iter().filter(|operation| !proof.contains(&operation.as_str()));
    assert_eq!(Vec::from_iter(succeeded), ["get_server", "healthz", "list_unicode_emojis", "readyz", "register_user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_answered_as_documented() {
    let world = World::make().await;
    world.ask(Some(&world.team.stranger.token), &at_random(without_ending())).await;
    let succeeded = world.succeeded().await;
    assert!(succeeded.len() >= 15, "{succeeded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_answered_as_documented() {
    let world = World::make().await;
    world.ask(Some(&world.team.guest.token), &at_random(without_ending())).await;
    let succeeded = world.succeeded().await;
    assert!(succeeded.len() >= 20, "{succeeded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_answered_as_documented() {
    let world = World::make().await;
    world.ask(Some(&world.team.owner.token), &without_ending()).await;
    let succeeded = world.succeeded().await;
    assert!(succeeded.len() >= 40, "{succeeded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_answered_as_documented() {
    let world = World::make().await;
    world.ask(Some(&world.team.operator.token), &only(&OPERATORS)).await;
    let succeeded = world.succeeded().await;
    assert!(OPERATORS.iter().all(|operation| succeeded.contains(*operation)), "{succeeded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_ends_their_sessions_is_answered_as_documented() {
    let world = World::make().await;
    for operations in ENDING {
        world.ask_returning(&world.team.member, &only(operations)).await;
    }
    let succeeded = world.succeeded().await;
    assert!(ENDING.concat().iter().all(|operation| succeeded.contains(*operation)), "{succeeded:?}");
}
