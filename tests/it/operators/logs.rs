//! The log of the binary: its first lines, one format on both outputs, and the request log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::process::{Child, Command};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tests::{Program, TestApp, eventually, program};

/// The public address differs from the address that the server listens at.
const PUBLIC: (&str, &str) = ("BACKSCROLL_PUBLIC_URL", "https://chat.example.org");
const JSON: (&str, &str) = ("BACKSCROLL_LOG_FORMAT", "json");

/// A server that logs JSON. It is killed when this value is dropped.
struct Logging {
    child: Child,
    log: NamedTempFile,
    output: NamedTempFile,
}

impl Logging {
    fn serve(environment: &BTreeMap<String, String>) -> Self {
        let (log, output) = (NamedTempFile::new().expect("a file"), NamedTempFile::new().expect("a file"));
        let mut command = program::command(&["serve"], environment);
        command.stdout(output.reopen().expect("the file")).stderr(log.reopen().expect("the file"));
        Self { child: command.spawn().expect("the binary runs"), log, output }
    }

    /// The lines that are complete. Each must be an object.
    fn lines(&self) -> Vec<Value> {
        let text = read(&self.log);
        let complete = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        complete.lines().map(object).collect()
    }

    async fn line(&self, message: &str) -> Value {
        let find = || self.lines().into_iter().find(|line| line["message"] == message);
        eventually(message, async || find().is_some()).await;
        find().expect("the line")
    }

    /// Stops it as an operator does, and returns its exit code.
    async fn stop(&mut self) -> Option<i32> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(killed.expect("kill").success());
        eventually("the server ends", async || self.child.try_wait().expect("its state").is_some()).await;
        self.child.try_wait().expect("its state").and_then(|status| status.code())
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(file: &NamedTempFile) -> String {
    let mut text = String::new();
    File::open(file.path()).and_then(|mut file| file.read_to_string(&mut text)).expect("the file");
    text
}

fn object(line: &str) -> Value {
    let value = serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(value.is_object() && value["level"].is_string() && value["timestamp"].is_string(), "{line}");
    value
}

async fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let request = reqwest::Client::new().get(format!("{address}{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    answer.bytes().await.expect("the body");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_server_is_json_and_the_first_ones_say_what_runs_where() {
    let changes = [JSON, PUBLIC, ("BACKSCROLL_LOG_LEVEL", "warn")];
    let app = TestApp::not_started(&changes).await;
    let mut server = Logging::serve(&app.environment);
    let serving = server.line("serving").await;
    let first = server.lines().remove(0);
    assert_eq!(first["message"], "backscroll starts");
    for line in [&first, &serving] {
        assert_eq!((&line["version"], &line["roles"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("http, relay, projectors")), "{line}");
        assert!(line["commit"].as_str().is_some_and(|commit| !commit.is_empty()), "{line}");
    }
    let database = app.database.url.rsplit('/').next().expect("a database");
    assert!(first["postgres"].as_str().is_some_and(|place| place.ends_with(database) && !place.contains('@')), "{first}");
    assert_eq!(serving["public_url"], PUBLIC.1);
    let address = serving["address"].as_str().expect("the address").to_owned();
    assert_eq!(get(&address, "/healthz", &[]).await, 200, "it is the real address");
    assert_eq!(get(serving["operators_address"].as_str().expect("the address"), "/readyz", &[]).await, 200);

    assert_eq!(server.stop().await, Some(0));
    assert_eq!(server.lines().iter().filter(|line| line["message"] == "stopping").count(), 1);
    assert_eq!(read(&server.output), "", "the standard output stays empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_why_in_one_line_of_json() {
    let app = TestApp::not_started(&[JSON]).await;
    let changed = |name: &str, value: &str| {
        let mut environment = app.environment.clone();
        environment.insert(name.into(), value.into());
        environment
    };
    for (environment, code, part) in [
        (changed("BACKSCROLL_LISTEN", "nowhere at all"), 2, "BACKSCROLL_LISTEN"),
        (changed("BACKSCROLL_POSTGRES_URL", "postgres://nobody@127.0.0.1:9/nothing"), 3, "postgres_url"),
    ] {
        let output = program::output(&["serve"], &environment).await;
        let (ended, said) = program::said(&output);
        let last = said.lines().map(object).next_back().expect("a line");
        assert_eq!(
            (ended, &last["message"], &last["level"], &last["exit_code"]),
            (Some(code), &json!("failed"), &json!("ERROR"), &json!(code))
        );
        assert!(last["error"].as_str().is_some_and(|error| error.contains(part)), "{last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_for_scripts_has_the_real_address_and_the_log_the_version() {
    let app = TestApp::not_started(&[PUBLIC]).await;
    let log = NamedTempFile::new().expect("a file");
    let (server, url) = Program::serving(&mut program::command(&["serve"], &app.environment), log.reopen().expect("the file"));
    assert_eq!(get(&url, "/healthz", &[]).await, 200, "{url}");
    assert_eq!(get(&server.operators_url, "/healthz", &[]).await, 200, "{}", server.operators_url);
    let first = read(&log).lines().next().expect("a line").to_owned();
    assert!(first.contains("backscroll starts") && first.contains(env!("CARGO_PKG_VERSION")) && first.contains("commit="), "{first}");
    let version = program::output(&["--version"], &BTreeMap::new()).await;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let expected = format!("backscroll {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&expected) && version.trim_end().ends_with(')'), "{version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_a_line_with_its_route_and_without_its_path() {
    let changes = [JSON, ("BACKSCROLL_REQUEST_LOG", "on"), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.1")];
    let mut app = TestApp::start_program(&[]).await;
    let person = app.sign_up("ann").await;
    app.kill_program();
    let mut environment = app.environment.clone();
    environment.extend(changes.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let server = Logging::serve(&environment);
    let address = server.line("serving").await["address"].as_str().expect("the address").to_owned();
    let token = format!("Bearer {}", person.token);
    let headers = [("authorization", token.as_str()), ("x-request-id", "order-17"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(get(&address, "/v1/users/me?secret=in-the-query", &headers).await, 200);
    let unknown = [("x-request-id", "order-18")];
    let refused = get(&address, "/v1/invitations/secret-in-the-path", &unknown).await;

    let lines = async || {
        let of = |line: &Value| line["target"] == "request" && line["request.id"].as_str().is_some_and(|id| id.starts_with("order-"));
        server.lines().into_iter().filter(of).collect::<Vec<_>>()
    };
    eventually("both lines", async || lines().await.len() == 2).await;
    let [mine, other] = lines().await.try_into().expect("two lines");
    assert_eq!((&mine["http.method"], &mine["http.status"], &mine["http.route"]), (&json!("GET"), &json!(200), &json!("/v1/users/me")));
    assert_eq!((&mine["actor.id"], &mine["client.address"]), (&json!(person.id.to_string()), &json!("203.0.113.9")), "{mine}");
    assert!(mine["duration_ms"].is_u64() && mine["body_bytes"].as_u64() > Some(100), "{mine}");
    assert_eq!((&other["http.status"], &other["client.address"], &other["actor.id"]), (&json!(refused), &json!("127.0.0.1"), &Value::Null));
    let log = read(&server.log);
    for secret in ["in-the-query", "secret-in-the-path", person.token.as_str()] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_no_request_has_a_line() {
    let app = TestApp::not_started(&[JSON]).await;
    let mut server = Logging::serve(&app.environment);
    let address = server.line("serving").await["address"].as_str().expect("the address").to_owned();
    assert_eq!(get(&address, "/v1/nothing", &[]).await, 404);
    server.stop().await;
    assert!(server.lines().iter().all(|line| line["target"] != "request"));
}
