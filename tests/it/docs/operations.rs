//! Every operation that a page names exists in the HTTP interface.

use serde_json::Value;

use super::{pages, read};

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/// The operations in a line, such as `PUT /v1/messages/{id}/purge`. Paths that are shortened with `…` are left out.
fn operations(line: &str) -> Vec<(&str, &str)> {
    let words = line.split(|c: char| c.is_whitespace() || "`\"'(),;|".contains(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let pairs = words.windows(2).filter(|pair| METHODS.contains(&pair[0]) && pair[1].starts_with("/v1/") && !pair[1].contains('…'));
    pairs.map(|pair| (pair[0], pair[1].split('?').next().unwrap_or_default().trim_end_matches([':', '.']))).collect()
}

/// Whether a path of the interface matches the named one. A part in braces matches any part.
fn matches(address: &str, named: &str) -> bool {
    let (address, named) = (address.split('/').collect::<Vec<_>>(), named.split('/').collect::<Vec<_>>());
    address.len() == named.len() && address.iter().zip(&named).all(|(part, word)| part.starts_with('{') || part == word)
}

fn exists(paths: &Value, method: &str, named: &str) -> bool {
    let method = method.to_lowercase();
    let mut addresses = paths.as_object().expect("paths").iter();
    addresses.any(|(address, item)| matches(address, named) && item.get(&method).is_some())
}

#[test]
fn every_operation_that_a_document_names_exists() {
    let paths = &api::openapi::document().json["paths"];
    let mut missing = Vec::new();
    for page in pages() {
        for line in read(&page).lines() {
            let unknown = operations(line).into_iter().filter(|(method, named)| !exists(paths, method, named));
            missing.extend(unknown.map(|(method, named)| format!("{} names {method} {named}", page.display())));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn an_operation_is_found_with_its_method_in_the_text_around_it() {
    let line = "see `PUT /v1/messages/{id}/purge`, or GET /v1/users/me?x=1: but not `GET /v1/…/pins`";
    assert_eq!(operations(line), [("PUT", "/v1/messages/{id}/purge"), ("GET", "/v1/users/me")]);
    assert!(matches("/v1/messages/{message_id}/purge", "/v1/messages/{id}/purge") && !matches("/v1/users", "/v1/users/me"));
}
