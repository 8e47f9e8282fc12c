//! Words: properties that have one of a few fixed values. Each set of words is one enum in the document, for input and
//! output. Where the domain has the words, they are taken from there.

use domain::AggregateType;
use domain::formatting::Broadcast;
use domain::installation::ReplayOutcome;
use domain::message::Kind as MessageKind;
use domain::workspace::Plan;
use identity::registration::RegistrationPolicy;
use projections::Phase;
use serde_json::{Map, Value, json};

/// The schemas of properties: the schema of the property (`*` is any), the property, and the schema of its values.
/// The first row that matches is used. A row applies to a property that has no type, or is a text.
pub(super) const TYPED: &[(&str, &str, &str)] = &[
    ("Problem", "code", "ProblemCode"),
    // Words.
    ("*", "aggregate_type", "AggregateType"),
    ("*", "channel_type", "ChannelType"),
    ("*", "other_channels", "ChannelType"),
    ("*", "message_type", "MessageType"),
    ("*", "notification_level", "NotificationLevel"),
    ("*", "plan_type", "Plan"),
    ("ChangePlan", "plan", "Plan"),
    ("ChannelMemberRow", "role", "ChannelRole"),
    ("*", "role", "Role"),
    ("*", "account_state", "AccountStatus"),
    ("MemberRow", "membership", "MembershipStatus"),
    ("InvitationRow", "status", "InvitationStatus"),
    ("*", "subscription_status", "SubscriptionStatus"),
    ("ChannelRetention", "action", "RetentionAction"),
    ("RetentionAppliedFrame", "action", "RetentionAction"),
    ("ChannelRetention", "policy_of", "PolicyOwner"),
    ("DataExport", "state", "ExportState"),
    ("ReplayRun", "state", "ReplayState"),
    ("ReplayRun", "phase", "ReplayPhase"),
    ("ReplayFill", "phase", "ReplayPhase"),
    ("RejectedDocument", "family", "DocumentFamily"),
    ("StateChange", "op", "PatchOperation"),
    ("ServerInfo", "registration", "RegistrationMode"),
    ("Alive", "status", "LifeStatus"),
    ("Ready", "status", "ReadinessStatus"),
    // Values that the rows contain as plain JSON.
    ("*", "formatted_content", "FormattedContent"),
    ("MemberRow", "permissions", "PermissionOverrides"),
    ("MemberPermissions", "permissions", "PermissionOverrides"),
    ("WorkspaceRow", "settings", "WorkspaceSettings"),
    ("*", "retention_policy", "RetentionPolicy"),
    ("LogRow", "metadata", "EventMetadata"),
];

/// The schema of a property that has no name of its own: objects of which nothing more is said.
pub(super) fn inline(schema: &str, property: &str) -> Option<Value> {
    match (schema, property) {
        ("AuditEntry" | "LogRow", "payload")
        | ("AsOf" | "HistoryEntry", "state")
        | ("Account", "notification_settings" | "theme_preferences")
        | ("WorkspaceRow", "sso_config") => Some(json!({"type": "object"})),
        _ => None,
    }
}

/// The enums, by name, beside those of `http/schema.rs`.
pub(super) fn all() -> Map<String, Value> {
    let words = |description: &str, words: &[&str]| json!({"type": "string", "enum": words, "description": description});
    let broadcasts = [Broadcast::Here, Broadcast::Channel, Broadcast::Everyone];
    let messages = [MessageKind::Text, MessageKind::File, MessageKind::System, MessageKind::Bot];
    let all = json!({
        "AccountStatus": words("Whether a user can sign in.", &["active", "suspended", "erased"]),
        "AggregateType": words("The type of an aggregate.", &AggregateType::ALL.map(AggregateType::as_str)),
        "Broadcast": {"type": "string", "enum": broadcasts, "description": "The people whom a broadcast notifies: members who are present, \
            members of the channel, or members of the workspace."},
        "DocumentFamily": words("What a document of the search index is about.", &["messages", "users"]),
        "ExportState": words("The state of an export.", &["queued", "running", "ready", "failed"]),
        "InvitationStatus": words("Whether an invitation can still be accepted.", &["pending", "accepted", "revoked"]),
        "LifeStatus": words("The process is running.", &["ok"]),
        "MembershipStatus": words("Whether a member can use the workspace.", &["active", "deactivated"]),
        "MessageType": words("Who or what wrote a message: a person, a person with files, the server, or a program.",
            &messages.map(MessageKind::as_str)),
        "PatchOperation": words("An operation of a JSON Patch (RFC 6902).", &["add", "remove", "replace"]),
        "Plan": words("The plan of a workspace. It decides the rate limits of the members.", &Plan::ALL.map(Plan::as_str)),
        "PolicyOwner": words("Whose retention policy applies.", &["channel", "workspace"]),
        "ReadinessStatus": words("Whether the server can serve.", &["ready", "unavailable"]),
        "RegistrationMode": words("The people who may register: everybody, people who are invited, or nobody.",
            &[RegistrationPolicy::Open, RegistrationPolicy::Invited, RegistrationPolicy::Closed].map(RegistrationPolicy::as_str)),
        "ReplayPhase": words("A phase of a replay.", &[&["starting"], PHASES.map(Phase::as_str).as_slice()].concat()),
        "ReplayState": words("`running`, or the outcome of a replay: `switched`, `checked` (a dry run), `repaired` (a workspace), `built` (a \
            view), `differs`, `failed`, `cancelled`, or `cut_off` if its process died.", &replay_states()),
        "SubscriptionStatus": words("The state of the subscription. There is no billing yet.", &["active"]),
    });
    all.as_object().cloned().unwrap_or_default()
}

const PHASES: [Phase; 6] = [Phase::Folding, Phase::Indexing, Phase::CatchingUp, Phase::Comparing, Phase::Switching, Phase::Dropping];

fn replay_states() -> Vec<&'static str> {
    let outcomes = [
        ReplayOutcome::Switched,
        ReplayOutcome::Checked,
        ReplayOutcome::Repaired,
        ReplayOutcome::Built,
        ReplayOutcome::Differs,
        ReplayOutcome::Failed,
        ReplayOutcome::Cancelled,
        ReplayOutcome::CutOff,
    ];
    std::iter::once("running").chain(outcomes.map(ReplayOutcome::as_str)).collect()
}
