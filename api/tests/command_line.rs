//! Runs the binary as a shell does. These tests need no server.

#![expect(clippy::expect_used, reason = "a test that cannot run the binary has failed")]

use std::process::{Command, Output, Stdio};

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backscroll"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn backscroll(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Valid settings of servers that do not exist.
const NOWHERE: [(&str, &str); 4] = [
    ("BACKSCROLL_POSTGRES_URL", "postgres://nobody@127.0.0.1:1/nothing"),
    ("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1"),
    ("BACKSCROLL_NATS_URL", "nats://127.0.0.1:1"),
    ("BACKSCROLL_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
];

#[test]
fn printing_the_documents_needs_no_settings() {
    for (verb, expected) in
        [("settings", "BACKSCROLL_MASTER_KEY"), ("events", "message.posted"), ("openapi", "/v1/channels/{channel_id}/messages")]
    {
        let output = backscroll(&[verb], &[]);
        assert!(output.status.success() && text(&output.stdout).contains(expected), "{verb}: {output:?}");
    }
}

#[test]
fn the_openapi_document_is_3_1() {
    let output = backscroll(&["openapi"], &[]);
    let document = serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
}

#[test]
fn missing_settings_are_named_and_exit_with_2() {
    let output = backscroll(&["serve"], &[]);
    assert_eq!(output.status.code(), Some(2));
    for name in ["BACKSCROLL_POSTGRES_URL", "BACKSCROLL_REDIS_URL", "BACKSCROLL_NATS_URL", "BACKSCROLL_MASTER_KEY"] {
        assert!(text(&output.stderr).contains(name), "{output:?}");
    }
}

#[test]
fn an_invalid_command_line_exits_with_2() {
    assert_eq!(backscroll(&["serv"], &[]).status.code(), Some(2));
    assert_eq!(backscroll(&["serve", "--only", "everything"], &[]).status.code(), Some(2));
    assert_eq!(backscroll(&[], &[]).status.code(), Some(2));
}

#[test]
fn an_unreachable_server_exits_with_3() {
    let asked = [&["migrate"][..], &["serve"], &["projections"], &["replay", "relational"], &["audit", "log"]];
    // All run at once: each waits some time for its server.
    let running = asked.map(|arguments| (arguments, command(arguments, &NOWHERE).spawn().expect("the binary runs")));
    for (arguments, child) in running {
        let output = child.wait_with_output().expect("the binary ends");
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
        assert!(!text(&output.stderr).contains("AAAA"), "no secret is printed");
    }
}
