//! The lines that `make run` prints work as pasted.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use reqwest::Method;
use tests::{TestApp, program, servers::checkout};
use tokio::time::timeout;

/// The last line that `backscroll demo` prints.
const LAST: &str = "Ctrl-C stops it.";

/// A running `backscroll demo`. It is killed when this value is dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The request that curl would send.
#[derive(Debug, Default, PartialEq)]
struct Pasted {
    method: Option<String>,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

/// The words of a line, split as a shell splits them: at spaces, but not between quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => word.extend(chars.next()),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn pasted(line: &str) -> Pasted {
    let mut pasted = Pasted::default();
    let mut words = words(line).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"));
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "-s" | "-sS" | "-sSN" | "-i" => {}
            "-X" => pasted.method = Some(value()),
            "-d" => pasted.body = Some(value()),
            "-H" => {
                let header = value();
                let (name, value) = header.split_once(": ").expect("a header");
                pasted.headers.push((name.to_owned(), value.to_owned()));
            }
            _ => pasted.url = word,
        }
    }
    // curl sends a body as a form unless a header says otherwise.
    if pasted.body.is_some() && !pasted.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        pasted.headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
    }
    pasted
}

/// Sends the request of a line, and returns the answer.
pub async fn answer(line: &str) -> reqwest::Response {
    let Pasted { method, url, headers, body } = pasted(line);
    let method = method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.into());
    let mut request = reqwest::Client::new().request(Method::from_bytes(method.as_bytes()).expect("a method"), url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body.unwrap_or_default()).send().await.expect("an answer")
}

/// Starts the demo. Returns it with the lines that it prints before it waits.
fn start(app: &TestApp, folder: &std::path::Path) -> (Demo, Vec<String>) {
    let folder = folder.display().to_string();
    let mut command = program::command(&["demo", "--run-folder", &folder], &app.environment);
    let mut demo = Demo(command.current_dir(checkout()).stderr(Stdio::null()).spawn().expect("the binary runs"));
    let mut printed = BufReader::new(demo.0.stdout.take().expect("its output")).lines();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != LAST) {
        lines.push(printed.next().unwrap_or_else(|| panic!("the demo ended: {}", lines.join("\n"))).expect("a line"));
    }
    drop(std::thread::spawn(move || printed.for_each(drop)));
    (demo, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_line_that_make_run_prints_succeeds() {
    let app = TestApp::not_started(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (_demo, lines) = tokio::task::block_in_place(|| start(&app, folder.path()));
    let curls = lines.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl ")).collect::<Vec<_>>();
    assert_eq!(curls.len(), 5, "{}", lines.join("\n"));
    let mut answers = Vec::new();
    for line in curls {
        let answer = answer(line).await;
        assert!(answer.status().is_success(), "{}: {line}", answer.status());
        answers.push(answer);
    }
    // The first one shows what the second one does.
    let (mut shown, mut live) = (String::new(), answers.swap_remove(0));
    while !shown.contains("Hello from curl") {
        let chunk = timeout(Duration::from_secs(30), live.chunk()).await.expect("an event in time");
        shown.push_str(&String::from_utf8_lossy(&chunk.expect("the stream").expect("no end of the stream")));
    }
}

#[test]
fn a_pasted_line_is_read_as_a_shell_and_curl_read_it() {
    let line = "curl -sS -X POST http://127.0.0.1/a -H 'Authorization: Bearer b c' -d '{\"content\": \"x\"}'";
    let read = pasted(line);
    assert_eq!((read.method.as_deref(), read.url.as_str()), (Some("POST"), "http://127.0.0.1/a"));
    assert_eq!(read.headers[0], ("Authorization".into(), "Bearer b c".into()));
    assert_eq!(read.headers[1].1, "application/x-www-form-urlencoded");
    assert_eq!(read.body.as_deref(), Some("{\"content\": \"x\"}"));
    assert_eq!(pasted("curl x -H \"Authorization: Bearer \\\"it's\\\"\"").headers[0].1, "Bearer \"it's\"");
}
