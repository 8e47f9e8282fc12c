//! Chains of requests: schemathesis follows the links of `/openapi.json` from an answer to the next request, and judges
//! every answer with all of its checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::schemathesis::{World, bearer, setting, without_ending};

/// The number of chains. `BACKSCROLL_SCHEMATHESIS_CHAINS` sets another one.
const CHAINS: u32 = 5;
/// The most requests of a chain.
const STEPS_MAX: u32 = 8;

/// Failures that are right: the check, the code or the status of the answer, and the reason.
const RIGHT: [(&str, &str, &str); 7] = [
    ("positive_data_acceptance", "422", "the rules for values are more than a schema states, such as: one line, not in the past"),
    ("positive_data_acceptance", "idempotency.key_invalid", "a pattern would forbid spaces at the ends, which HTTP removes"),
    ("positive_data_acceptance", "request.body_invalid", "770.0 is an integer for JSON Schema, and no integer here"),
    ("positive_data_acceptance", "request.cursor_invalid", "a cursor is a text of an earlier answer; its schema is a text"),
    ("positive_data_acceptance", "request.header_invalid", "a tag or a position is a text of an earlier answer; its schema is a text"),
    ("positive_data_acceptance", "request.query_invalid", "parameters that exclude each other, which no schema of a parameter can say"),
    ("positive_data_acceptance", "request.position_unknown", "the log does not have this position yet"),
];

/// A failure: the check, the operation, the status of the answer, and its code.
type Failure = (String, String, String, String);

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
            let key = (text(&check["name"]), text(&failure["operation"]), answer["status"].to_string(), text(&answer["body"]["code"]));
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

fn is_right((check, _, status, code): &Failure) -> bool {
    RIGHT.iter().any(|(of_check, answer, _)| check == of_check && (answer == status || answer == code))
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
    let (_, printed) = world.report(&config, setting("CHAINS", CHAINS), &flags).await;
    assert!(path.exists(), "{printed}");
    let wrong = failures(&path).into_iter().filter(|(failure, _)| !is_right(failure)).collect::<BTreeMap<_, _>>();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let asked = asked(&path);
    assert!(asked.len() >= 25, "{asked:?}\n{printed}");
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
