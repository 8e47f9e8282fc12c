//! The OpenAPI 3.1 document, generated from the handlers. This module adds the parts that all operations share:
//! security, problems and the headers of answers.

use std::str::FromStr;

use actix_web::App;
use actix_web::http::Method;
use actix_web::web::Bytes;
use serde_json::{Value, json};
use state::limits::Class;
use utoipa_actix_web::AppExt;

use crate::extract::{IDEMPOTENCY_KEY, MERGE_PATCH, MIN_POSITION, POSITION, REPLAYED};
use crate::limit::class_of;
use crate::{http, problem};

/// The document that the server serves.
#[derive(Clone)]
pub struct Document {
    /// The document.
    pub json: Value,
    /// The same as text.
    pub text: String,
    /// The same as bytes to send. Clones share them.
    pub bytes: Bytes,
}

/// The problems that operations can answer with: status, name and description.
const PROBLEMS: &[(&str, &str, &str)] = &[
    ("400", "BadRequest", "The request is malformed; `detail` says where."),
    ("401", "Unauthenticated", "The token is missing or wrong, or its session has ended."),
    ("403", "Forbidden", "The caller may not do this."),
    ("404", "NotFound", "It does not exist, or the caller may not see it."),
    ("408", "TooSlow", "The body did not arrive in time."),
    ("409", "Conflict", "The request contradicts the current state; `detail` says how."),
    ("413", "TooLarge", "The body is larger than the server accepts."),
    ("415", "UnsupportedMediaType", "The body is not `application/json` (or a merge patch, if the method is PATCH), or it is compressed."),
    ("422", "Invalid", "The input is wrong (`field` names the part), or the `Idempotency-Key` was used for another request."),
    ("429", "RateLimited", "Too many requests of this class, or messages in this channel; try again after `Retry-After` seconds."),
    ("503", "Unavailable", "A store that the request needs does not answer; try again after `Retry-After` seconds."),
];

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Generates the document.
#[must_use]
pub fn document() -> Document {
    let (_, generated) = App::new().into_utoipa_app().configure(http::routes).split_for_parts();
    let mut json = serde_json::to_value(generated).unwrap_or_default();
    describe(&mut json);
    for (path, item) in json["paths"].as_object_mut().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                complete(operation, method, path);
            }
        }
    }
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    let bytes = Bytes::from(text.clone());
    Document { json, text, bytes }
}

fn describe(document: &mut Value) {
    document["info"] = json!({
        "title": "Backscroll",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Self-hosted team chat in which every change is an event in one log. The answer to a command has the \
            event's position in the log (`Backscroll-Position`). A query with that position (`Backscroll-Min-Position`) sees \
            the event. Errors are problems of RFC 9457, each with a stable `code`. `RateLimit-Policy` gives the limit of each \
            request class (`x-rate-limit-class`), and `RateLimit` the requests that are left. Every address that takes GET takes \
            HEAD. A PATCH takes a merge patch (RFC 7396) too. Answers are `private, no-store` unless they are public.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"token": []}]);
    document["tags"] = json!([
        {"name": "users", "description": "The users of this server."},
        {"name": "sessions", "description": "Signing in and out."},
        {"name": "erasure", "description": "Export and erase a person's data."},
        {"name": "workspaces", "description": "The spaces of teams: settings, plans, owners."},
        {"name": "members", "description": "Members of a workspace, their roles and permissions."},
        {"name": "invitations", "description": "Invitations to a workspace."},
        {"name": "channels", "description": "Channels and conversations, their names, topics and settings."},
        {"name": "channel members", "description": "Members of a channel."},
        {"name": "emojis", "description": "The emojis that a workspace has beside those of Unicode."},
        {"name": "holds", "description": "Legal holds: data under a hold are neither archived, purged nor erased."},
        {"name": "retention", "description": "Retention: preview, runs, and archived messages."},
        {"name": "messages", "description": "Messages, threads, reactions, pins and mentions."},
        {"name": "unread", "description": "Unread counts and read markers."},
        {"name": "presence", "description": "Presence and typing."},
        {"name": "search", "description": "Search messages, files and people. docs/SEARCH.md describes the query language."},
        {"name": "analytics", "description": "Counts of messages and members."},
        {"name": "log", "description": "The events of a workspace as they are stored."},
        {"name": "audit", "description": "The audit: each action with its actor, time, origin and effect."},
        {"name": "proof", "description": "Proofs that the log was not changed: signed heads, tiles, proofs. docs/AUDIT.md says how to check them."},
        {"name": "projections", "description": "Projections: positions, parked events, replays, views."},
        {"name": "health", "description": "Health and metrics of the server."},
    ]);
    let components = &mut document["components"];
    components["securitySchemes"] =
        json!({"token": {"type": "http", "scheme": "bearer", "description": "The `token` in the answer of `POST /v1/sessions`."}});
    components["schemas"]["Problem"] = serde_json::to_value(problem::schema()).unwrap_or_default();
    components["headers"] = headers();
    for (_, name, description) in PROBLEMS {
        components["responses"][*name] = problem_response(name, description);
    }
}

fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "schema": schema});
    json!({
        "Position": header("The log position that the command reached, or that the query read at.", json!({"type": "integer", "format": "int64", "minimum": 0})),
        "RequestId": header("The request's identifier: the one that was sent, or a new one.", json!({"type": "string", "maxLength": 128})),
        "Replayed": header("`true` if this is the answer to an earlier request with the same key.", json!({"type": "string", "enum": ["true"]})),
        "Location": header("The path of the created resource.", json!({"type": "string"})),
        "RetryAfter": header("The number of seconds after which to try again.", json!({"type": "integer", "minimum": 1})),
        "RateLimit": header("The requests of the class that are left, and the seconds until there is one more: \
            `\"write\";r=299;t=12` (draft-ietf-httpapi-ratelimit-headers).", json!({"type": "string"})),
        "RateLimitPolicy": header("The limit of the class: requests, and seconds of the window: `\"write\";q=300;w=60`.", json!({"type": "string"})),
        "Challenge": header("`Bearer` (RFC 6750).", json!({"type": "string"})),
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn problem_response(name: &str, description: &str) -> Value {
    let mut headers = json!({
        "X-Request-Id": reference("RequestId"), "RateLimit": reference("RateLimit"), "RateLimit-Policy": reference("RateLimitPolicy"),
    });
    match name {
        "Unavailable" | "RateLimited" => headers["Retry-After"] = reference("RetryAfter"),
        "Unauthenticated" => headers["WWW-Authenticate"] = reference("Challenge"),
        _ => {}
    }
    let content = json!({problem::MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}});
    json!({"description": description, "headers": headers, "content": content})
}

/// Adds to an operation the parts that all operations of its kind share.
fn complete(operation: &mut Value, method: &str, path: &str) {
    let kind = Kind::of(operation);
    if method == "patch" && operation["requestBody"]["content"]["application/json"].is_object() {
        operation["requestBody"]["content"][MERGE_PATCH] = operation["requestBody"]["content"]["application/json"].clone();
    }
    if let Some(class) = class(method, path) {
        operation["x-rate-limit-class"] = json!(class.as_str());
    }
    let problems = kind.problems(operation, method);
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        add_headers(response, status, &kind);
    }
    for (status, name, _) in PROBLEMS.iter().filter(|(status, ..)| problems.contains(status)) {
        let response = json!({"$ref": format!("#/components/responses/{name}")});
        responses.entry(*status).or_insert(response);
    }
}

/// The rate-limit class of the operation.
fn class(method: &str, path: &str) -> Option<Class> {
    class_of(&Method::from_str(&method.to_uppercase()).ok()?, path)
}

fn add_headers(response: &mut Value, status: &str, kind: &Kind) {
    response["headers"]["X-Request-Id"] = reference("RequestId");
    if !kind.is_operational {
        response["headers"]["RateLimit"] = reference("RateLimit");
        response["headers"]["RateLimit-Policy"] = reference("RateLimitPolicy");
    }
    if kind.is_command || kind.is_query {
        response["headers"][POSITION] = reference("Position");
    }
    if kind.is_command {
        response["headers"][REPLAYED] = reference("Replayed");
    }
    if status == "201" && kind.is_command || status == "202" {
        response["headers"]["Location"] = reference("Location");
    }
}

/// The kind of an operation, which follows from its parameters.
struct Kind {
    is_command: bool,
    is_query: bool,
    is_public: bool,
    is_operational: bool,
    is_proof: bool,
}

impl Kind {
    fn of(operation: &Value) -> Self {
        let takes = |name: &str| operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == name);
        Self {
            is_command: takes(IDEMPOTENCY_KEY),
            is_query: takes(MIN_POSITION),
            is_public: !operation["security"].is_null(),
            is_operational: operation["tags"][0] == "health",
            is_proof: operation["tags"][0] == "proof",
        }
    }

    fn problems(&self, operation: &Value, method: &str) -> Vec<&'static str> {
        if self.is_operational {
            return Vec::new();
        }
        let has_body = !operation["requestBody"].is_null();
        let has_path_or_query = operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["in"] != "header");
        let mut problems = vec!["429", "503"];
        let mut add = |condition: bool, statuses: &[&'static str]| problems.extend(statuses.iter().filter(|_| condition));
        add(!self.is_public || has_body, &["401"]);
        add(has_body || has_path_or_query || self.is_command || self.is_query, &["400"]);
        add(has_body, &["408", "413", "415", "422"]);
        add(self.is_command, &["403", "404", "409", "422"]);
        add(self.is_query, &["403", "404", "422"]);
        add(!self.is_command && !self.is_query, &["403"]);
        add(has_path_or_query, &["404"]);
        // 401: the settings may limit proofs to operators. 404: before the first event there is no proof.
        add(self.is_proof, &["401", "404"]);
        add(method == "post" || method == "put", &["409"]);
        problems
    }
}

#[cfg(test)]
mod tests;
