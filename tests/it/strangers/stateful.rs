//! Chains of requests: schemathesis follows the links of `/openapi.json` from an answer to the next request, and judges
//! every answer with all of its checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::schemathesis::{World, bearer, without_ending};

/// The number of chains.
const CHAINS: u32 = 12;
/// The most requests of a chain.
const STEPS_MAX: u32 = 8;

/// Failures that are none, by check and by the code of the answer, with the reason.
const RIGHT: [(&str, &str, &str); 9] = [
    ("positive_data_acceptance", "input.invalid", "texts have rules that no schema states: one line, no control characters"),
    ("positive_data_acceptance", "input.required", "what may not be cleared depends on the row"),
    ("positive_data_acceptance", "request.body_invalid", "a number such as 770.0 is an integer for JSON Schema, and not for Rust"),
    ("positive_data_acceptance", "request.cursor_invalid", "a cursor is a text of an earlier answer, and the schema a text"),
    ("positive_data_acceptance", "request.position_unknown", "a position that the log does not have yet"),
    ("positive_data_acceptance", "password.wrong", "a password that is not the caller's"),
    ("positive_data_acceptance", "password.weak", "a password that is guessed easily"),
    ("positive_data_acceptance", "search.query_invalid", "the language of searches has its own grammar"),
    ("positive_data_acceptance", "hold.target_invalid", "the channel or person is of another workspace"),
];

/// A failure: the check, the operation, and the code of the answer, or its status if it is no problem.
type Failure = (String, String, String);

fn failures(report: &Path) -> BTreeMap<Failure, String> {
    let text = std::fs::read_to_string(report).expect("the report");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.map(|event| event["ScenarioFinished"]["recorder"].clone()).flat_map(|recorder| of_chain(&recorder)).collect()
}

/// The failures of a chain, each with its answer.
fn of_chain(chain: &Value) -> Vec<(Failure, String)> {
    let mut failures = Vec::new();
    for (case, checks) in chain["checks"].as_object().into_iter().flatten() {
        let answer = answer(&chain["interactions"][case]["response"]);
        for check in checks.as_array().into_iter().flatten().filter(|check| check["status"] == "failure") {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let failure = &check["failure_info"]["failure"];
            let key = (text(&check["name"]), text(&failure["operation"]), code(&answer));
            failures.push((key, format!("{}\n{answer}", text(&failure["message"]))));
        }
    }
    failures
}

/// The status and the body of an answer.
fn answer(response: &Value) -> Value {
    let bytes = BASE64_STANDARD.decode(response["content"]["$base64"].as_str().unwrap_or_default()).unwrap_or_default();
    json!({"status": response["status_code"], "body": serde_json::from_slice::<Value>(&bytes).unwrap_or_default()})
}

fn code(answer: &Value) -> String {
    answer["body"]["code"].as_str().map_or_else(|| answer["status"].to_string(), str::to_owned)
}

fn is_right((check, _, code): &Failure) -> bool {
    RIGHT.iter().any(|(of_check, of_code, _)| check == of_check && code == of_code)
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_requests_are_answered_as_documented() {
    let world = World::make().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    let mut config = world.config(&bearer(&world.team.owner.token));
    config["checks"] = json!({"enabled": true, "response_schema_conformance": {"enabled": true, "validate-formats": true}});
    config["phases"] = json!({"stateful": {"enabled": true, "max-steps": STEPS_MAX}});
    let report = ["--phases", "stateful", "--report", "ndjson", "--report-ndjson-path", path.to_str().expect("a path")];
    let flags = report.map(str::to_owned).into_iter().chain(without_ending()).collect::<Vec<_>>();
    let (_, printed) = world.report(&config, CHAINS, &flags).await;
    assert!(path.exists(), "{printed}");
    let (_, wrong) = failures(&path).into_iter().partition::<BTreeMap<_, _>, _>(|(failure, _)| is_right(failure));
    assert!(wrong.is_empty(), "{wrong:#?}");
    let asked = asked(&path);
    assert!(asked.len() >= 40, "{asked:?}\n{printed}");
}

/// The operations that the chains asked, by their labels.
fn asked(report: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(report).expect("the report");
    let chains = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let labels = chains.flat_map(|event| {
        let cases = event["ScenarioFinished"]["recorder"]["cases"].clone();
        let label = |case: &Value| Some(format!("{} {}", case["value"]["method"].as_str()?, case["value"]["path"].as_str()?));
        cases.as_object().into_iter().flatten().filter_map(|(_, case)| label(case)).collect::<Vec<_>>()
    });
    labels.collect()
}
