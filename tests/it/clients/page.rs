//! The examples of docs/CLIENTS.md work as pasted.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use serde_json::Value;
use tests::person::PASSWORD;
use tests::{Team, TestApp};
use uuid::Uuid;

use crate::docs::{pasted, written};

const PAGE: &str = "docs/CLIENTS.md";

/// The code blocks of a language, in the order of the page.
fn blocks(language: &str) -> Vec<String> {
    let page = written(PAGE);
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter(|(name, _)| *name == language).map(|(_, code)| code.to_owned()).collect()
}

/// The only example of a language.
pub fn example(language: &str) -> String {
    let [example] = <[String; 1]>::try_from(blocks(language)).expect("one example");
    example
}

/// The commands of the page: each block, with its continued lines joined.
fn commands() -> Vec<String> {
    let lines = blocks("sh").into_iter().flat_map(|block| {
        let joined = block.replace("\\\n", " ");
        joined.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.filter(|line| line.starts_with("curl ")).collect()
}

/// The variables of the page, which an answer may set.
type Variables = BTreeMap<&'static str, String>;

fn fill(command: &str, variables: &Variables) -> String {
    variables.iter().fold(command.to_owned(), |line, (name, value)| line.replace(&format!("${name}"), value))
}

/// The variables that the page takes out of this answer.
fn learn(variables: &mut Variables, headers: &HeaderMap, body: &Value) {
    for (name, field) in [("TOKEN", "token"), ("MESSAGE", "message_id"), ("PREVIOUS", "previous")] {
        if let Some(text) = body[field].as_str() {
            variables.insert(name, text.to_owned());
        }
    }
    if let Some(position) = headers.get("Backscroll-Position") {
        variables.insert("POSITION", position.to_str().expect("a number").to_owned());
    }
}

/// The refusal that a command of the page gets, in its comment: `# 422: input.invalid`. All others succeed.
fn refusal(command: &str) -> Option<(u16, &str)> {
    let (status, code) = command.rsplit_once(" # ")?.1.split_once(": ")?;
    Some((status.parse().ok()?, code))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_page_works() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for n in 0..4 {
        team.message(&team.owner, team.general, &format!("message {n}")).await;
    }
    let mut variables = Variables::from([
        ("SERVER", app.url.clone()),
        ("LOGIN", team.owner.username.clone()),
        ("PASSWORD", PASSWORD.to_owned()),
        ("WORKSPACE", team.id.to_string()),
        ("CHANNEL", team.general.to_string()),
        ("KEY", Uuid::now_v7().to_string()),
    ]);
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let line = fill(&command, &variables);
        let answer = pasted::answer(line.split(" # ").next().unwrap_or_default()).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.expect("a text");
        let body = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let is_expected = refusal(&command).map_or(status.is_success(), |(refused, code)| status == refused && body["code"] == code);
        assert!(is_expected, "{command}\n{status} {text}");
        learn(&mut variables, &headers, &body);
    }
}

#[test]
fn the_page_has_at_most_two_pages() {
    const WORDS_MAX: usize = 1_300;
    let words = written(PAGE).split_whitespace().count();
    assert!(words <= WORDS_MAX, "{words} words");
}
