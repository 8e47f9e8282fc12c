//! The OpenAPI 3.1 document, generated from the handlers. What all operations share (who may ask, how a "no" looks, which headers come with
//! an answer) is added here, once.

use std::str::FromStr;

use actix_web::App;
use actix_web::http::Method;
use serde_json::{Value, json};
use state::limits::Class;
use utoipa_actix_web::AppExt;

use crate::extract::{IDEMPOTENCY_KEY, MIN_POSITION, POSITION, REPLAYED};
use crate::limit::class_of;
use crate::{http, problem};

/// The document, as it is served.
#[derive(Clone)]
pub struct Document {
    /// The document.
    pub json: Value,
    /// The same as text.
    pub text: String,
}

/// The problems that may be answered, by status and name.
const PROBLEMS: &[(&str, &str, &str)] = &[
    ("400", "BadRequest", "The request is malformed: `detail` says where."),
    ("401", "Unauthenticated", "The token is missing, wrong, or its session has ended."),
    ("403", "Forbidden", "The asker may not do that."),
    ("404", "NotFound", "There is no such thing, or the asker may not know that there is."),
    ("408", "TooSlow", "The body did not come in time."),
    ("409", "Conflict", "It contradicts what has happened before."),
    ("413", "TooLarge", "The body is larger than the server takes."),
    ("415", "UnsupportedMediaType", "The body is not `application/json`, or it is compressed."),
    ("422", "Invalid", "The input is wrong (`field` says which part), or the `Idempotency-Key` was used for another request."),
    ("429", "RateLimited", "Too many requests of this class, or messages in this channel: try again after `Retry-After` seconds."),
    ("503", "Unavailable", "Something that is needed does not answer just now: try again after `Retry-After` seconds."),
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
    Document { json, text }
}

fn describe(document: &mut Value) {
    document["info"] = json!({
        "title": "Backscroll",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Self-hosted team chat in which everything that happens is an event. Every command answers with the position in the log \
            that it reached (`Backscroll-Position`); a query that is sent that position (`Backscroll-Min-Position`) has seen it. \
            Problems are those of RFC 9457, with a stable `code`. How many requests of each class (`x-rate-limit-class`) a person may make is said \
            by `RateLimit-Policy`, and how many are left by `RateLimit`.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"token": []}]);
    document["tags"] = json!([
        {"name": "users", "description": "Who is on this server."},
        {"name": "sessions", "description": "Signing in and out."},
        {"name": "erasure", "description": "All that is kept of a person: handed out, or erased."},
        {"name": "workspaces", "description": "A team's space."},
        {"name": "members", "description": "Who is in a workspace, and what they may do."},
        {"name": "invitations", "description": "How people come into a workspace."},
        {"name": "channels", "description": "Where people talk."},
        {"name": "channel members", "description": "Who is in a channel."},
        {"name": "holds", "description": "Legal holds: what they cover is neither archived, purged nor erased."},
        {"name": "retention", "description": "How long messages are kept, what leaves, and what has left."},
        {"name": "messages", "description": "What people say, and what others say to that."},
        {"name": "unread", "description": "What one has not read, and how far one has."},
        {"name": "presence", "description": "Who is there, and who is typing."},
        {"name": "search", "description": "What was said, and who is there. The language of searches is in docs/SEARCH.md."},
        {"name": "analytics", "description": "How much is said, where, by whom and when."},
        {"name": "log", "description": "What happened, as it is stored."},
        {"name": "audit", "description": "Who did what, when, from where, and what came of it."},
        {"name": "proof", "description": "That the log was not tampered with: signed heads, tiles, proofs. docs/AUDIT.md says how to check."},
        {"name": "projections", "description": "How far the read models are."},
        {"name": "health", "description": "How the server is."},
    ]);
    let components = &mut document["components"];
    components["securitySchemes"] =
        json!({"token": {"type": "http", "scheme": "bearer", "description": "The `token` of `POST /v1/sessions`."}});
    components["schemas"]["Problem"] = serde_json::to_value(problem::schema()).unwrap_or_default();
    components["headers"] = headers();
    for (_, name, description) in PROBLEMS {
        components["responses"][*name] = problem_response(name, description);
    }
}

fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "schema": schema});
    json!({
        "Position": header("The position in the log that the command reached, or that the query read at.", json!({"type": "integer", "format": "int64", "minimum": 0})),
        "RequestId": header("The request's name: the one that was sent, or a new one.", json!({"type": "string", "maxLength": 128})),
        "Replayed": header("`true` where this is the outcome of an earlier request.", json!({"type": "string", "enum": ["true"]})),
        "Location": header("Where what was created is.", json!({"type": "string"})),
        "RetryAfter": header("After how many seconds to try again.", json!({"type": "integer", "minimum": 1})),
        "RateLimit": header("How many more requests of the class there may be, and in how many seconds there is one more: \
            `\"write\";r=299;t=12` (draft-ietf-httpapi-ratelimit-headers).", json!({"type": "string"})),
        "RateLimitPolicy": header("How many requests of the class there may be in how many seconds: `\"write\";q=300;w=60`.", json!({"type": "string"})),
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

/// Adds to an operation what all of its kind share.
fn complete(operation: &mut Value, method: &str, path: &str) {
    let kind = Kind::of(operation);
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

/// What the operation counts as.
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

/// What an operation is, as far as its parameters tell.
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
        // Open to everybody unless the settings say otherwise; and before the first event there is none.
        add(self.is_proof, &["401", "404"]);
        add(method == "post" || method == "put", &["409"]);
        problems
    }
}

#[cfg(test)]
mod tests;
