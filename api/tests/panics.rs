//! A panic of a process that logs JSON. The test starts itself again as the process that panics.

use std::process::Command;

use api::config::LogFormat;
use api::telemetry;

/// Marks the process that panics.
const CHILD: &str = "BACKSCROLL_TEST_PANICS";
const NAME: &str = "a_panic_is_one_line_of_the_log";

#[test]
fn a_panic_is_one_line_of_the_log() {
    if std::env::var_os(CHILD).is_some() {
        telemetry::start("error", LogFormat::Json);
        let thread = std::thread::Builder::new().name("the-unlucky".into());
        let thread = thread.spawn(|| panic!("two\nlines")).expect("a thread");
        assert!(thread.join().is_err());
        return;
    }
    let tests = std::env::current_exe().expect("the test's own path");
    let child = Command::new(tests).args(["--exact", NAME, "--nocapture"]).env(CHILD, "1").env_remove("RUST_BACKTRACE").output();
    let child = child.expect("the test runs");
    assert!(child.status.success(), "{child:?}");
    let log = String::from_utf8_lossy(&child.stderr).into_owned();
    let [line] = log.lines().collect::<Vec<_>>().try_into().unwrap_or_else(|lines| panic!("not one line: {lines:?}"));
    let line = serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    assert_eq!(
        (&line["level"], &line["reason"], &line["thread"]),
        (&"ERROR".into(), &"two\nlines".into(), &"the-unlucky".into()),
        "{line}"
    );
    assert!(line["place"].as_str().is_some_and(|place| place.contains("panics.rs")), "{line}");
}
