//! Permission to act, computed from the log. After the position of their removal users must not act, until they are
//! taken back.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::log::Event;
use super::{Violation, tell};

/// The users of each channel and workspace, at the position that was reached.
#[derive(Debug, Default)]
pub(crate) struct Authority {
    in_workspace: HashSet<(Uuid, Uuid)>,
    in_channel: HashSet<(Uuid, Uuid)>,
    archived: HashSet<Uuid>,
    suspended: HashSet<Uuid>,
    workspace_of: HashMap<Uuid, Uuid>,
    channel_of: HashMap<Uuid, Uuid>,
}

impl Authority {
    /// Judges an event by the events before it, then applies it.
    pub(crate) fn check(&mut self, event: &Event, found: &mut Vec<Violation>) {
        match event.event_type.as_str() {
            "message.posted" => {
                let channel = event.id("channel_id").unwrap_or_default();
                self.channel_of.insert(event.stream, channel);
                if event.text("kind") != Some("system") && !event.is_import {
                    self.judge(event, channel, event.id("author"), found);
                }
            }
            "message.reacted" if !event.is_import => {
                let channel = self.channel_of.get(&event.stream).copied().unwrap_or_default();
                self.judge(event, channel, event.id("user_id"), found);
            }
            _ => self.apply(event),
        }
    }

    fn judge(&self, event: &Event, channel: Uuid, who: Option<Uuid>, found: &mut Vec<Violation>) {
        let who = who.unwrap_or_default();
        let workspace = self.workspace_of.get(&channel).copied().unwrap_or_default();
        let heard = [
            (self.in_channel.contains(&(channel, who)), "is not in the channel"),
            (self.in_workspace.contains(&(workspace, who)), "is not in the workspace"),
            (!self.suspended.contains(&who), "is suspended"),
            (!self.archived.contains(&channel), "speaks in an archived channel"),
        ];
        for (_, why) in heard.into_iter().filter(|(fine, _)| !fine) {
            tell(found, "heard after a removal", || format!("{} at {}: {who} {why} ({channel})", event.event_type, event.position));
        }
    }

    fn apply(&mut self, event: &Event) {
        let (id, user) = (event.stream, event.id("user_id").unwrap_or_default());
        match event.event_type.as_str() {
            "channel.created" => drop(self.workspace_of.insert(id, event.id("workspace_id").unwrap_or_default())),
            "channel.member_joined" => drop(self.in_channel.insert((id, user))),
            "channel.member_left" | "channel.member_removed" => drop(self.in_channel.remove(&(id, user))),
            "channel.archived" => drop(self.archived.insert(id)),
            "channel.unarchived" => drop(self.archived.remove(&id)),
            "workspace.member_joined" | "workspace.member_reactivated" => drop(self.in_workspace.insert((id, user))),
            "workspace.member_deactivated" => drop(self.in_workspace.remove(&(id, user))),
            "user.suspended" => drop(self.suspended.insert(id)),
            "user.reactivated" => drop(self.suspended.remove(&id)),
            _ => {}
        }
    }
}
