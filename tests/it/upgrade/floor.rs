//! The lowest release that may use a database.

use std::process::Stdio;

use tests::{Program, TestApp, eventually, program};

use super::set_floor;

/// Every verb that uses the database.
const VERBS: [&str; 15] = [
    "serve",
    "demo",
    "migrate",
    "import slack /nowhere.zip --workspace nowhere.example.org",
    "replay all",
    "replay views",
    "projections",
    "parked list relational",
    "parked skip relational workspace:nothing 1 --reason because",
    "log export --month 2001-01 --to /nowhere",
    "log restore /nowhere",
    "retention run",
    "keys rotate",
    "audit verify",
    "audit rotate-key",
];
/// The exit code of a refusal.
const REFUSED: Option<i32> = Some(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_below_the_lowest_release_stops_with_a_line_that_names_the_needed_one() {
    let app = TestApp::not_started(&[]).await;
    set_floor(&app.database.pool(1).await, "min_release = '9.0.0'").await;
    let line = format!(
        "backscroll: this is backscroll {}, and the database needs 9.0.0 or later: install that release, and start it\n",
        env!("CARGO_PKG_VERSION")
    );
    for verb in VERBS {
        let output = program::output(&verb.split(' ').collect::<Vec<_>>(), &app.environment).await;
        assert_eq!(program::said(&output), (REFUSED, line.clone()), "{verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_of_the_lowest_release_runs() {
    let app = TestApp::not_started(&[]).await;
    set_floor(&app.database.pool(1).await, &format!("min_release = '{}'", env!("CARGO_PKG_VERSION"))).await;
    let output = program::output(&["projections"], &app.environment).await;
    assert_eq!(output.status.code(), Some(0), "{}", program::said(&output).1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_stops_once_the_database_needs_a_later_release() {
    let app = TestApp::not_started(&[]).await;
    let (mut server, _) = Program::serving(&mut program::command(&["serve"], &app.environment), Stdio::null());
    set_floor(&app.database.pool(1).await, "min_release = '9.0.0'").await;
    eventually("the server stops", async || server.ended().is_some()).await;
    assert_eq!(server.ended(), REFUSED);
}
