//! A channel: its name, its members, and whether posts to it are accepted. Direct and group conversations are channels
//! without a name. Not here: messages (each is an aggregate of its own), and the permission to run a command
//! (`commands/src/authorize.rs`).

mod command;
mod decide;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::{ChannelCommand, NewChannel};
pub use decide::GROUP_PEOPLE;
pub use error::ChannelRefusal;
pub use event::{ChannelEvent, ChannelSettings, Creation, Kind, MemberRole, NotificationLevel};

use crate::context::Context;
use crate::ids::UserId;

/// The state that decisions about a channel need: the fold of its events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// The data that it started with, with its present names. `None` before it was created.
    pub creation: Option<Creation>,
    /// Its settings.
    pub settings: ChannelSettings,
    /// Its present members.
    pub members: BTreeMap<UserId, Membership>,
    /// Whether it is archived.
    pub archived: bool,
}

/// A user's membership of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Admin or member.
    pub role: MemberRole,
    /// The messages that the member is notified of.
    pub level: NotificationLevel,
}

impl Channel {
    /// The version of this state in snapshots. Raise it when the same events are folded into another state, or when the
    /// state is written as other JSON. Snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// Whether it has been created.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.creation.is_some()
    }

    /// Whether the user is a member.
    #[must_use]
    pub fn has_member(&self, user_id: UserId) -> bool {
        self.members.contains_key(&user_id)
    }

    /// Whether the user is one of its admins.
    #[must_use]
    pub fn has_admin(&self, user_id: UserId) -> bool {
        self.members.get(&user_id).is_some_and(|m| m.role == MemberRole::Admin)
    }

    /// Whether it is a named channel in which none of the members is present. `is_present` says who is an active member of
    /// the workspace.
    #[must_use]
    pub fn is_without_members(&self, is_present: impl Fn(UserId) -> bool) -> bool {
        let is_named = self.creation.as_ref().is_some_and(|creation| !creation.kind.is_direct());
        is_named && !self.members.keys().any(|user_id| is_present(*user_id))
    }

    /// Checks that a member may stop being an admin, by leaving or otherwise: another present member is an admin. The
    /// last one in the channel may leave. `is_present` says who is an active member of the workspace.
    ///
    /// # Errors
    /// Other people are in the channel, and none of them is an admin.
    pub fn keeps_an_admin(&self, without: UserId, is_present: impl Fn(UserId) -> bool) -> Result<(), ChannelRefusal> {
        let mut others = self.members.iter().filter(|(user_id, _)| **user_id != without && is_present(**user_id)).peekable();
        if !self.has_admin(without) || others.peek().is_none() || others.any(|(_, member)| member.role == MemberRole::Admin) {
            return Ok(());
        }
        Err(ChannelRefusal::LastAdmin)
    }

    /// The events that end a guest's membership of #general, which every other member stays in. There are none if the
    /// guest is no member.
    #[must_use]
    pub fn end_guest_membership(&self, context: &Context, user_id: UserId) -> Vec<ChannelEvent> {
        match self.has_member(user_id) {
            true if user_id == context.actor => vec![ChannelEvent::MemberLeft { user_id }],
            true => vec![ChannelEvent::MemberRemoved { user_id, removed_by: context.actor }],
            false => vec![],
        }
    }

    /// Decides `command`, and returns the events that follow from it.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn decide(&self, context: &Context, command: ChannelCommand) -> Result<Vec<ChannelEvent>, ChannelRefusal> {
        match command {
            ChannelCommand::Create(new) => decide::create(self, context, *new),
            ChannelCommand::Rename { name, display_name } => decide::rename(self, name, display_name),
            ChannelCommand::ChangeTopic { topic } => decide::change_topic(self, topic),
            ChannelCommand::ChangePurpose { purpose } => decide::change_purpose(self, purpose),
            ChannelCommand::ChangeDescription { description } => decide::change_description(self, description),
            ChannelCommand::ChangeSettings(settings) => decide::change_settings(self, settings),
            ChannelCommand::Join => decide::join(self, context),
            ChannelCommand::Adopt => decide::adopt(self, context),
            ChannelCommand::AddMember { user_id } => decide::add_member(self, context, user_id),
            ChannelCommand::Leave => decide::leave(self, context),
            ChannelCommand::RemoveMember { user_id } => decide::remove_member(self, context, user_id),
            ChannelCommand::ChangeMemberRole { user_id, role } => decide::change_member_role(self, user_id, role),
            ChannelCommand::ChangeNotificationLevel { level } => decide::change_notification_level(self, context, level),
            ChannelCommand::Archive => decide::archive(self, context),
            ChannelCommand::Unarchive => decide::unarchive(self, context),
        }
    }
}

impl Aggregate for Channel {
    const TYPE: &'static str = "channel";
    type Command = (Context, ChannelCommand);
    type Event = ChannelEvent;
    type Error = ChannelRefusal;
    type Services = ();

    async fn handle(&mut self, (context, command): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), ChannelRefusal> {
        for event in self.decide(&context, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::Created(creation) => self.creation = Some(*creation),
            ChannelEvent::Renamed { name, display_name } => self.change(|c| {
                c.name = Some(name);
                c.display_name = display_name;
            }),
            ChannelEvent::TopicChanged { topic } => self.change(|c| c.topic = topic),
            ChannelEvent::PurposeChanged { purpose } => self.change(|c| c.purpose = purpose),
            ChannelEvent::DescriptionChanged { description } => self.change(|c| c.description = description),
            ChannelEvent::SettingsChanged(settings) => self.settings = settings,
            ChannelEvent::MemberJoined { user_id, role, invited_by: _ } => {
                self.members.insert(user_id, Membership { role, level: NotificationLevel::default() });
            }
            ChannelEvent::MemberLeft { user_id } | ChannelEvent::MemberRemoved { user_id, .. } => drop(self.members.remove(&user_id)),
            ChannelEvent::MemberRoleChanged { user_id, role } => self.change_member(user_id, |m| m.role = role),
            ChannelEvent::NotificationLevelChanged { user_id, level } => self.change_member(user_id, |m| m.level = level),
            ChannelEvent::Archived { .. } => self.archived = true,
            ChannelEvent::Unarchived { .. } => self.archived = false,
        }
    }
}

impl Channel {
    fn change(&mut self, change: impl FnOnce(&mut Creation)) {
        if let Some(creation) = &mut self.creation {
            change(creation);
        }
    }

    fn change_member(&mut self, user_id: UserId, change: impl FnOnce(&mut Membership)) {
        if let Some(member) = self.members.get_mut(&user_id) {
            change(member);
        }
    }
}

/// The text that makes a direct or group conversation unique in its workspace. It is computed from the participants.
#[must_use]
pub fn people_key(members: &BTreeSet<UserId>) -> String {
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
