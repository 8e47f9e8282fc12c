//! The events that a view of a moment contains: those that had happened by then. An imported message happened when it
//! was sent, and not when it was imported.
//!
//! An import records a user, a workspace or a channel later than its messages happened. So the first event of each of
//! these is held back. It is applied when the first event arrives that happened in time and refers to it
//! (docs/decisions/0041-a-view-of-a-moment-is-what-had-happened.md).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use domain::{AggregateType, ChannelEvent, Event, MessageEvent, Recorded, SessionEvent, StreamId, WorkspaceEvent};

/// The most positions that a report names.
const NAMED_MAX: usize = 20;

/// Events that happened by the moment of a view, and that could not be applied because they change something that
/// happened later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their number.
    pub events: u64,
    /// The positions of the first of them.
    pub first: Vec<i64>,
}

impl LeftOut {
    pub(super) fn add(&mut self, position: i64) {
        self.events += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(position);
        }
    }
}

/// Selects the events of a view of a moment.
pub(super) struct Past {
    moment: DateTime<Utc>,
    /// The first events of users, workspaces and channels that happened after the moment.
    held: HashMap<StreamId, Recorded<Event>>,
}

impl Past {
    /// Selects what had happened by `moment`.
    pub(super) fn until(moment: DateTime<Utc>) -> Self {
        Self { moment, held: HashMap::new() }
    }

    /// Whether the event had happened by the moment.
    pub(super) fn includes(&self, event: &Recorded<Event>) -> bool {
        event.happened_at() <= self.moment
    }

    /// Keeps an event that happened later, if it is the first one of something that an included event may refer to.
    pub(super) fn hold(&mut self, event: &Recorded<Event>) {
        let is_referred_to = matches!(event.stream.aggregate, AggregateType::User | AggregateType::Workspace | AggregateType::Channel);
        if is_referred_to && event.sequence == 1 {
            self.held.insert(event.stream, event.clone());
        }
    }

    /// Forgets the held event of a stream.
    pub(super) fn release(&mut self, stream: StreamId) {
        self.held.remove(&stream);
    }

    /// Takes the held events that must be applied before this one, each behind those that it refers to itself.
    pub(super) fn take_referred(&mut self, event: &Recorded<Event>) -> Vec<Recorded<Event>> {
        let mut taken = Vec::new();
        if self.held.is_empty() {
            return taken;
        }
        let mut waiting = references(event);
        while let Some(stream) = waiting.pop() {
            if let Some(first) = self.held.remove(&stream) {
                waiting.extend(references(&first));
                taken.push(first);
            }
        }
        // Positions increase along references: a channel is recorded after its workspace, and that after its owner.
        taken.sort_unstable_by_key(|first| first.position);
        taken
    }
}

/// The users, workspaces and channels that an event refers to.
fn references(event: &Recorded<Event>) -> Vec<StreamId> {
    let mut streams = vec![event.stream, StreamId::user(event.metadata.actor)];
    streams.extend(event.workspace_id.map(StreamId::workspace));
    match &event.event {
        Event::Workspace(happened) => {
            streams.extend(users_of_workspace(happened).map(StreamId::user));
            if let WorkspaceEvent::Created { general_channel_id, .. } = happened {
                streams.push(StreamId::channel(*general_channel_id));
            }
        }
        Event::Channel(happened) => streams.extend(user_of_channel(happened).map(StreamId::user)),
        Event::Message(MessageEvent::Posted(posting)) => {
            streams.extend([StreamId::channel(posting.channel_id), StreamId::user(posting.author)]);
        }
        Event::Session(SessionEvent::Started(start)) => streams.push(StreamId::user(start.user_id)),
        Event::User(_) | Event::Message(_) | Event::Retention(_) | Event::Session(_) | Event::Audit(_) | Event::Installation(_) => {}
    }
    streams
}

/// The users that get a membership or an invitation by the event, and those who invited them.
fn users_of_workspace(event: &WorkspaceEvent) -> impl Iterator<Item = UserId> {
    let users = match event {
        WorkspaceEvent::MemberJoined { user_id, invited_by, .. } => [Some(*user_id), *invited_by],
        WorkspaceEvent::MemberInvited { invited_by, .. } => [Some(*invited_by), None],
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::InvitationRevoked { .. }
        | WorkspaceEvent::MemberRoleChanged { .. }
        | WorkspaceEvent::MemberDetailsChanged { .. }
        | WorkspaceEvent::MemberPermissionsChanged { .. }
        | WorkspaceEvent::MemberDeactivated { .. }
        | WorkspaceEvent::MemberReactivated { .. }
        | WorkspaceEvent::HandedOver { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => [None, None],
    };
    users.into_iter().flatten()
}

/// The user that creates the channel or joins it.
fn user_of_channel(event: &ChannelEvent) -> Option<UserId> {
    match event {
        ChannelEvent::Created(creation) => Some(creation.created_by),
        ChannelEvent::MemberJoined { user_id, .. } => Some(*user_id),
        ChannelEvent::Renamed { .. }
        | ChannelEvent::TopicChanged { .. }
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::MemberLeft { .. }
        | ChannelEvent::MemberRemoved { .. }
        | ChannelEvent::MemberRoleChanged { .. }
        | ChannelEvent::NotificationLevelChanged { .. }
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => None,
    }
}
