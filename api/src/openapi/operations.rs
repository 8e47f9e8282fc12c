//! The parts that all operations of a kind share: headers, the answer with a problem, merge patches, media types.

use std::str::FromStr;

use actix_web::http::Method;
use serde_json::{Value, json};
use state::limits::Class;

use super::problems;
use crate::extract::{IDEMPOTENCY_KEY, IF_MATCH, MERGE_PATCH, MIN_POSITION, POSITION, REPLAYED};
use crate::limit::class_of;

/// Media types whose content is bytes for a program, and no text.
const BINARY: [&str; 2] = ["application/octet-stream", "application/zip"];

/// Adds to an operation the parts that all operations of its kind share.
pub(super) fn complete(operation: &mut Value, method: &str, path: &str) {
    let kind = Kind::of(operation, path);
    // utoipa writes that a token is optional. Generators then ask for one.
    if operation["security"] == json!([{}]) {
        operation["security"] = json!([]);
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        never_null(&mut parameter["schema"]);
        // A limit above the maximum is lowered, so no number is too large.
        if parameter["name"] == "limit"
            && let Some(schema) = parameter["schema"].as_object_mut()
        {
            schema.remove("format");
        }
    }
    if method == "patch" && operation["requestBody"]["content"]["application/json"].is_object() {
        operation["requestBody"]["content"][MERGE_PATCH] = operation["requestBody"]["content"]["application/json"].clone();
    }
    if let Some(class) = class(method, path) {
        operation["x-rate-limit-class"] = json!(class.as_str());
    }
    let responses = &mut operation["responses"];
    // A command that changes or ends something has no address to give, whether its row follows or not.
    let is_named = method != "delete" && (responses["200"].is_null() || !responses["201"].is_null());
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        add_headers(response, status, &kind, is_named);
        for (media_type, content) in response.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten() {
            if BINARY.contains(&media_type.as_str()) {
                content["schema"] = json!({"type": "string", "format": "binary"});
            }
        }
    }
    if !kind.is_operational {
        operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
        problems::complete(operation, &kind);
    }
}

/// A parameter is there or absent, and never `null`. utoipa gives every optional one a schema that admits `null`.
fn never_null(schema: &mut Value) {
    let is_null = |kind: &Value| kind == "null" || kind["type"] == "null";
    if let Some(kinds) = schema.get_mut("type").and_then(Value::as_array_mut) {
        kinds.retain(|kind| !is_null(kind));
        if let [kind] = kinds.as_slice() {
            schema["type"] = kind.clone();
        }
    }
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| !is_null(choice));
        if let [choice] = choices.as_slice() {
            *schema = choice.clone();
        }
    }
}

/// The rate-limit class of the operation.
fn class(method: &str, path: &str) -> Option<Class> {
    class_of(&Method::from_str(&method.to_uppercase()).ok()?, path)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// The answer with a problem. All operations share it: its headers and its content are the same for every status.
pub(super) fn problem() -> Value {
    json!({
        "description": "A problem (RFC 9457). `code` names it. A status of 429 or 503 comes with `Retry-After`, and 401 with \
            `WWW-Authenticate`.",
        "headers": {
            "X-Request-Id": reference("RequestId"), "RateLimit": reference("RateLimit"), "RateLimit-Policy": reference("RateLimitPolicy"),
            "Retry-After": reference("RetryAfter"), "WWW-Authenticate": reference("Challenge"),
        },
        "content": {crate::problem::MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

fn add_headers(response: &mut Value, status: &str, kind: &Kind, is_named: bool) {
    response["headers"]["X-Request-Id"] = reference("RequestId");
    if !kind.is_operational {
        response["headers"]["RateLimit"] = reference("RateLimit");
        response["headers"]["RateLimit-Policy"] = reference("RateLimitPolicy");
    }
    // A file is no row of the read model, and has no position.
    let is_file = response["content"].is_object() && response["content"]["application/json"].is_null();
    if kind.is_command || (kind.is_query && !is_file) {
        response["headers"][POSITION] = reference("Position");
    }
    if kind.is_command {
        response["headers"][REPLAYED] = reference("Replayed");
    }
    if status == "201" && kind.is_command || status == "202" && is_named {
        response["headers"]["Location"] = reference("Location");
    }
}

/// The kind of an operation, which follows from its parameters.
pub(super) struct Kind {
    pub(super) is_command: bool,
    pub(super) is_query: bool,
    pub(super) has_condition: bool,
    pub(super) is_public: bool,
    pub(super) is_operational: bool,
    pub(super) is_proof: bool,
    pub(super) has_body: bool,
    pub(super) has_query_string: bool,
    pub(super) has_cursor: bool,
    /// The names of the variables of the path.
    pub(super) variables: Vec<String>,
}

/// The names of query parameters that contain a cursor.
const CURSORS: [&str; 3] = ["after", "before", "messages_after"];

impl Kind {
    fn of(operation: &Value, path: &str) -> Self {
        let parameters = || operation["parameters"].as_array().into_iter().flatten();
        let takes = |name: &str| parameters().any(|parameter| parameter["name"] == name);
        let is_cursor = |parameter: &Value| CURSORS.iter().any(|cursor| parameter["name"] == *cursor);
        Self {
            is_command: takes(IDEMPOTENCY_KEY),
            is_query: takes(MIN_POSITION),
            has_condition: takes(IF_MATCH),
            is_public: !operation["security"].is_null(),
            is_operational: operation["tags"][0] == "health",
            is_proof: operation["tags"][0] == "proof",
            has_body: !operation["requestBody"].is_null(),
            has_query_string: parameters().any(|parameter| parameter["in"] == "query"),
            has_cursor: parameters().any(|parameter| parameter["in"] == "query" && is_cursor(parameter)),
            variables: path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_may_be_absent_is_never_null() {
        for (mut schema, expected) in [
            (json!({"type": ["string", "null"]}), json!({"type": "string"})),
            (json!({"oneOf": [{"$ref": "#/x"}, {"type": "null"}]}), json!({"$ref": "#/x"})),
            (json!({"type": ["string", "integer"]}), json!({"type": ["string", "integer"]})),
            (json!({"type": "integer"}), json!({"type": "integer"})),
        ] {
            never_null(&mut schema);
            assert_eq!(schema, expected);
        }
    }
}
