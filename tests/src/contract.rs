//! The promises of the OpenAPI document, checked on every answer that a test receives: the status, the media type, and the
//! code of a problem are documented for the operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

use crate::answer::Answer;

/// The permitted answers of an operation.
#[derive(Debug)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// The media types of each status that is not a problem.
    pub successes: BTreeMap<u16, BTreeSet<String>>,
    /// The codes of problems.
    pub codes: BTreeSet<String>,
}

/// The operations of the document.
#[derive(Debug)]
pub struct Contract {
    operations: Vec<(String, Vec<String>, Operation)>,
    /// The statuses of each code.
    pub statuses: BTreeMap<String, BTreeSet<u16>>,
}

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn texts(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned))
}

impl Contract {
    /// The contract of this release.
    pub fn of_this_release() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| Self::of(&api::openapi::document().json))
    }

    /// The contract of a document.
    ///
    /// # Panics
    /// Panics if the document has no paths.
    #[must_use]
    pub fn of(document: &Value) -> Self {
        let components = &document["components"];
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in METHODS.iter().filter(|method| item[**method].is_object()) {
                let segments = path.split('/').map(str::to_owned).collect();
                operations.push(((*method).to_owned(), segments, Operation::of(&item[*method], components)));
            }
        }
        let statuses = components["x-problem-statuses"].as_object().into_iter().flatten();
        let numbers = |value: &Value| value.as_array().into_iter().flatten().filter_map(|n| u16::try_from(n.as_u64()?).ok()).collect();
        Self { operations, statuses: statuses.map(|(code, of_code)| (code.clone(), numbers(of_code))).collect() }
    }

    /// Finds an operation by a request. A fixed part of a path goes before a variable.
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let asked = path.split('/').collect::<Vec<_>>();
        let candidates = self.operations.iter().filter(|(of, template, _)| *of == method && fits(template, &asked));
        candidates.max_by_key(|(_, template, _)| template.iter().filter(|part| !part.starts_with('{')).count()).map(|(.., found)| found)
    }

    /// The statuses with which an operation may refuse a request.
    #[must_use]
    pub fn refusals(&self, operation: &Operation) -> BTreeSet<u16> {
        operation.codes.iter().filter_map(|code| self.statuses.get(code)).flatten().copied().collect()
    }

    /// The document with each status of a problem in the place of `default`. Tools that compare statuses need it.
    ///
    /// # Panics
    /// Panics if an operation of the document is not in this contract.
    #[must_use]
    pub fn spelt_out(&self, document: &Value) -> Value {
        let mut document = document.clone();
        for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
            for method in METHODS {
                let Some(responses) = item.get_mut(method).and_then(|operation| operation["responses"].as_object_mut()) else { continue };
                let Some(default) = responses.remove("default") else { continue };
                let operation = self.operation(method, path).expect("an operation");
                responses.extend(self.refusals(operation).into_iter().map(|status| (status.to_string(), default.clone())));
            }
        }
        document
    }
}

/// Whether a path is one of the template. The last variable of a tile's address has several parts.
fn fits(template: &[String], asked: &[&str]) -> bool {
    let is_open = template.last().is_some_and(|last| last == "{index}");
    let same_length = template.len() == asked.len() || (is_open && asked.len() > template.len());
    same_length && template.iter().zip(asked).all(|(part, asked)| part.starts_with('{') || part == asked)
}

impl Operation {
    fn of(operation: &Value, components: &Value) -> Self {
        let mut codes = texts(&operation["x-problem-codes"]).collect::<BTreeSet<_>>();
        for group in texts(&operation["x-problem-groups"]) {
            codes.extend(texts(&components["x-problem-groups"][group]["codes"]));
        }
        let responses = operation["responses"].as_object().into_iter().flatten();
        let types = |response: &Value| response["content"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let successes = responses.filter_map(|(status, response)| Some((status.parse().ok()?, types(response)))).collect();
        Self { name: operation["operationId"].as_str().unwrap_or_default().to_owned(), successes, codes }
    }
}

/// Checks an answer of the HTTP interface. `asked` is the method and the path of the request.
///
/// # Panics
/// Panics if the document does not have the answer.
#[track_caller]
pub fn check(answer: &Answer) {
    let contract = Contract::of_this_release();
    let Some((method, path)) = answer.asked.split_once(' ') else { return };
    let status = answer.status.as_u16();
    let media_type = answer.header("content-type").and_then(|text| text.split(';').next()).unwrap_or_default();
    let operation = contract.operation(method, path);
    if media_type == "application/problem+json" && method != "HEAD" {
        let code = answer.body["code"].as_str().unwrap_or_default();
        let statuses = contract.statuses.get(code);
        assert!(
            statuses.is_some_and(|statuses| statuses.contains(&status)),
            "{}: {status} {code} is not documented: add it in \
            api/src/openapi/problems.rs",
            answer.asked
        );
        if let Some(operation) = operation {
            assert!(
                operation.codes.contains(code),
                "{}: {} may not answer {code}: add it in api/src/openapi/problems/own.rs",
                answer.asked,
                operation.name
            );
        }
    } else if let Some(operation) = operation.filter(|_| answer.status.is_success()) {
        let types = operation.successes.get(&status);
        let types = types.unwrap_or_else(|| panic!("{}: the status {status} is not documented for {}", answer.asked, operation.name));
        let is_known = answer.body.is_null() || types.contains(media_type);
        assert!(is_known, "{}: {media_type} is not documented for {}", answer.asked, operation.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_the_operation_with_the_most_fixed_parts() {
        let contract = Contract::of_this_release();
        for (method, path, name) in [
            ("GET", "/v1/users/me", Some("get_me")),
            ("HEAD", "/v1/users/0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b", Some("get_user")),
            ("GET", "/v1/proof/tile/entries/x001/067.p/112", Some("get_entries")),
            ("GET", "/v1/proof/tile/0/x001/067", Some("get_tile")),
            ("PATCH", "/v1/nothing", None),
        ] {
            assert_eq!(contract.operation(method, path).map(|operation| operation.name.as_str()), name, "{method} {path}");
        }
    }

    #[test]
    fn the_statuses_of_an_operation_follow_from_its_codes() {
        let contract = Contract::of_this_release();
        let of = |method: &str, path: &str| contract.refusals(contract.operation(method, path).expect("an operation"));
        assert_eq!(Vec::from_iter(of("GET", "/v1/server")), [429, 500, 502, 503]);
        assert_eq!(Vec::from_iter(of("POST", "/v1/sessions")), [400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 502, 503]);
        let spelt_out = contract.spelt_out(&api::openapi::document().json);
        assert!(spelt_out["paths"]["/v1/server"]["get"]["responses"]["429"].is_object());
        assert!(spelt_out["paths"]["/v1/server"]["get"]["responses"]["default"].is_null());
    }
}
