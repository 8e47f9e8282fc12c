//! The refusals of every verb of the command line: an exit code, a reason on standard error, and nothing on standard
//! output.

use std::collections::BTreeMap;

use domain::ids::UserId;
use serde_json::{Value, json};
use tests::{Person, TestApp, eventually, program};

/// The arguments of a call, its exit code, and a part of its message.
const REFUSED: [(&str, i32, &str); 29] = [
    ("audit show 999999", 1, "there is no event at position 999999"),
    ("audit show one", 2, "invalid"),
    ("audit log --aggregate-type fixture", 2, "fixture"),
    ("audit log --from yesterday", 2, "yesterday"),
    ("audit as-of channel 00000000-0000-7000-8000-000000000000", 1, "the log has no such aggregate"),
    ("audit diff channel 00000000-0000-7000-8000-000000000000 --from 1 --to 2", 1, "the log has no such aggregate"),
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
    ("replay drop nothing", 2, "there is no view \"nothing\""),
    ("replay relational --until 999999", 2, "the log ends at position"),
    ("replay relational --until 1 --view Nonsense", 2, "the name of a view"),
    ("replay relational --workspace 00000000-0000-7000-8000-000000000000", 2, "there is no workspace"),
    ("retention run --workspace 00000000-0000-7000-8000-000000000000", 2, "there is no workspace"),
    ("users make-operator nobody@example.org", 2, "there is no user nobody@example.org"),
    ("users make-operator 00000000-0000-7000-8000-000000000000", 2, "there is no user"),
    ("users make-operator somebody", 2, "give the email address or the identifier"),
];

async fn said(arguments: &str, environment: &BTreeMap<String, String>) -> (Option<i32>, String, String) {
    let output = program::output(&arguments.split(' ').collect::<Vec<_>>(), environment).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_has_its_exit_code_and_a_reason() {
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
async fn without_a_needed_server_each_verb_says_so() {
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
        "users make-operator somebody@example.org",
    ];
    for verb in verbs {
        let (code, out, error) = said(verb, &environment).await;
        assert_eq!((code, out.as_str()), (Some(3), ""), "{verb}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_appointed_by_email_or_identifier_and_the_log_records_it() {
    let app = TestApp::start().await;
    let operator = app.sign_up("operator").await;
    let (ann, ben, cat) = (app.sign_up("ann").await, app.sign_up("ben").await, app.sign_up("cat").await);
    let suspension = format!("/v1/users/{}/suspension", cat.id);
    ann.put(&suspension, json!({})).await.expect_problem(403, "server.operators_only");
    for person in [ann.email.clone(), ben.id.to_string()] {
        let (code, out, error) = said(&format!("users make-operator {person}"), &app.environment).await;
        assert_eq!((code, out.contains("is an operator from position")), (Some(0), true), "{out}{error}");
        let (code, out, _) = said(&format!("users make-operator {person}"), &app.environment).await;
        assert_eq!((code, out.contains("is already an operator")), (Some(0), true), "{out}");
    }
    ann.put(&suspension, json!({})).await.expect(204);
    let (code, out, error) = said(&format!("users make-operator {}", cat.email), &app.environment).await;
    assert_eq!((code, out.as_str()), (Some(4), ""), "a suspended user cannot become an operator: {error}");
    assert!(error.contains("this user is suspended"), "{error}");

    let made = "SELECT aggregate_id, metadata ->> 'actor', metadata ->> 'command' FROM events WHERE event_type = 'user.made_operator' ORDER BY position";
    let made = sqlx::query_as::<_, (String, String, String)>(made).fetch_all(&app.app().pool).await.expect("the log");
    let by_the_server = |person: &Person| (person.id.to_string(), UserId::SYSTEM.to_string(), "make operator".to_owned());
    assert_eq!(made, [by_the_server(&ann), by_the_server(&ben)]);
    let (code, out, error) = said("audit log --type user.made_operator", &app.environment).await;
    assert!(code == Some(0) && out.matches("user.made_operator").count() == 2, "{out}{error}");

    // There are other operators now, so the first one may be suspended.
    let me = eventually_operator(&app, &ann).await;
    assert_eq!(me["is_operator"], true);
    ann.put(&format!("/v1/users/{}/suspension", operator.id), json!({})).await.expect(204);
}

/// The user's own profile, after the read side has projected that they are an operator.
async fn eventually_operator(app: &TestApp, person: &Person) -> Value {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    person.get_at(head, "/v1/users/me").await.expect(200)
}
