//! Schemas of values that the rows contain as plain JSON. The tests compare them with the domain's types.

use domain::permission::Permission;
use serde_json::{Map, Value, json};

/// The schemas, by name.
pub(super) fn all() -> Map<String, Value> {
    let mut all = Map::new();
    for schemas in [holds(), messages(), settings(), events()] {
        all.extend(schemas.as_object().cloned().unwrap_or_default());
    }
    all
}

fn id(description: &str) -> Value {
    json!({"type": "string", "format": "uuid", "description": description})
}

fn list(items: &Value, description: &str) -> Value {
    json!({"type": "array", "items": items, "description": description})
}

/// The target of a legal hold: one of three. `kind` says which.
fn holds() -> Value {
    let target = |kind: &str, description: &str, more: Value| {
        let kind = json!({"kind": {"type": "string", "enum": [kind], "description": "The kind of the target."}});
        let mut properties = kind.as_object().cloned().unwrap_or_default();
        properties.extend(more.as_object().cloned().unwrap_or_default());
        let required = properties.keys().cloned().collect::<Vec<_>>();
        json!({"type": "object", "additionalProperties": false, "description": description, "properties": properties, "required": required})
    };
    let of = |name: &str| format!("#/components/schemas/{name}");
    json!({
        "HoldTarget": {
            "description": "The workspace, channel or person that a legal hold covers.",
            "oneOf": [{"$ref": of("HoldOnWorkspace")}, {"$ref": of("HoldOnChannel")}, {"$ref": of("HoldOnPerson")}],
            "discriminator": {"propertyName": "kind", "mapping": {
                "workspace": of("HoldOnWorkspace"), "channel": of("HoldOnChannel"), "person": of("HoldOnPerson"),
            }},
        },
        "HoldOnWorkspace": target("workspace", "A hold on everything in the workspace.", json!({})),
        "HoldOnChannel": target("channel", "A hold on everything in a channel.", json!({"channel_id": id("The channel.")})),
        "HoldOnPerson": target("person", "A hold on everything that a person wrote in the workspace.", json!({"user_id": id("The person.")})),
    })
}

/// The references in the text of a message.
fn messages() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let size = json!({"type": "integer", "format": "int64", "minimum": 0, "description": "Its size in bytes, if it is known."});
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    json!({
        "FormattedContent": {
            "type": "object",
            "description": "The references in a text, each once, in order of appearance. A kind without references is absent.",
            "properties": {
                "mentions": list(&id("The user."), "The mentioned users."),
                "channels": list(&id("The channel."), "The mentioned channels."),
                "broadcasts": list(&reference("Broadcast"), "The broadcasts."),
                "links": list(&reference("LinkInText"), "The links."),
                "files": list(&reference("FileInText"), "Files that are stored on another server."),
                "bot_name": text("The name that a bot posts under."),
            },
        },
        "LinkInText": {
            "type": "object",
            "description": "A link in a text.",
            "properties": {"url": text("The address."), "label": text("The text to show in place of the address, if there is one.")},
            "required": ["url"],
        },
        "FileInText": {
            "type": "object",
            "description": "A file of a message that is stored on another server.",
            "properties": {
                "name": text("The file's name."),
                "url": text("Its address. An old export may have none."),
                "mime_type": text("Its media type, if it is known."),
                "size": size,
            },
            "required": ["name"],
        },
    })
}

/// Permissions and settings.
fn settings() -> Value {
    let flag = |permission: &Permission| (permission.as_str().to_owned(), json!({"type": "boolean"}));
    let permissions = Permission::ALL.iter().map(flag).collect::<Map<_, _>>();
    let policy = json!({"$ref": "#/components/schemas/RetentionPolicy", "description": "How long messages are kept. Absent if for ever."});
    json!({
        "PermissionOverrides": {
            "type": "object",
            "additionalProperties": false,
            "description": "Permissions that a member has in addition to those of the role (`true`), or lacks despite it (`false`). An absent \
                permission follows the role. docs/EVENTS.md says what each permission allows.",
            "properties": permissions,
        },
        "WorkspaceSettings": {
            "type": "object",
            "description": "The settings of a workspace. An absent setting has no limit.",
            "properties": {
                "retention_policy": policy,
                "upload_max_bytes": {"type": "integer", "format": "int64", "description": "The largest file that may be uploaded, in bytes."},
                "edit_window_minutes": {"type": "integer", "format": "int32", "description": "The minutes within which authors may edit a message."},
            },
        },
    })
}

/// The circumstances of an event.
fn events() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let time = json!({"type": "string", "format": "date-time", "description": "When it happened, if that was before it was recorded."});
    json!({
        "EventMetadata": {
            "type": "object",
            "description": "The circumstances of an event. Members that do not apply are absent.",
            "properties": {
                "actor": id("The user who ran the command."),
                "command": text("The command that the event follows from."),
                "correlation_id": id("All commands and events of one request share it."),
                "causation_id": id("The event that caused the command."),
                "session": id("The session that sent the request."),
                "address": text("The network address that the request came from."),
                "user_agent": text("The name and version that the client gives itself."),
                "request_id": text("The identifier of the request."),
                "occurred_at": time,
            },
            "required": ["actor", "command", "correlation_id"],
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{DateTime, Utc};
    use domain::formatting::{Broadcast, FileLink, FormattedContent, Link};
    use domain::ids::{ChannelId, EventId, SessionId, UserId};
    use domain::retention_policy::{RetentionAction, RetentionPolicy};
    use domain::workspace::{HoldTarget, WorkspaceSettings};
    use domain::{Context, Metadata};
    use serde::Serialize;
    use uuid::Uuid;

    use super::*;

    /// The names of the members of a value.
    fn members(value: &impl Serialize) -> BTreeSet<String> {
        serde_json::to_value(value).expect("JSON").as_object().expect("an object").keys().cloned().collect()
    }

    fn documented(name: &str) -> BTreeSet<String> {
        members(&all()[name]["properties"])
    }

    #[test]
    fn the_schemas_have_the_members_of_the_domains_values() {
        let link = Link { url: "https://example.org".into(), label: Some("a label".into()) };
        let file = FileLink { name: "a file".into(), url: Some("u".into()), mime_type: Some("text/plain".into()), size: Some(1) };
        let content = FormattedContent {
            mentions: vec![UserId(Uuid::nil())],
            channels: vec![ChannelId(Uuid::nil())],
            broadcasts: vec![Broadcast::Here],
            links: vec![link.clone()],
            files: vec![file.clone()],
            bot_name: Some("bot".into()),
        };
        let policy = RetentionPolicy { days: Some(1), action: RetentionAction::Purge, keep_pinned: false };
        let settings = WorkspaceSettings { retention_policy: Some(policy), upload_max_bytes: Some(1), edit_window_minutes: Some(1) };
        let nobody = Context::of(UserId(Uuid::nil()), DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()).metadata("a command");
        let metadata = Metadata {
            causation_id: Some(EventId(Uuid::nil())),
            session: Some(SessionId(Uuid::nil())),
            address: Some("::1".into()),
            user_agent: Some("a client".into()),
            request_id: Some("r".into()),
            occurred_at: Some(DateTime::UNIX_EPOCH),
            ..nobody
        };
        assert_eq!(documented("LinkInText"), members(&link));
        assert_eq!(documented("FileInText"), members(&file));
        assert_eq!(documented("FormattedContent"), members(&content));
        assert_eq!(documented("WorkspaceSettings"), members(&settings));
        assert_eq!(documented("EventMetadata"), members(&metadata));
        let (channel, person) = (ChannelId(Uuid::nil()), UserId(Uuid::nil()));
        assert_eq!(documented("HoldOnWorkspace"), members(&HoldTarget::Workspace {}));
        assert_eq!(documented("HoldOnChannel"), members(&HoldTarget::Channel { channel_id: channel }));
        assert_eq!(documented("HoldOnPerson"), members(&HoldTarget::Person { user_id: person }));
    }

    #[test]
    fn an_example_of_each_hold_is_read_by_the_domain() {
        for (name, target) in all()["HoldTarget"]["discriminator"]["mapping"].as_object().expect("a mapping") {
            let schema = target.as_str().and_then(|target| target.rsplit('/').next()).expect("a schema");
            let mut example = json!({"kind": name});
            for member in documented(schema).iter().filter(|member| *member != "kind") {
                example[member] = json!(Uuid::nil());
            }
            let read = serde_json::from_value::<HoldTarget>(example).expect("a target");
            assert_eq!(serde_json::to_value(read).expect("JSON")["kind"], *name);
        }
    }
}
