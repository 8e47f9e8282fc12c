//! Access at earlier positions of the log. An event is shown to a user who could see it at its position, and who can see it
//! now. Without the first, a member who was just added would get what was said before. Without the second, a member who
//! was removed would get what was said until then.
//!
//! The present comes from the aggregates. The past comes from the log: what the user could see in the workspace is folded
//! from the beginning, because there are few such events. Memberships of channels, which may be many, are followed from
//! the present backwards, to the first position that is asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cqrs_es::Aggregate;
use domain::channel::Kind;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::permission::{Permission, Role};
use domain::{Channel, ChannelEvent, Event, Recorded, Workspace, WorkspaceEvent};
use stores::log::{LogError, read};

use super::ReadAccess;
use crate::event_store::StoreError;
use crate::{CommandError, authorize};

/// The most events that are read about the memberships of one question. A user of 20,000 channels has fewer.
const MEMBERSHIPS_MAX: usize = 1_000_000;

/// The person whom an event of a membership is about, as the indexes of the log have it.
const PERSON: &str = "(payload -> event_type ->> 'user_id')";
/// The events that begin and end memberships of channels.
const OF_CHANNELS: &str = "event_type IN ('channel.member_joined', 'channel.member_left', 'channel.member_removed')";
/// The events that decide what a member of a workspace may see.
const OF_WORKSPACES: &str = "event_type IN ('workspace.member_joined', 'workspace.member_role_changed', \
                             'workspace.member_permissions_changed', 'workspace.member_deactivated', 'workspace.member_reactivated')";

/// The people who may see an event of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The people.
    pub people: People,
    /// The user who is removed by the event. That they are removed is the last that they get.
    pub removed: Option<UserId>,
}

/// People of a workspace. Every one of them is an active member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum People {
    /// This user alone.
    Only(UserId),
    /// This user alone, if they may read the channel.
    OnlyIn(UserId, ChannelId),
    /// All.
    Members,
    /// Those with the permission.
    With(Permission),
    /// Those who may list the members, and see all of these people.
    ListersOf(Vec<UserId>),
    /// Those who see this person, who is an active member.
    SeersOf(UserId),
    /// Those who see this person, who is or was a member.
    SeersOfFormer(UserId),
    /// Those who may read the channel.
    ReadersOf(ChannelId),
}

impl From<People> for Audience {
    fn from(people: People) -> Self {
        Self { people, removed: None }
    }
}

impl People {
    fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::ReadersOf(channel_id) | Self::OnlyIn(_, channel_id) => Some(*channel_id),
            Self::Only(_) | Self::Members | Self::With(_) | Self::ListersOf(_) | Self::SeersOf(_) | Self::SeersOfFormer(_) => None,
        }
    }

    /// The people whom the event is about, and whom not everybody sees.
    fn persons(&self) -> &[UserId] {
        match self {
            Self::ListersOf(persons) => persons,
            Self::SeersOf(person) | Self::SeersOfFormer(person) => std::slice::from_ref(person),
            Self::Only(_) | Self::OnlyIn(..) | Self::Members | Self::With(_) | Self::ReadersOf(_) => &[],
        }
    }
}

/// What a user can see in a workspace, now and at positions behind the first one that was asked for.
#[derive(Debug)]
pub struct Past {
    user_id: UserId,
    workspace_id: WorkspaceId,
    /// The workspace now.
    workspace: Arc<Workspace>,
    channels: HashMap<ChannelId, Arc<Channel>>,
    /// The channels that the user was ever in, if the user is or was a guest: there a guest sees people.
    sight: Vec<ChannelId>,
    /// What the members of the workspace could see, oldest first.
    events: Vec<(i64, WorkspaceEvent)>,
    /// Since the first position: after which event who was in which channel.
    changes: HashMap<(ChannelId, UserId), Vec<(i64, bool)>>,
    /// What the members could see at the last position that was asked for, and how many of `events` are folded in.
    then: (Workspace, usize),
}

impl ReadAccess {
    /// Returns what decides who of `audiences` the user belongs to: now, and at all positions behind `after`.
    ///
    /// # Errors
    /// The user is not a member of the workspace, or the store failed.
    pub async fn past(&self, workspace_id: WorkspaceId, after: i64, audiences: &[Audience]) -> Result<Past, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        let persons = audiences.iter().flat_map(|audience| audience.people.persons()).copied();
        let people = persons.chain([self.user_id]).collect::<BTreeSet<_>>();
        let events = self.workspace_past(workspace_id, &people).await?;
        let was_guest = events.iter().any(|(_, event)| makes_guest(event, self.user_id));
        let sight = if was_guest { self.channels_ever(workspace_id).await? } else { Vec::new() };
        let channels = audiences.iter().filter_map(|audience| audience.people.channel()).chain(sight.iter().copied());
        let channels = channels.collect::<BTreeSet<_>>().into_iter().map(|id| id.0).collect::<Vec<_>>();
        let channels = self.store.load_all::<Channel>(&channels).await?;
        let channels = channels.into_iter().map(|(id, channel)| (id.into(), channel.state)).collect();
        // The memberships are read after the channels, so they lack no event that the channels have.
        let people = if was_guest { people } else { BTreeSet::from([self.user_id]) };
        let changes = self.memberships(workspace_id, &people, after).await?;
        let then = (Workspace::default(), 0);
        Ok(Past { user_id: self.user_id, workspace_id, workspace, channels, sight, events, changes, then })
    }

    async fn workspace_past(
        &self,
        workspace_id: WorkspaceId,
        people: &BTreeSet<UserId>,
    ) -> Result<Vec<(i64, WorkspaceEvent)>, CommandError> {
        let of_people = format!("{OF_WORKSPACES} AND {PERSON} = ANY ('{}')", array(people));
        let handovers = format!("event_type = 'workspace.handed_over' AND {PERSON} IS NULL");
        let found = self.events_of(workspace_id, 0, &format!("({of_people} OR {handovers})")).await?.into_iter();
        Ok(found.filter_map(workspace_event).collect())
    }

    /// The channels of the workspace that the user has ever been in.
    async fn channels_ever(&self, workspace_id: WorkspaceId) -> Result<Vec<ChannelId>, CommandError> {
        let mine = self.memberships(workspace_id, &BTreeSet::from([self.user_id]), 0).await?;
        Ok(mine.into_keys().map(|(channel_id, _)| channel_id).collect())
    }

    async fn memberships(
        &self,
        workspace_id: WorkspaceId,
        people: &BTreeSet<UserId>,
        after: i64,
    ) -> Result<HashMap<(ChannelId, UserId), Vec<(i64, bool)>>, CommandError> {
        let condition = format!("{OF_CHANNELS} AND {PERSON} = ANY ('{}')", array(people));
        let mut changes = HashMap::<_, Vec<_>>::new();
        for recorded in self.events_of(workspace_id, after, &condition).await? {
            if let Some((user_id, is_in)) = membership(&recorded.event) {
                changes.entry((recorded.stream.id.into(), user_id)).or_default().push((recorded.position, is_in));
            }
        }
        Ok(changes)
    }

    /// Reads the events of a workspace behind `after` that fulfil the condition.
    async fn events_of(&self, workspace_id: WorkspaceId, after: i64, condition: &str) -> Result<Vec<Recorded<Event>>, CommandError> {
        let condition = format!("workspace_id = '{workspace_id}' AND {condition}");
        let (pool, keys) = (self.store.pool(), self.store.keys());
        let found = read::read_of(pool, keys, &condition, after, i64::MAX, MEMBERSHIPS_MAX).await.map_err(unreadable)?;
        found.into_iter().map(|delivery| delivery.event.map_err(|error| StoreError::Stream(Arc::new(error)).into())).collect()
    }
}

impl Past {
    /// The workspace now.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// A channel that was asked for, as it is now.
    #[must_use]
    pub fn channel(&self, channel_id: ChannelId) -> Option<&Channel> {
        self.channels.get(&channel_id).map(AsRef::as_ref)
    }

    /// Whether the user may read the channel now.
    #[must_use]
    pub fn reads(&self, channel_id: ChannelId) -> bool {
        self.sees_now(&People::ReadersOf(channel_id))
    }

    /// Whether the user may see what is shown to the audience: now, and right after the event at `position`. The position
    /// must be behind the one that this was made for. Positions that increase are judged fastest.
    pub fn may_see(&mut self, position: i64, audience: &Audience) -> bool {
        if audience.removed == Some(self.user_id) {
            return true;
        }
        self.sees_now(&audience.people) && self.saw(position, &audience.people)
    }

    fn sees_now(&self, people: &People) -> bool {
        let is_in =
            |channel_id: ChannelId, user_id: UserId| self.channels.get(&channel_id).is_some_and(|channel| channel.has_member(user_id));
        self.belongs(&self.workspace, is_in, people)
    }

    fn saw(&mut self, position: i64, people: &People) -> bool {
        let (mut then, mut folded) = std::mem::take(&mut self.then);
        if folded > 0 && self.events.get(folded - 1).is_some_and(|(at, _)| *at > position) {
            (then, folded) = (Workspace::default(), 0);
        }
        while let Some((_, event)) = self.events.get(folded).filter(|(at, _)| *at <= position) {
            then.apply(event.clone());
            folded += 1;
        }
        let saw = self.belongs(&then, |channel_id, user_id| self.was_in(position, channel_id, user_id), people);
        self.then = (then, folded);
        saw
    }

    /// Whether a person was in a channel right after the event at `position`. The first change behind it tells: who joins was
    /// not there, and who leaves was. Without a change, it is as now.
    fn was_in(&self, position: i64, channel_id: ChannelId, user_id: UserId) -> bool {
        let changes = self.changes.get(&(channel_id, user_id));
        let next = changes.and_then(|changes| changes.iter().find(|(at, _)| *at > position));
        let is_in = || self.channels.get(&channel_id).is_some_and(|channel| channel.has_member(user_id));
        next.map_or_else(is_in, |(_, joins)| !joins)
    }

    fn belongs(&self, workspace: &Workspace, is_in: impl Fn(ChannelId, UserId) -> bool, people: &People) -> bool {
        let me = self.user_id;
        if workspace.active_member(me).is_none() {
            return false;
        }
        let shares_a_channel = |person: UserId| self.sight.iter().any(|channel_id| is_in(*channel_id, me) && is_in(*channel_id, person));
        let reads = |channel_id: ChannelId| {
            let kind = self.kind_of(channel_id);
            kind.is_some_and(|kind| authorize::sees_one(workspace, me, kind == Kind::Public, is_in(channel_id, me)))
        };
        let sees = |person: UserId| person == me || !workspace.has_guest(me) || shares_a_channel(person);
        match people {
            People::Only(user_id) => *user_id == me,
            People::Members => true,
            People::With(permission) => workspace.allows(me, *permission),
            People::ListersOf(persons) => {
                persons.iter().all(|person| *person == me || (workspace.allows(me, Permission::MemberList) && sees(*person)))
            }
            People::SeersOf(person) => workspace.active_member(*person).is_some() && sees(*person),
            People::SeersOfFormer(person) => workspace.members.contains_key(person) && sees(*person),
            People::OnlyIn(user_id, channel_id) => *user_id == me && reads(*channel_id),
            People::ReadersOf(channel_id) => reads(*channel_id),
        }
    }

    /// The kind of a channel of this workspace.
    fn kind_of(&self, channel_id: ChannelId) -> Option<Kind> {
        let creation = self.channels.get(&channel_id)?.creation.as_ref()?;
        (creation.workspace_id == self.workspace_id).then_some(creation.kind)
    }
}

/// Whether the event made the user a guest.
fn makes_guest(event: &WorkspaceEvent, user: UserId) -> bool {
    matches!(event, WorkspaceEvent::MemberJoined { user_id, role: Role::Guest, .. }
                  | WorkspaceEvent::MemberRoleChanged { user_id, role: Role::Guest } if *user_id == user)
}

fn workspace_event(recorded: Recorded<Event>) -> Option<(i64, WorkspaceEvent)> {
    match recorded.event {
        Event::Workspace(event) => Some((recorded.position, event)),
        _ => None,
    }
}

/// The person who joined or left a channel, and whether they are in it now.
fn membership(event: &Event) -> Option<(UserId, bool)> {
    match event {
        Event::Channel(ChannelEvent::MemberJoined { user_id, .. }) => Some((*user_id, true)),
        Event::Channel(ChannelEvent::MemberLeft { user_id } | ChannelEvent::MemberRemoved { user_id, .. }) => Some((*user_id, false)),
        _ => None,
    }
}

/// Identifiers as an array of Postgres.
fn array(people: &BTreeSet<UserId>) -> String {
    format!("{{{}}}", people.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

fn unreadable(error: LogError) -> CommandError {
    match error {
        LogError::Unavailable(error) => StoreError::from(error).into(),
        LogError::Keys(error) => StoreError::from(error).into(),
        LogError::Gap { .. } | LogError::Malformed(_) | LogError::OfLaterRelease { .. } => StoreError::Stream(Arc::new(error)).into(),
    }
}
