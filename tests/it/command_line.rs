//! What every verb of the command line refuses: with its exit code, a reason on the standard error, and nothing on the standard output.

use std::collections::BTreeMap;

use tests::{TestApp, eventually, program};

/// What each is called with, how it ends, and a part of what it says.
const REFUSED: [(&str, i32, &str); 26] = [
    ("audit show 999999", 1, "there is no event at position 999999"),
    ("audit show one", 2, "invalid"),
    ("audit log --aggregate-type house", 2, "house"),
    ("audit log --from yesterday", 2, "yesterday"),
    ("audit as-of channel 00000000-0000-7000-8000-000000000000", 1, "the log knows no such thing"),
    ("audit diff channel 00000000-0000-7000-8000-000000000000 --from 1 --to 2", 1, "the log knows no such thing"),
    ("audit export --workspace 00000000-0000-7000-8000-000000000000", 2, "there is no workspace"),
    ("audit export --workspace here", 2, "here"),
    ("audit prove 999999", 4, "position must be 1 to"),
    ("audit prove 0", 4, "position must be 1 to"),
    ("audit verify --checkpoint /nowhere", 2, "/nowhere"),
    ("audit verify --key nonsense", 2, "nonsense"),
    ("audit verify-export /nowhere --key nonsense", 2, "nonsense"),
    ("import slack /nowhere.zip", 2, "--workspace"),
    ("keys rotate all", 2, "all"),
    ("log export --month 2001-01 --to /tmp", 2, "nothing was recorded in 2001-01"),
    ("log export --month 2999-01 --to /tmp", 2, "is not over"),
    ("log export --month 2001-13 --to /tmp", 2, "2001-13"),
    ("log verify-export /nowhere", 1, "/nowhere"),
    ("log restore /nowhere", 1, "/nowhere"),
    ("parked skip relational channel:nothing 999999 --reason because", 2, "nothing is parked under"),
    ("replay drop nothing", 2, "there is no view of the name \"nothing\""),
    ("replay relational --until 999999", 2, "the log ends at position"),
    ("replay relational --until 1 --view Nonsense", 2, "a view's name"),
    ("replay relational --workspace 00000000-0000-7000-8000-000000000000", 2, "there is no workspace"),
    ("retention run --workspace 00000000-0000-7000-8000-000000000000", 2, "there is no workspace"),
];

async fn said(arguments: &str, environment: &BTreeMap<String, String>) -> (Option<i32>, String, String) {
    let output = program::output(&arguments.split(' ').collect::<Vec<_>>(), environment).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_and_how_it_ended() {
    let app = TestApp::start().await;
    app.sign_up("somebody").await;
    eventually("a head is signed", async || app.app().proofs.newest().await.expect("the heads").is_some()).await;
    let mut wrong = Vec::new();
    for (arguments, code, part) in REFUSED {
        let (ended, out, error) = said(arguments, &app.environment).await;
        if ended != Some(code) || !out.is_empty() || !error.contains(part) {
            wrong.push(format!("{arguments}: {ended:?} {out}{error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_that_is_needed_each_says_so() {
    let app = TestApp::start().await;
    let mut environment = app.environment.clone();
    environment.insert("BACKSCROLL_POSTGRES_URL".into(), "postgres://nobody@127.0.0.1:9/nothing".into());
    let verbs = [
        "audit show 1",
        "audit verify",
        "keys rotate",
        "log export --month 2001-01 --to /tmp",
        "projections",
        "replay views",
        "retention run",
    ];
    for verb in verbs {
        let (code, out, error) = said(verb, &environment).await;
        assert_eq!((code, out.as_str()), (Some(3), ""), "{verb}: {error}");
    }
}
