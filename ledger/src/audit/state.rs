//! What an event changed: the states of its aggregate before and after it, compared as JSON (RFC 6902).
//!
//! Of a large aggregate, only the part that the event can change is compared: the members that it names, and everything
//! that is not a member. A test checks that comparing the whole gives the same result.

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use domain::ids::{ChannelId, InvitationId, UserId};
use domain::text::EmojiName;
use domain::{
    AggregateType, Audit, Channel, ChannelEvent, Event, Installation, Message, Retention, Session, User, Workspace, WorkspaceEvent,
};
use serde::Serialize;
use serde_json::Value;

/// The most people that each state of a history shows.
const PEOPLE_SHOWN_MAX: usize = 100;

/// Events about one member of a large aggregate, named in `user_id`.
const ABOUT_MEMBERS: [&str; 11] = [
    "channel.member_joined",
    "channel.member_left",
    "channel.member_removed",
    "channel.member_role_changed",
    "channel.notification_level_changed",
    "workspace.member_joined",
    "workspace.member_role_changed",
    "workspace.member_details_changed",
    "workspace.member_permissions_changed",
    "workspace.member_deactivated",
    "workspace.member_reactivated",
];

/// The events that need not be read to see what some events changed in an aggregate: events about members that these do
/// not name.
pub(crate) fn left_out(aggregate: AggregateType, events: &[&Event]) -> Option<(&'static [&'static str], Vec<UserId>)> {
    match aggregate {
        AggregateType::Workspace | AggregateType::Channel => Some((&ABOUT_MEMBERS, events.iter().flat_map(|event| named(event)).collect())),
        AggregateType::User
        | AggregateType::Message
        | AggregateType::Retention
        | AggregateType::Session
        | AggregateType::Audit
        | AggregateType::Installation => None,
    }
}

/// The people whose membership an event can change.
fn named(event: &Event) -> Vec<UserId> {
    match event {
        Event::Workspace(event) => named_in_workspace(event).0,
        Event::Channel(event) => named_in_channel(event),
        Event::User(_) | Event::Message(_) | Event::Retention(_) | Event::Session(_) | Event::Audit(_) | Event::Installation(_) => {
            Vec::new()
        }
    }
}

/// The state of an aggregate: its events applied in order.
#[derive(Clone, Debug)]
pub(crate) enum State {
    User(Box<User>),
    Workspace(Box<Workspace>),
    Channel(Box<Channel>),
    Message(Box<Message>),
    Retention(Box<Retention>),
    Session(Box<Session>),
    Audit(Box<Audit>),
    Installation(Box<Installation>),
}

impl State {
    /// The state before the first event.
    pub(crate) fn new(aggregate: AggregateType) -> Self {
        match aggregate {
            AggregateType::User => Self::User(Box::default()),
            AggregateType::Workspace => Self::Workspace(Box::default()),
            AggregateType::Channel => Self::Channel(Box::default()),
            AggregateType::Message => Self::Message(Box::default()),
            AggregateType::Retention => Self::Retention(Box::default()),
            AggregateType::Session => Self::Session(Box::default()),
            AggregateType::Audit => Self::Audit(Box::default()),
            AggregateType::Installation => Self::Installation(Box::default()),
        }
    }

    /// Applies an event. An event of another type of aggregate changes nothing.
    pub(crate) fn apply(&mut self, event: &Event) {
        match (self, event) {
            (Self::User(state), Event::User(event)) => state.apply(event.clone()),
            (Self::Workspace(state), Event::Workspace(event)) => state.apply(event.clone()),
            (Self::Channel(state), Event::Channel(event)) => state.apply(event.clone()),
            (Self::Message(state), Event::Message(event)) => state.apply(event.clone()),
            (Self::Retention(state), Event::Retention(event)) => state.apply(event.clone()),
            (Self::Session(state), Event::Session(event)) => state.apply(event.clone()),
            (Self::Audit(state), Event::Audit(event)) => state.apply(event.clone()),
            (Self::Installation(state), Event::Installation(event)) => state.apply(event.clone()),
            (
                Self::User(_)
                | Self::Workspace(_)
                | Self::Channel(_)
                | Self::Message(_)
                | Self::Retention(_)
                | Self::Session(_)
                | Self::Audit(_)
                | Self::Installation(_),
                _,
            ) => {}
        }
    }

    /// The whole state.
    pub(crate) fn whole(&self) -> Value {
        match self {
            Self::User(state) => json(state),
            Self::Workspace(state) => json(state),
            Self::Channel(state) => json(state),
            Self::Message(state) => json(state),
            Self::Retention(state) => json(state),
            Self::Session(state) => json(state),
            Self::Audit(state) => json(state),
            Self::Installation(state) => json(state),
        }
    }

    /// The part of the state that the event can change, and everything small.
    pub(crate) fn part(&self, event: &Event) -> Value {
        match (self, event) {
            (Self::Workspace(state), Event::Workspace(event)) => json(&part_of_workspace(state, event)),
            (Self::Channel(state), Event::Channel(event)) => json(&part_of_channel(state, event)),
            (
                Self::User(_)
                | Self::Workspace(_)
                | Self::Channel(_)
                | Self::Message(_)
                | Self::Retention(_)
                | Self::Session(_)
                | Self::Audit(_)
                | Self::Installation(_),
                _,
            ) => self.whole(),
        }
    }

    /// Whether it has so many people that a history does not show them after each event.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::Workspace(state) => state.members.len() + state.invitations.len() > PEOPLE_SHOWN_MAX,
            Self::Channel(state) => state.members.len() > PEOPLE_SHOWN_MAX,
            Self::User(_) | Self::Message(_) | Self::Retention(_) | Self::Session(_) | Self::Audit(_) | Self::Installation(_) => false,
        }
    }

    /// The channel that a message was posted to.
    pub(crate) fn conversation(&self) -> Option<ChannelId> {
        match self {
            Self::Message(message) => message.posting.as_ref().map(|posting| posting.channel_id),
            Self::User(_)
            | Self::Workspace(_)
            | Self::Channel(_)
            | Self::Retention(_)
            | Self::Session(_)
            | Self::Audit(_)
            | Self::Installation(_) => None,
        }
    }
}

/// Where the text of a message stands in its state and in its events.
const TEXTS: [&str; 3] = ["/posting", "/message.posted", "/message.edited"];

/// Removes the text from the JSON of a message's state or event. Returns whether there was one.
pub(crate) fn withhold_text(value: &mut Value) -> bool {
    let mut had_text = false;
    for place in TEXTS {
        if let Some(Value::Object(fields)) = value.pointer_mut(place) {
            had_text |= fields.remove("content").is_some();
            had_text |= fields.remove("formatted").is_some();
        }
    }
    had_text
}

fn part_of_workspace(state: &Workspace, event: &WorkspaceEvent) -> Workspace {
    let (people, invitations) = named_in_workspace(event);
    Workspace {
        details: state.details.clone(),
        domain: state.domain.clone(),
        general_channel_id: state.general_channel_id,
        max_members: state.max_members,
        settings: state.settings.clone(),
        plan: state.plan,
        holds: state.holds.clone(),
        members: only(&state.members, &people),
        invitations: only(&state.invitations, &invitations),
        emojis: emoji_of(event).and_then(|name| state.emojis.get(name)).into_iter().cloned().collect(),
    }
}

/// The emoji that an event is about.
fn emoji_of(event: &WorkspaceEvent) -> Option<&EmojiName> {
    match event {
        WorkspaceEvent::EmojiAdded { name, .. } | WorkspaceEvent::EmojiRemoved { name, .. } => Some(name),
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::MemberInvited { .. }
        | WorkspaceEvent::InvitationRevoked { .. }
        | WorkspaceEvent::MemberJoined { .. }
        | WorkspaceEvent::MemberRoleChanged { .. }
        | WorkspaceEvent::MemberDetailsChanged { .. }
        | WorkspaceEvent::MemberPermissionsChanged { .. }
        | WorkspaceEvent::MemberDeactivated { .. }
        | WorkspaceEvent::MemberReactivated { .. }
        | WorkspaceEvent::HandedOver { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. } => None,
    }
}

fn named_in_workspace(event: &WorkspaceEvent) -> (Vec<UserId>, Vec<InvitationId>) {
    match event {
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => (Vec::new(), Vec::new()),
        WorkspaceEvent::MemberInvited { invitation_id, .. } | WorkspaceEvent::InvitationRevoked { invitation_id } => {
            (Vec::new(), vec![*invitation_id])
        }
        WorkspaceEvent::MemberJoined { user_id, invitation_id, .. } => (vec![*user_id], invitation_id.iter().copied().collect()),
        WorkspaceEvent::MemberRoleChanged { user_id, .. }
        | WorkspaceEvent::MemberDetailsChanged { user_id, .. }
        | WorkspaceEvent::MemberPermissionsChanged { user_id, .. }
        | WorkspaceEvent::MemberDeactivated { user_id }
        | WorkspaceEvent::MemberReactivated { user_id } => (vec![*user_id], Vec::new()),
        WorkspaceEvent::HandedOver { from, to } => (vec![*from, *to], Vec::new()),
    }
}

fn named_in_channel(event: &ChannelEvent) -> Vec<UserId> {
    match event {
        ChannelEvent::MemberJoined { user_id, .. }
        | ChannelEvent::MemberLeft { user_id }
        | ChannelEvent::MemberRemoved { user_id, .. }
        | ChannelEvent::MemberRoleChanged { user_id, .. }
        | ChannelEvent::NotificationLevelChanged { user_id, .. } => vec![*user_id],
        ChannelEvent::Created(_)
        | ChannelEvent::Renamed { .. }
        | ChannelEvent::TopicChanged { .. }
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => Vec::new(),
    }
}

fn part_of_channel(state: &Channel, event: &ChannelEvent) -> Channel {
    let people = named_in_channel(event);
    Channel {
        creation: state.creation.clone(),
        settings: state.settings.clone(),
        members: only(&state.members, &people),
        archived: state.archived,
    }
}

fn only<K: Ord + Copy, V: Clone>(map: &BTreeMap<K, V>, keys: &[K]) -> BTreeMap<K, V> {
    keys.iter().filter_map(|key| Some((*key, map.get(key)?.clone()))).collect()
}

/// Every state can be written as JSON.
fn json<T: Serialize>(state: &T) -> Value {
    domain::document::shown(serde_json::to_value(state).unwrap_or_default())
}
