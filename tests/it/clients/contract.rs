//! The OpenAPI document as a contract: linters find nothing in it, and the changelog names each change that breaks a
//! client.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::servers::checkout;

use super::breaking::changes;

/// The heading in CHANGELOG.md under which changes that break clients are named.
const HEADING: &str = "### Changes that break clients";

#[test]
fn the_linters_find_nothing_in_the_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = folder.path().join("openapi.json");
    fs::write(&document, api::openapi::document().text).expect("the document");
    let output = Command::new(checkout().join("scripts/openapi-lint.sh")).arg(&document).output().expect("scripts/openapi-lint.sh runs");
    let report = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
}

/// The interface of the newest release that is kept.
fn released() -> Value {
    let releases = fs::read_dir(checkout().join("tests/fixtures/releases")).expect("the releases");
    let folders = releases.map(|entry| entry.expect("an entry").path()).filter(|path| path.join("openapi.json").exists());
    let version = |path: &std::path::PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split('.').map(|part| part.parse::<u32>().unwrap_or_default()).collect::<Vec<_>>()
    };
    let newest = folders.max_by_key(version).expect("a release with its openapi.json");
    serde_json::from_str(&fs::read_to_string(newest.join("openapi.json")).expect("a document")).expect("JSON")
}

/// The part of the changelog about the version in development that names changes which break clients.
fn named() -> String {
    let changelog = fs::read_to_string(checkout().join("CHANGELOG.md")).expect("the changelog");
    let version = changelog.split("\n## ").nth(1).unwrap_or_default();
    let section = version.split_once(HEADING).map_or("", |(_, rest)| rest);
    section.split("\n### ").next().unwrap_or_default().to_owned()
}

#[test]
fn the_changelog_names_each_change_that_breaks_a_client() {
    let named = named();
    let unnamed = changes(&released(), &api::openapi::document().json);
    let unnamed = unnamed.into_iter().filter(|(operation, _)| !named.contains(&format!("`{operation}`"))).collect::<BTreeMap<_, _>>();
    assert!(unnamed.is_empty(), "name these operations in CHANGELOG.md, under \"{HEADING}\": {unnamed:#?}");
}

/// A document with one operation.
fn document(parameter: &Value, body: &Value, answer: &Value) -> Value {
    json!({
        "paths": {"/things": {"post": {
            "operationId": "make_thing",
            "parameters": [parameter],
            "requestBody": {"content": {"application/json": {"schema": body}}},
            "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
        }}},
        "components": {"schemas": {"Thing": answer}},
    })
}

fn limit(required: bool) -> Value {
    json!({"in": "query", "name": "limit", "required": required, "schema": {"type": "integer", "maximum": 100}})
}

fn body() -> Value {
    json!({"type": "object", "properties": {"kind": {"type": "string", "enum": ["a", "b"]}}})
}

fn answer() -> Value {
    json!({"type": "object", "properties": {"state": {"type": "string", "enum": ["on", "off"]}}, "required": ["state"]})
}

#[test]
fn each_kind_of_breaking_change_is_found() {
    let old = document(&limit(false), &body(), &answer());
    let found = |new: &Value| changes(&old, new).remove("make_thing").unwrap_or_default();
    let with_body = |body: Value| document(&limit(false), &body, &answer());
    let with_answer = |answer: Value| document(&limit(false), &body(), &answer);
    let cases = [
        (document(&limit(true), &body(), &answer()), "query limit is required now"),
        (with_body(json!({"type": "object"})), "body.kind is not taken any more"),
        (
            with_body(json!({"type": "object", "properties": {"kind": {"type": "string", "enum": ["a"]}}})),
            "body.kind does not take all words any more",
        ),
        (
            with_body(json!({"type": "object", "properties": {"kind": {"type": "string", "maxLength": 5}}})),
            "body.kind has a narrower maxLength",
        ),
        (
            with_body(
                json!({"type": "object", "properties": {"kind": body()["properties"]["kind"], "new": {"type": "string"}}, "required": ["new"]}),
            ),
            "body.new is new, and required",
        ),
        (with_answer(json!({"type": "object"})), "200.state is gone"),
        (with_answer(json!({"type": "object", "properties": answer()["properties"]})), "200.state may be absent now"),
        (
            with_answer(
                json!({"type": "object", "properties": {"state": {"type": ["string", "null"], "enum": ["on", "off", "x"]}}, "required": ["state"]}),
            ),
            "200.state may be null now",
        ),
    ];
    for (new, expected) in cases {
        assert!(found(&new).iter().any(|change| change == expected), "{expected}: {:?}", found(&new));
    }
    assert_eq!(changes(&old, &json!({"paths": {}}))["make_thing"], ["the operation is gone"]);
}

#[test]
fn a_change_that_breaks_nobody_is_not_found() {
    let old = document(&limit(true), &body(), &answer());
    let more = json!({"type": "object", "properties": {"kind": {"type": "string"}, "note": {"type": "string"}}});
    let richer = json!({
        "type": "object",
        "properties": {"state": {"type": "string", "enum": ["on"]}, "since": {"type": "string"}},
        "required": ["state", "since"],
    });
    assert_eq!(changes(&old, &document(&limit(false), &more, &richer)), BTreeMap::new());
}
