//! The OpenAPI 3.1 document, generated from the handlers. This module adds the parts that all operations share:
//! security, tags, and the headers of answers. Its own modules add the rest.

mod absent;
mod links;
mod operations;
mod problems;
mod schemas;
mod types;
mod words;

use actix_web::App;
use actix_web::web::Bytes;
use serde_json::{Value, json};
use utoipa_actix_web::AppExt;

use crate::http;

/// The document that the server serves.
#[derive(Clone)]
pub struct Document {
    /// The document.
    pub json: Value,
    /// The same as indented text.
    pub text: String,
    /// The same as short text to send. Clones share it.
    pub bytes: Bytes,
}

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Generates the document.
#[must_use]
pub fn document() -> Document {
    let (_, generated) = App::new().into_utoipa_app().configure(http::routes).split_for_parts();
    let mut json = serde_json::to_value(generated).unwrap_or_default();
    describe(&mut json);
    problems::describe(&mut json["components"]);
    for (path, item) in json["paths"].as_object_mut().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                operations::complete(operation, method, path);
            }
        }
    }
    schemas::complete(&mut json);
    absent::forbid_null(&mut json);
    links::complete(&mut json);
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    let bytes = Bytes::from(json.to_string());
    Document { json, text, bytes }
}

fn describe(document: &mut Value) {
    document["info"] = json!({
        "title": "Backscroll",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Self-hosted team chat in which every change is an event in one log. The answer to a command has the \
            row that it made or changed, and the event's position in the log (`Backscroll-Position`). The caller's next query sees \
            the event, on every server; a query of somebody else does if it names the position (`Backscroll-Min-Position`). \
            Errors are problems of RFC 9457, each with a stable `code`. Each operation lists its own codes (`x-problem-codes`) \
            and the groups of codes that it shares with others (`x-problem-groups`). `RateLimit-Policy` gives the limit of each \
            request class (`x-rate-limit-class`), and `RateLimit` the requests that are left. Every address that takes GET takes \
            HEAD. A PATCH takes a merge patch (RFC 7396) too. No answer has a `null`: what is not there is left out. A \
            time has six digits of a second and `Z`. A list in a query string is `a,b` or repeated (`users=a&users=b`). \
            Answers are `private, no-store` unless they are public.",
        "contact": {"name": "The operators of this server"},
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"token": []}, {"cookie": []}]);
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
        {"name": "changes", "description": "What changed: the events that a client shows. docs/LIVE.md describes the protocol."},
        {"name": "analytics", "description": "Counts of messages and members."},
        {"name": "log", "description": "The events of a workspace as they are stored."},
        {"name": "audit", "description": "The audit: each action with its actor, time, origin and effect."},
        {"name": "proof", "description": "Proofs that the log was not changed: signed heads, tiles, proofs. docs/AUDIT.md says how to check them."},
        {"name": "projections", "description": "Projections: positions, parked events, replays, views."},
        {"name": "server", "description": "What this server is: its release, what is switched on, and its limits."},
        {"name": "health", "description": "Health and metrics of the server."},
    ]);
    let components = &mut document["components"];
    components["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description": "The `token` in the answer of `POST /v1/sessions`."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-backscroll_session",
            "description": "For browsers: `POST /v1/sessions` with `\"cookie\": true` sets it. Without TLS its name is `backscroll_session`. \
                A request that changes something needs an `Origin` of the server, or one of its setting `allowed_origins`."},
    });
    components["headers"] = headers();
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

#[cfg(test)]
mod tests;
