//! The expected content of the read models: a second fold of the log that shares no code with the product. It computes,
//! as JSON, only the columns that readers depend on most.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::log::Event;
use super::{Violation, tell};

/// A table of the read models, and its key columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Users,
    Workspaces,
    WorkspaceMembers,
    Invitations,
    Channels,
    ChannelMembers,
    Messages,
}

impl Table {
    pub(crate) const ALL: [Self; 7] =
        [Self::Users, Self::Workspaces, Self::WorkspaceMembers, Self::Invitations, Self::Channels, Self::ChannelMembers, Self::Messages];

    /// The name of the table and its two key columns.
    pub(crate) fn name_and_key(self) -> (&'static str, &'static str, &'static str) {
        const NIL: &str = "'00000000-0000-0000-0000-000000000000'::uuid";
        match self {
            Self::Users => ("users", "user_id", NIL),
            Self::Workspaces => ("workspaces", "workspace_id", NIL),
            Self::WorkspaceMembers => ("workspace_members", "workspace_id", "user_id"),
            Self::Invitations => ("workspace_invitations", "invitation_id", NIL),
            Self::Channels => ("channels", "channel_id", NIL),
            Self::ChannelMembers => ("channel_members", "channel_id", "user_id"),
            Self::Messages => ("messages", "message_id", NIL),
        }
    }
}

/// The name of a row: its table and its key.
pub(crate) type RowName = (Table, Uuid, Uuid);

/// Every expected row, and the rows that have changed since the last comparison.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) rows: HashMap<RowName, Map<String, Value>>,
    pub(crate) changed: BTreeSet<(u8, Uuid, Uuid)>,
}

impl Fold {
    /// The expected number of rows of a table.
    pub(crate) fn count(&self, table: Table) -> usize {
        self.rows.keys().filter(|(of, _, _)| *of == table).count()
    }

    /// Applies one event.
    pub(crate) fn apply(&mut self, event: &Event, found: &mut Vec<Violation>) {
        if self.step(event).is_none() {
            tell(found, "event about nothing", || format!("{} of {} at {}", event.event_type, event.stream, event.position));
        }
    }

    /// Applies one event. Returns `None` if the event is about a row that does not exist.
    fn step(&mut self, event: &Event) -> Option<()> {
        let aggregate = event.event_type.split('.').next().unwrap_or_default();
        match aggregate {
            "user" => self.user(event),
            "workspace" => self.workspace(event),
            "channel" => self.channel(event),
            // No table that is compared here shows these events.
            "session" | "audit" | "installation" => Some(()),
            _ => self.message(event),
        }
    }

    fn user(&mut self, event: &Event) -> Option<()> {
        let row = (Table::Users, event.stream, Uuid::nil());
        let payload = &event.payload;
        match event.event_type.as_str() {
            "user.registered" => {
                let name = payload.get("profile").and_then(|profile| profile.get("display_name"));
                self.insert(
                    row,
                    json!({"email": payload.get("email"), "username": payload.get("username"), "display_name": name,
                                        "title": payload.get("profile").and_then(|profile| profile.get("title")), "status": "active"}),
                );
            }
            "user.profile_changed" => {
                self.set(row, json!({"display_name": payload.get("display_name"), "title": payload.get("title")}))?;
            }
            "user.status_changed" => self.set(row, json!({"status_text": payload.get("text")}))?,
            "user.suspended" => self.set(row, json!({"status": "suspended"}))?,
            "user.reactivated" => self.set(row, json!({"status": "active"}))?,
            _ => {}
        }
        Some(())
    }

    fn workspace(&mut self, event: &Event) -> Option<()> {
        let payload = &event.payload;
        let member = |user: Option<Uuid>| (Table::WorkspaceMembers, event.stream, user.unwrap_or_default());
        let invitation = |id: Option<Uuid>| (Table::Invitations, id.unwrap_or_default(), Uuid::nil());
        let user = member(event.id("user_id"));
        match event.event_type.as_str() {
            "workspace.created" => {
                let row = (Table::Workspaces, event.stream, Uuid::nil());
                let name = payload.get("details").and_then(|details| details.get("name"));
                self.insert(
                    row,
                    json!({"name": name, "domain": payload.get("domain"),
                                        "general_channel_id": payload.get("general_channel_id")}),
                );
            }
            "workspace.details_changed" => {
                self.set((Table::Workspaces, event.stream, Uuid::nil()), json!({"name": payload.get("name")}))?;
            }
            "workspace.member_invited" => {
                let row = invitation(event.id("invitation_id"));
                self.insert(row, json!({"email": payload.get("email"), "role": payload.get("role"), "status": "pending"}));
            }
            "workspace.invitation_revoked" => self.set(invitation(event.id("invitation_id")), json!({"status": "revoked"}))?,
            "workspace.member_joined" => {
                self.insert(user, json!({"role": payload.get("role"), "status": "active"}));
                if let Some(id) = event.id("invitation_id") {
                    self.set(invitation(Some(id)), json!({"status": "accepted"}))?;
                }
            }
            "workspace.member_role_changed" => self.set(user, json!({"role": payload.get("role")}))?,
            "workspace.member_deactivated" => self.set(user, json!({"status": "deactivated"}))?,
            "workspace.member_reactivated" => self.set(user, json!({"status": "active"}))?,
            "workspace.handed_over" => {
                self.set(member(event.id("to")), json!({"role": "owner"}))?;
                self.set(member(event.id("from")), json!({"role": "admin"}))?;
            }
            _ => {}
        }
        Some(())
    }

    fn channel(&mut self, event: &Event) -> Option<()> {
        let payload = &event.payload;
        let row = (Table::Channels, event.stream, Uuid::nil());
        let member = (Table::ChannelMembers, event.stream, event.id("user_id").unwrap_or_default());
        match event.event_type.as_str() {
            "channel.created" => {
                let fields = json!({"workspace_id": payload.get("workspace_id"), "name": payload.get("name"), "topic": payload.get("topic"),
                                    "channel_type": payload.get("kind"), "created_by": payload.get("created_by"), "is_archived": false,
                                    "is_general": payload.get("is_general").cloned().unwrap_or(json!(false))});
                self.insert(row, fields);
            }
            "channel.renamed" => self.set(row, json!({"name": payload.get("name")}))?,
            "channel.topic_changed" => self.set(row, json!({"topic": payload.get("topic")}))?,
            "channel.archived" => self.set(row, json!({"is_archived": true, "archived_by": payload.get("by")}))?,
            "channel.unarchived" => self.set(row, json!({"is_archived": false, "archived_by": null}))?,
            "channel.member_joined" => {
                self.insert(member, json!({"role": payload.get("role"), "is_active": true, "notification_level": "all"}));
            }
            "channel.member_left" | "channel.member_removed" => self.set(member, json!({"role": "member", "is_active": false}))?,
            "channel.member_role_changed" => self.set(member, json!({"role": payload.get("role")}))?,
            "channel.notification_level_changed" => self.set(member, json!({"notification_level": payload.get("level")}))?,
            _ => {}
        }
        Some(())
    }

    fn message(&mut self, event: &Event) -> Option<()> {
        let payload = &event.payload;
        let row = (Table::Messages, event.stream, Uuid::nil());
        match event.event_type.as_str() {
            "message.posted" => {
                let kind = payload.get("kind").cloned().unwrap_or(json!("text"));
                let mentions = if kind == "system" { json!([]) } else { mentions(payload) };
                let fields = json!({"channel_id": payload.get("channel_id"), "user_id": payload.get("author"), "message_type": kind,
                                    "content": payload.get("content"), "thread_id": payload.get("thread_id"), "reply_count": 0,
                                    "client_msg_id": null, "is_pinned": false, "is_deleted": false,
                                    "reactions": [], "earlier": [], "mentions": mentions});
                self.insert(row, fields);
                self.count_reply(event.id("thread_id"), 1)?;
            }
            "message.edited" => {
                let before = self.get(row)?.get("content").cloned();
                let mentions = mentions(payload);
                self.push(row, "earlier", before.unwrap_or_default())?;
                self.set(row, json!({"content": payload.get("content"), "edited_by": payload.get("by"), "mentions": mentions}))?;
            }
            "message.deleted" => {
                let root = self.get(row)?.get("thread_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
                let gone = json!({"content": "", "is_deleted": true, "is_pinned": false, "pinned_by": null, "earlier": [], "mentions": [],
                                  "deleted_by": payload.get("by")});
                self.set(row, gone)?;
                self.count_reply(root, -1)?;
            }
            "message.pinned" => self.set(row, json!({"is_pinned": true, "pinned_by": payload.get("by")}))?,
            "message.unpinned" => self.set(row, json!({"is_pinned": false, "pinned_by": null}))?,
            "message.reacted" | "message.reaction_removed" => self.react(row, event)?,
            _ => {}
        }
        Some(())
    }

    fn react(&mut self, row: RowName, event: &Event) -> Option<()> {
        let (emoji, user) = (event.text("emoji")?.to_owned(), event.payload.get("user_id")?.clone());
        self.touch(row);
        let reactions = self.rows.get_mut(&row)?.get_mut("reactions")?.as_array_mut()?;
        let at = reactions.iter().position(|reaction| reaction["emoji"] == *emoji).unwrap_or_else(|| {
            reactions.push(json!({"emoji": emoji, "count": 0, "users": []}));
            reactions.len() - 1
        });
        let users = reactions[at]["users"].as_array_mut()?;
        users.retain(|other| *other != user);
        if event.event_type == "message.reacted" {
            users.push(user);
        }
        let count = users.len();
        reactions[at]["count"] = json!(count);
        if count == 0 {
            reactions.remove(at);
        }
        Some(())
    }

    fn count_reply(&mut self, root: Option<Uuid>, difference: i64) -> Option<()> {
        let Some(root) = root else { return Some(()) };
        let row = (Table::Messages, root, Uuid::nil());
        let count = self.get(row)?.get("reply_count")?.as_i64()?;
        self.set(row, json!({"reply_count": count + difference}))
    }

    fn get(&self, row: RowName) -> Option<&Map<String, Value>> {
        self.rows.get(&row)
    }

    fn push(&mut self, row: RowName, list: &str, value: Value) -> Option<()> {
        self.rows.get_mut(&row)?.get_mut(list)?.as_array_mut()?.push(value);
        Some(())
    }

    fn insert(&mut self, row: RowName, fields: Value) {
        self.touch(row);
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.rows.insert(row, fields);
    }

    fn set(&mut self, row: RowName, fields: Value) -> Option<()> {
        self.touch(row);
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.rows.get_mut(&row)?.extend(fields);
        Some(())
    }

    fn touch(&mut self, (table, first, second): RowName) {
        self.changed.insert((table as u8, first, second));
    }
}

/// The users that a text mentions, each once and in order.
fn mentions(payload: &Value) -> Value {
    let listed = payload.get("formatted").and_then(|formatted| formatted.get("mentions")).and_then(Value::as_array);
    let mentions = listed.into_iter().flatten().filter_map(Value::as_str).collect::<BTreeSet<_>>();
    json!(mentions)
}
