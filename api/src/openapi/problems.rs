//! The codes of problems: all that there are, the groups that operations share, and those of each operation.
//!
//! The refusals of commands are in their own tables (`domain/src/*/error.rs`). The other codes are listed here. A test
//! compares the list with the sources. The tests of the HTTP interface check that every problem that they receive is
//! documented for its operation.

use std::collections::{BTreeMap, BTreeSet};

use domain::refusal::RefusalEntry;
use domain::{ChannelRefusal, InstallationRefusal, MessageRefusal, RetentionRefusal, SessionRefusal, UserRefusal, WorkspaceRefusal};
use serde_json::{Value, json};

use super::operations::{self, Kind};
use crate::problem;

mod own;

/// The refusals of the aggregates.
const REFUSALS: [&[RefusalEntry]; 7] = [
    UserRefusal::ALL,
    WorkspaceRefusal::ALL,
    ChannelRefusal::ALL,
    MessageRefusal::ALL,
    RetentionRefusal::ALL,
    SessionRefusal::ALL,
    InstallationRefusal::ALL,
];

/// The codes that are in no table of refusals, with their statuses.
const OTHERS: &[(&str, &[u16])] = &[
    ("access.forbidden", &[403]),
    ("access.guest_shares_no_channel", &[403]),
    ("audit.aggregate_not_found", &[404]),
    ("audit.event_not_found", &[404]),
    ("auth.busy", &[503]),
    ("auth.ticket_invalid", &[401]),
    ("auth.token_invalid", &[401]),
    ("auth.token_missing", &[401]),
    ("channel.admins_only", &[403]),
    ("channel.exists_already", &[409]),
    ("channel.name_taken", &[409]),
    ("channel.slot_taken", &[409]),
    ("clock.ahead", &[503]),
    ("export.failed", &[409]),
    ("export.not_found", &[404]),
    ("export.not_ready", &[409]),
    ("export.too_many", &[429]),
    ("export.under_way", &[409]),
    ("idempotency.key_invalid", &[400]),
    ("idempotency.key_reused", &[422]),
    ("input.invalid", &[422]),
    ("input.required", &[422]),
    ("internal", &[500]),
    ("live.tickets_unavailable", &[503]),
    ("metrics.busy", &[503]),
    ("parked.not_found", &[404]),
    ("parked.other_event", &[409]),
    ("parked.still_not_applied", &[409]),
    ("password.blank", &[422]),
    ("password.characters", &[422]),
    ("password.known", &[422]),
    ("password.required", &[422]),
    ("password.wrong", &[422]),
    ("presence.unavailable", &[503]),
    ("projection.behind", &[503]),
    ("projection.not_found", &[404]),
    ("proof.cannot_sign", &[503]),
    ("proof.no_head", &[404]),
    ("proof.no_name", &[404, 503]),
    ("proof.no_such_tile", &[404]),
    ("proof.not_in_tree", &[404]),
    ("release.outdated", &[503]),
    ("release.upgrade_under_way", &[503]),
    ("replay.indices_left", &[503]),
    ("replay.no_view", &[422]),
    ("replay.not_found", &[404]),
    ("replay.not_running", &[409]),
    ("replay.plan_invalid", &[422]),
    ("replay.relational_only", &[422]),
    ("replay.under_way", &[409]),
    ("replay.view_not_found", &[404]),
    ("request.body_invalid", &[400]),
    ("request.body_unreadable", &[400]),
    ("request.content_encoding", &[415]),
    ("request.cursor_invalid", &[400]),
    ("request.header_invalid", &[400]),
    ("request.if_match_unexpected", &[412]),
    ("request.media_type", &[415]),
    ("request.method_not_allowed", &[405]),
    ("request.no_such_route", &[404]),
    ("request.origin_refused", &[403]),
    ("request.path_invalid", &[400]),
    ("request.position_of_another_log", &[400]),
    ("request.position_unknown", &[400]),
    ("request.query_invalid", &[400]),
    ("request.rate_limited", &[429]),
    ("request.row_changed", &[412]),
    ("request.too_large", &[413]),
    ("request.too_many_connections", &[429]),
    ("request.too_slow", &[408]),
    ("request.unanswered", &[503]),
    ("retention.under_way", &[409]),
    ("search.query_invalid", &[400]),
    ("server.operators_only", &[403]),
    ("service.contended", &[503]),
    ("service.query_too_slow", &[503]),
    // 502 is that of the proxy that docs/OPERATIONS.md sets up, if it finds no server.
    ("service.unavailable", &[502, 503]),
    ("session.not_found", &[404]),
    ("session.wrong_credentials", &[401]),
    ("user.email_taken", &[409]),
    ("user.erasure_not_yours", &[403]),
    ("user.first_taken", &[409]),
    ("user.not_active", &[403]),
    ("user.not_found", &[404]),
    ("user.not_yourself", &[403]),
    ("user.registration_closed", &[403]),
    ("user.username_taken", &[409]),
    ("workspace.domain_taken", &[409]),
    ("workspace.invitation_not_found", &[404]),
    ("workspace.member_not_found", &[404]),
    ("workspace.not_a_member", &[409]),
    ("workspace.not_found", &[404]),
    ("workspace.owners_only", &[403]),
    ("workspace.slot_taken", &[409]),
];

/// A group of codes that many operations share: its name, its meaning, and its codes.
type Group = (&'static str, &'static str, &'static [&'static str]);

const GROUPS: [Group; 12] = [
    (
        "always",
        "Limits and outages. Any operation may answer with them; a later try can succeed.",
        &[
            "clock.ahead",
            "internal",
            "release.outdated",
            "release.upgrade_under_way",
            "request.rate_limited",
            "request.too_many_connections",
            "request.unanswered",
            "service.contended",
            "service.query_too_slow",
            "service.unavailable",
        ],
    ),
    (
        "caller",
        "The caller is not signed in, or the account is suspended; or the session cookie came from a page of another origin.",
        &["auth.token_invalid", "auth.token_missing", "request.origin_refused", "user.not_active"],
    ),
    ("path", "A part of the path is not of its type.", &["request.path_invalid"]),
    ("query_string", "A parameter of the query string is unknown, missing or wrong.", &["request.query_invalid"]),
    ("cursor", "The cursor is not one of an earlier answer.", &["request.cursor_invalid"]),
    (
        "body",
        "The body is malformed or too large, or a value in it is invalid.",
        &[
            "input.invalid",
            "input.required",
            "request.body_invalid",
            "request.body_unreadable",
            "request.content_encoding",
            "request.media_type",
            "request.too_large",
            "request.too_slow",
        ],
    ),
    (
        "command",
        "The idempotency key is malformed, or was used for another request; or the command has no row for `If-Match`.",
        &["idempotency.key_invalid", "idempotency.key_reused", "request.header_invalid", "request.if_match_unexpected"],
    ),
    ("condition", "The row has changed since the version that `If-Match` names.", &["request.row_changed"]),
    (
        "query",
        "The position does not exist, or the read model has not reached it in time.",
        &["projection.behind", "request.header_invalid", "request.position_of_another_log", "request.position_unknown"],
    ),
    (
        "workspace",
        "The workspace does not exist, the caller is not a member of it, or the role lacks a permission.",
        &["access.forbidden", "workspace.not_found"],
    ),
    (
        "channel",
        "The channel does not exist, the caller may not see it, or the role lacks a permission.",
        &["access.forbidden", "channel.not_found"],
    ),
    (
        "message",
        "The message does not exist, was archived, or is in a channel that the caller may not see; or the role lacks a permission.",
        &["access.forbidden", "message.retained", "message.not_found"],
    ),
];

/// Every code, with its statuses.
fn codes() -> BTreeMap<&'static str, BTreeSet<u16>> {
    let mut codes = BTreeMap::<_, BTreeSet<u16>>::new();
    for entry in REFUSALS.iter().flat_map(|table| table.iter()) {
        codes.entry(entry.code).or_default().insert(problem::status_of(entry.kind).as_u16());
    }
    for (code, statuses) in OTHERS {
        codes.entry(code).or_default().extend(statuses.iter());
    }
    codes
}

/// Adds the problem, its codes and their groups to the components.
pub(super) fn describe(components: &mut Value) {
    for (name, schema) in problem::schemas() {
        components["schemas"][name] = schema;
    }
    let codes = codes();
    components["schemas"]["ProblemCode"] = json!({
        "type": "string",
        "enum": codes.keys().collect::<Vec<_>>(),
        "description": "A stable name of a problem, for programs. A later release may add codes: treat an unknown one by its status.",
    });
    components["x-problem-statuses"] = json!(codes);
    components["x-problem-groups"] =
        GROUPS.iter().map(|(name, meaning, codes)| ((*name).to_owned(), json!({"description": meaning, "codes": codes}))).collect();
    components["responses"]["Problem"] = operations::problem();
}

/// Adds to an operation the groups and the codes of its problems, and says the codes in its description.
pub(super) fn complete(operation: &mut Value, kind: &Kind) {
    operation["x-problem-groups"] = json!(groups(kind));
    let name = operation["operationId"].as_str().unwrap_or_default();
    let own = own::codes(name);
    if own.is_empty() {
        return;
    }
    let listed = own.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    let description = operation["description"].as_str().unwrap_or_default();
    operation["description"] = json!(format!("{description}\n\nIts own problems: {listed}.").trim_start());
    operation["x-problem-codes"] = json!(own);
}

fn groups(kind: &Kind) -> Vec<&'static str> {
    let has = |name: &str| kind.variables.iter().any(|variable| variable == name);
    let is_of = |name: &str| has(name) && !kind.is_proof;
    [
        ("always", true),
        ("caller", !kind.is_public || kind.is_proof),
        ("path", !kind.variables.is_empty()),
        ("query_string", kind.has_query_string),
        ("cursor", kind.has_cursor),
        ("body", kind.has_body),
        ("command", kind.is_command),
        ("condition", kind.has_condition),
        ("query", kind.is_query),
        ("workspace", is_of("workspace_id")),
        ("channel", is_of("channel_id")),
        ("message", is_of("message_id")),
    ]
    .into_iter()
    .filter_map(|(name, shares)| shares.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests;
