//! The list of codes is complete: it has every code that the sources can produce, and no other one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Sources that make problems. The tables of refusals are read separately.
const SOURCES: [&str; 9] = [
    "api/src/problem.rs",
    "api/src/problem",
    "api/src/extract.rs",
    "api/src/extract",
    "api/src/http",
    "api/src/limit",
    "api/src/app",
    "commands/src/refusal.rs",
    "commands/src/access_refusal.rs",
];
/// Texts in these sources that look like codes and are none: events and permissions in examples, and a field of the log.
const NO_CODES: [&str; 6] = ["actor.id", "channel.create_public", "inner.at", "inner.size", "message.post", "message.react"];

fn files(path: PathBuf, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).expect("a folder").for_each(|entry| files(entry.expect("an entry").path(), found));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path);
    }
}

/// The texts of the form `word.word` in a source, without its tests.
fn dotted(source: &str) -> impl Iterator<Item = String> {
    let source = source.split("\nmod tests {").next().unwrap_or_default();
    let is_code = |text: &&str| {
        let parts = text.split('.').collect::<Vec<_>>();
        parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    source.split('"').skip(1).filter(is_code).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[test]
fn every_code_in_the_sources_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    let mut sources = Vec::new();
    SOURCES.iter().for_each(|source| files(root.join(source), &mut sources));
    let texts = sources.iter().map(|path| fs::read_to_string(path).expect("a source"));
    let found = texts.flat_map(|text| dotted(&text).collect::<Vec<_>>()).filter(|code| !NO_CODES.contains(&code.as_str()));
    let found = found.collect::<BTreeSet<_>>();
    let codes = codes();
    let missing = found.iter().filter(|code| !codes.contains_key(code.as_str())).collect::<Vec<_>>();
    assert!(missing.is_empty(), "add these codes to OTHERS: {missing:?}");
    // `internal` has no dot, and the key's code is in the event store.
    let elsewhere = ["internal", "idempotency.key_invalid"];
    let dead = OTHERS.iter().map(|(code, _)| *code).filter(|code| !elsewhere.contains(code) && !found.contains(*code)).collect::<Vec<_>>();
    assert!(dead.is_empty(), "no source makes these codes: {dead:?}");
}

#[test]
fn groups_and_operations_name_existing_codes_and_operations() {
    let codes = codes();
    let document = crate::openapi::document().json;
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|item| item.as_object().into_iter().flatten().map(|(_, operation)| operation));
    for operation in operations.filter(|operation| operation["operationId"].is_string()) {
        for code in operation["x-problem-codes"].as_array().into_iter().flatten() {
            assert!(codes.contains_key(code.as_str().expect("a code")), "{}: {code}", operation["operationId"]);
        }
    }
    for (name, _, of_group) in GROUPS {
        assert!(of_group.iter().all(|code| codes.contains_key(code)), "{name}");
    }
}
