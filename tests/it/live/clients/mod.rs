//! Clients that we did not write: each connects, is cut off again and again, goes on by its cursor, and has every message
//! once and in order. The first two are the examples of docs/LIVE.md.

mod cut;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cut::Cut;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::person::PASSWORD;
use tests::servers::checkout;
use tests::{Person, Team, TestApp};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::docs::written;

/// The messages that a client must get.
const MESSAGES: usize = 60;
/// The least number of connections of a client: it was cut off between them.
const CONNECTIONS_MIN: u64 = 3;
/// The bytes that a connection passes on. A frame has some 700 bytes.
const WEBSOCKET_BYTES: u64 = 6_000;
/// An event stream is opened again only after seconds, so it is cut less often.
const STREAM_BYTES: u64 = 12_000;
/// The longest time until the next line of a program. The first one may have to fetch the programs.
const LINE_MAX: Duration = Duration::from_secs(240);

/// The client of docs/LIVE.md in this language.
fn example(language: &str) -> String {
    let page = written("docs/LIVE.md");
    let (_, section) = page.split_once("\n## Two clients\n").expect("the section of the clients");
    let blocks = section.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let found = blocks.filter(|(name, _)| *name == language).map(|(_, code)| code.to_owned()).collect::<Vec<_>>();
    let [example] = <[String; 1]>::try_from(found).expect("one example");
    example
}

/// A program of this folder.
fn program(name: &str) -> String {
    std::fs::read_to_string(checkout().join("tests/it/live/clients").join(name)).expect("a program")
}

/// A running client. It prints every frame that it gets as a line of JSON, and at last the close code.
struct Running {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
    _folder: TempDir,
}

impl Running {
    /// Writes a program to a folder, beside the packages of npm, and runs it.
    fn start(name: &str, text: &str, with: &[&str], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), text).expect("the program");
        let runs = if Path::new(name).extension().is_some_and(|extension| extension == "py") { "python" } else { "node" };
        let line = "[ -e node_modules ] || ln -s \"$NODE_MODULES\" node_modules; exec \"$@\"";
        let mut command = Command::new(checkout().join("scripts/clients.sh"));
        command.args(with).args(["sh", "-c", line, "sh", runs, name]).args(arguments);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("scripts/clients.sh");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { lines, _child: child, _folder: folder }
    }

    /// The next line of the program, or `None` after the last.
    async fn line(&mut self) -> Option<Value> {
        let line = timeout(LINE_MAX, self.lines.next_line()).await.expect("a line in time").expect("a line");
        line.map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    async fn frame(&mut self, wanted: &str) -> Value {
        loop {
            let frame = self.line().await.expect("a frame");
            if frame["type"] == wanted {
                return frame;
            }
        }
    }
}

/// The server, its team, and the proxy before it.
struct Scene {
    cut: Cut,
    app: TestApp,
    team: Team,
}

impl Scene {
    async fn set(bytes_min: u64) -> Self {
        let cut = Cut::listen(bytes_min).await;
        let app = TestApp::start_with(&[("BACKSCROLL_PUBLIC_URL", &cut.url)]).await;
        cut.pass_to(&app.url);
        let team = Team::found(&app).await;
        Self { cut, app, team }
    }

    /// Posts while the client is cut off again and again. It must get every message once and in order. Then the session
    /// ends, and the client learns that it must not come back.
    async fn judge(&self, mut client: Running, end_of_session: impl AsyncFnOnce()) {
        client.frame("hello").await;
        let texts = (0..MESSAGES).map(|n| format!("message {n}")).collect::<Vec<_>>();
        let posting = async {
            for text in &texts {
                self.team.post(&self.team.owner, self.team.general, text).await.expect(201);
            }
        };
        let reading = async {
            let mut got: Vec<(i64, String)> = Vec::new();
            while got.last().is_none_or(|(_, text)| Some(text) != texts.last()) {
                let frame = client.frame("event").await;
                let content = frame["message"]["content"].as_str().unwrap_or_default().to_owned();
                got.push((frame["position"].as_i64().expect("a position"), content));
            }
            got
        };
        let ((), got) = tokio::join!(posting, reading);
        assert!(got.is_sorted_by(|one, two| one.0 < two.0), "twice or out of order: {got:?}");
        let messages = got.into_iter().map(|(_, text)| text).filter(|text| text.starts_with("message ")).collect::<Vec<_>>();
        assert_eq!(messages, texts);
        let connections = self.cut.connections();
        assert!(connections >= CONNECTIONS_MIN, "the client was cut off between {connections} connections only");
        self.cut.is_done();
        end_of_session().await;
        let mut last = Value::Null;
        while let Some(line) = client.line().await {
            last = line;
        }
        assert_eq!(last, json!(4101), "the last line is the close code of an ended session");
    }

    /// The same for a program that gets the server's address and a token.
    async fn judge_with_token(&self, name: &str, text: &str) {
        let token = self.app.sign_in(&self.team.member.email).await;
        let client = Running::start(name, text, &[], &[&self.cut.url, &token]);
        self.judge(client, async || sign_out(&self.team.member.with_token(token.clone())).await).await;
    }

    /// The same for a page in Chromium, which signs in by itself and keeps its session in a cookie.
    async fn judge_in_chromium(&self, way: &str) {
        let member = &self.team.member;
        let arguments = [way, &self.cut.url, &member.email, PASSWORD];
        let client = Running::start("browser.mjs", &program("browser.mjs"), &["--chromium"], &arguments);
        self.judge(client, async || end_other_sessions(member).await).await;
    }
}

/// Ends every session of a user but the one that this request belongs to.
async fn end_other_sessions(person: &Person) {
    let sessions = person.get("/v1/sessions").await.expect(200);
    for session in sessions["items"].as_array().expect("sessions").iter().filter(|session| session["current"] == false) {
        person.delete(&format!("/v1/sessions/{}", session["session_id"].as_str().expect("an identifier"))).await.expect(204);
    }
}

async fn sign_out(person: &Person) {
    person.delete("/v1/sessions/current").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_javascript_has_every_message_once_and_in_order() {
    Scene::set(WEBSOCKET_BYTES).await.judge_with_token("live.mjs", &example("js")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_has_every_message_once_and_in_order() {
    Scene::set(WEBSOCKET_BYTES).await.judge_with_token("live.py", &example("python")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_ws_of_npm_has_every_message_once_and_in_order() {
    Scene::set(WEBSOCKET_BYTES).await.judge_with_token("ws.mjs", &program("ws.mjs")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_eventsource_of_npm_has_every_message_once_and_in_order() {
    Scene::set(STREAM_BYTES).await.judge_with_token("eventsource.mjs", &program("eventsource.mjs")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_chromium_with_a_websocket_has_every_message_once_and_in_order() {
    Scene::set(WEBSOCKET_BYTES).await.judge_in_chromium("websocket").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_chromium_with_an_event_source_has_every_message_once_and_in_order() {
    Scene::set(STREAM_BYTES).await.judge_in_chromium("eventsource").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_in_chromium_gets_nothing() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let arguments = [app.url.as_str(), &team.member.email, PASSWORD];
    let mut client = Running::start("foreign.mjs", &program("foreign.mjs"), &["--chromium"], &arguments);
    // The page of the server's own origin shows that the cookie is one that signs in.
    assert_eq!(client.line().await, Some(json!({"own": {"websocket": "hello", "eventsource": "hello"}})));
    assert_eq!(client.line().await, Some(json!({"foreign": {"websocket": 1006, "eventsource": "refused"}})));
}
