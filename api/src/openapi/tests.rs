//! The document is complete, and agrees with the value types.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{METHODS, document};

fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &Value)| {
        let of_method = |method: &&str| item.get(*method).map(|operation| (format!("{method} {path}"), operation.clone()));
        METHODS.iter().filter_map(of_method).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn every_operation_has_a_unique_name_and_a_tag() {
    let document = document();
    let operations = operations(&document.json);
    let names =
        operations.iter().map(|(_, operation)| operation["operationId"].as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), operations.len());
    let tags = document.json["tags"].as_array().expect("tags").iter().map(|tag| tag["name"].clone()).collect::<Vec<_>>();
    for (address, operation) in operations {
        assert!(tags.contains(&operation["tags"][0]), "{address}: {}", operation["tags"]);
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{address}");
    }
}

#[test]
fn every_operation_under_v1_is_a_command_a_query_or_about_sessions() {
    let others = [
        "/sessions",
        "/password",
        "/replays",
        "/parked",
        "/replay-views",
        "/retention/runs",
        "/presence",
        "/typing",
        "/read-marker",
        "/proof/",
    ];
    for (address, operation) in operations(&document().json) {
        let parameters = operation["parameters"].to_string();
        let is_known = parameters.contains("Idempotency-Key") || parameters.contains("Backscroll-Min-Position");
        assert!(is_known || !address.contains("/v1/") || others.iter().any(|part| address.contains(part)), "{address}");
    }
}

#[test]
fn every_operation_but_health_checks_names_its_rate_limit_class() {
    for (address, operation) in operations(&document().json) {
        let counted = operation["x-rate-limit-class"].is_string() && !operation["responses"]["429"].is_null();
        assert_eq!(counted, operation["tags"][0] != "health", "{address}");
    }
}

#[test]
fn every_reference_has_a_target() {
    let document = document().json;
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference of this document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn the_documented_lengths_are_those_of_the_value_types() {
    use domain::text::{ChannelName, DisplayName, Email, MessageBody, Topic, Username, WorkspaceName};
    let document = document().json;
    let length = |schema: &str, field: &str| document["components"]["schemas"][schema]["properties"][field]["maxLength"].as_u64();
    for (schema, field, chars_max) in [
        ("RegisterUser", "email", Email::CHARS_MAX),
        ("RegisterUser", "username", Username::CHARS_MAX),
        ("RegisterUser", "display_name", DisplayName::CHARS_MAX),
        ("CreateWorkspace", "name", WorkspaceName::CHARS_MAX),
        ("CreateChannel", "name", ChannelName::CHARS_MAX),
        ("ChangeTopic", "topic", Topic::CHARS_MAX),
        ("PostMessage", "content", MessageBody::CHARS_MAX),
    ] {
        assert_eq!(length(schema, field), u64::try_from(chars_max).ok(), "{schema}.{field}");
    }
}
