//! Access at earlier positions of the log. An event is shown to a user who could see it at its position, and who can see it
//! now. Without the first, a member who was just added would get earlier messages. Without the second, a member who was
//! removed would get the messages until then.
//!
//! The present comes from the aggregates. The past comes from the log: the user's rights in the workspace are folded from
//! the beginning, because there are few of these events. Memberships of channels, which may be many, are followed from
//! the present backwards, to the first position that is asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cqrs_es::Aggregate;
use domain::channel::Kind;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::permission::Role;
use domain::{Channel, ChannelEvent, Event, Recorded, StreamId, Workspace, WorkspaceEvent};
use stores::log::{LogError, read};

use super::audience::belongs;
use super::{Audience, People, ReadAccess};
use crate::event_store::StoreError;
use crate::{CommandError, authorize};

/// The most events that are read about the memberships of one question. A user of 20,000 channels has fewer.
pub(super) const MEMBERSHIPS_MAX: usize = 1_000_000;

/// The person whom an event of a membership is about, as the indexes of the log have it.
pub(super) const PERSON: &str = "(payload -> event_type ->> 'user_id')";
/// The events that begin and end memberships of channels.
pub(super) const OF_CHANNELS: &str = "event_type IN ('channel.member_joined', 'channel.member_left', 'channel.member_removed')";
/// The events that decide what a member of a workspace may see.
const OF_WORKSPACES: &str = "event_type IN ('workspace.member_joined', 'workspace.member_role_changed', \
                             'workspace.member_permissions_changed', 'workspace.member_deactivated', 'workspace.member_reactivated')";

/// The access of a user to a workspace, now and at positions behind the first one that was asked for.
#[derive(Debug)]
pub struct Past {
    user_id: UserId,
    workspace_id: WorkspaceId,
    /// The workspace now.
    workspace: Arc<Workspace>,
    channels: HashMap<ChannelId, Arc<Channel>>,
    /// The user, and the people whom the audiences are about.
    people: BTreeSet<UserId>,
    /// Whether the user is or was a guest.
    was_guest: bool,
    /// The channels that the user was ever in, if the user is or was a guest: there a guest sees people.
    sight: Vec<ChannelId>,
    /// The events that changed the access of members, oldest first.
    events: Vec<(i64, WorkspaceEvent)>,
    /// The memberships of channels since the first position: for each change its position, and whether the user is in.
    changes: HashMap<(ChannelId, UserId), Vec<(i64, bool)>>,
    /// The access of members at the last position that was asked for, and how many of `events` are folded in. `None` if the
    /// workspace has had no event since the first position.
    then: Option<(Workspace, usize)>,
}

impl ReadAccess {
    /// Returns the states that decide which of `audiences` the user belongs to: now, and at all positions behind `after`.
    /// `earlier` has such states of the same workspace, for an earlier `after`. If nothing has happened since that changes
    /// them, they are returned.
    ///
    /// # Errors
    /// The user is not a member of the workspace, or the store failed.
    pub async fn past(
        &self,
        workspace_id: WorkspaceId,
        after: i64,
        audiences: &[Audience],
        earlier: Option<Past>,
    ) -> Result<Past, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        let persons = audiences.iter().flat_map(|audience| audience.people.persons()).copied();
        let mut people = persons.chain([self.user_id]).collect::<BTreeSet<_>>();
        if let Some(earlier) = earlier {
            // A guest may have come to a channel that is not among those of `earlier`, and sees people there.
            if !earlier.was_guest && earlier.has(&people, audiences) && self.is_unchanged(&earlier, &workspace).await? {
                return Ok(earlier);
            }
            people.extend(earlier.people);
        }
        let channels = audiences.iter().filter_map(|audience| audience.people.channel()).collect::<BTreeSet<_>>();
        if !workspace.has_guest(self.user_id)
            && let Some(same) = self.same_since(workspace_id, after, &channels).await?
        {
            return Ok(Past { people, ..same });
        }
        let events = self.workspace_past(workspace_id, &people).await?;
        let was_guest = events.iter().any(|(_, event)| makes_guest(event, self.user_id));
        let sight = if was_guest { self.channels_ever(workspace_id).await? } else { Vec::new() };
        let channels = channels.into_iter().chain(sight.iter().copied()).collect::<BTreeSet<_>>();
        let channels = channels.into_iter().map(|id| id.0).collect::<Vec<_>>();
        let channels = self.store.load_all::<Channel>(&channels).await?;
        let channels = channels.into_iter().map(|(id, channel)| (id.into(), channel.state)).collect();
        // The memberships are read after the channels, so they lack no event that the channels have.
        let mine = BTreeSet::from([self.user_id]);
        let changes = self.memberships(workspace_id, if was_guest { &people } else { &mine }, after).await?;
        let then = Some((Workspace::default(), 0));
        Ok(Past { user_id: self.user_id, workspace_id, workspace, channels, people, was_guest, sight, events, changes, then })
    }

    /// The states that decide, if the workspace and these channels have had no event behind `after`: then they have been the
    /// same ever since. This is what most clients that come back ask for, and it costs no query. The user is no guest.
    async fn same_since(
        &self,
        workspace_id: WorkspaceId,
        after: i64,
        channels: &BTreeSet<ChannelId>,
    ) -> Result<Option<Past>, CommandError> {
        let workspace = self.store.load::<Workspace>(workspace_id.0).await?;
        if self.store.position_of(StreamId::workspace(workspace_id), workspace.version).await? > after {
            return Ok(None);
        }
        // Loaded again, because the caller's may be older.
        let workspace = workspace.state;
        authorize::sees_workspace(&workspace, self.user_id)?;
        let ids = channels.iter().map(|id| id.0).collect::<Vec<_>>();
        let mut same = HashMap::with_capacity(ids.len());
        for (id, channel) in self.store.load_all::<Channel>(&ids).await? {
            if self.store.position_of(StreamId::channel(id), channel.version).await? > after {
                return Ok(None);
            }
            same.insert(ChannelId::from(id), channel.state);
        }
        Ok((!workspace.has_guest(self.user_id)).then(|| Past {
            user_id: self.user_id,
            workspace_id,
            workspace,
            channels: same,
            people: BTreeSet::new(),
            was_guest: false,
            sight: Vec::new(),
            events: Vec::new(),
            changes: HashMap::new(),
            then: None,
        }))
    }

    /// Whether the workspace and the channels of `past` have no later events than it has. All that decides is in these.
    async fn is_unchanged(&self, past: &Past, workspace: &Arc<Workspace>) -> Result<bool, CommandError> {
        if !Arc::ptr_eq(&past.workspace, workspace) {
            return Ok(false);
        }
        let channels = past.channels.keys().map(|id| id.0).collect::<Vec<_>>();
        let now = self.store.load_all::<Channel>(&channels).await?;
        Ok(now.iter().all(|(id, now)| past.channel((*id).into()).is_some_and(|then| std::ptr::eq(then, now.state.as_ref()))))
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

    /// Returns the events behind `after`, up to `to`, by which the user was removed from the workspace or from a channel of
    /// it, whether or not the user is a member now. The user gets them, and nothing else of a workspace that they are out
    /// of.
    ///
    /// # Errors
    /// The store failed.
    pub async fn removals(&self, workspace_id: WorkspaceId, after: i64, to: i64) -> Result<Vec<Recorded<Event>>, CommandError> {
        let removals = "event_type IN ('workspace.member_deactivated', 'channel.member_left', 'channel.member_removed')";
        let mine = format!("{PERSON} = '{}'", self.user_id);
        // Each half has an index of its own.
        let halves = format!("(({OF_WORKSPACES} AND {mine}) OR ({OF_CHANNELS} AND {mine})) AND {removals}");
        let found = self.events_of(workspace_id, after, &format!("{halves} AND position <= {to}")).await?;
        Ok(found)
    }

    /// Returns the workspaces that the user joined behind `after`, up to `to`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn joined(&self, after: i64, to: i64) -> Result<Vec<WorkspaceId>, CommandError> {
        let (pool, keys) = (self.store.pool(), self.store.keys());
        let condition = format!("event_type = 'workspace.member_joined' AND {PERSON} = '{}'", self.user_id);
        let found = read::read_of(pool, keys, &condition, after, to, MEMBERSHIPS_MAX).await.map_err(unreadable)?;
        Ok(found.into_iter().filter_map(|delivery| Some(delivery.event.ok()?.stream.id.into())).collect())
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

    /// Whether these people and audiences were asked for.
    fn has(&self, people: &BTreeSet<UserId>, audiences: &[Audience]) -> bool {
        let mut channels = audiences.iter().filter_map(|audience| audience.people.channel());
        people.is_subset(&self.people) && channels.all(|channel_id| self.channels.contains_key(&channel_id))
    }

    /// Whether the user may read the channel now.
    #[must_use]
    pub fn reads(&self, channel_id: ChannelId) -> bool {
        self.sees_now(&People::ReadersOf(channel_id))
    }

    /// Whether the user belongs to the audience: now, and right after the event at `position`. The position
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
        let Some((mut then, mut folded)) = self.then.take() else { return self.sees_now(people) };
        if folded > 0 && self.events.get(folded - 1).is_some_and(|(at, _)| *at > position) {
            (then, folded) = (Workspace::default(), 0);
        }
        while let Some((_, event)) = self.events.get(folded).filter(|(at, _)| *at <= position) {
            then.apply(event.clone());
            folded += 1;
        }
        let saw = self.belongs(&then, |channel_id, user_id| self.was_in(position, channel_id, user_id), people);
        self.then = Some((then, folded));
        saw
    }

    /// Whether a person was in a channel right after the event at `position`. The first change behind it decides: a
    /// person who joins was not in it, and a person who leaves was. Without a change, the present membership counts.
    fn was_in(&self, position: i64, channel_id: ChannelId, user_id: UserId) -> bool {
        let changes = self.changes.get(&(channel_id, user_id));
        let next = changes.and_then(|changes| changes.iter().find(|(at, _)| *at > position));
        let is_in = || self.channels.get(&channel_id).is_some_and(|channel| channel.has_member(user_id));
        next.map_or_else(is_in, |(_, joins)| !joins)
    }

    fn belongs(&self, workspace: &Workspace, is_in: impl Fn(ChannelId, UserId) -> bool, people: &People) -> bool {
        let me = self.user_id;
        let shares_a_channel = |person: UserId| self.sight.iter().any(|channel_id| is_in(*channel_id, me) && is_in(*channel_id, person));
        let channel = |channel_id: ChannelId| self.kind_of(channel_id).map(|kind| (kind, is_in(channel_id, me)));
        belongs(me, workspace, channel, shares_a_channel, people)
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

pub(super) fn unreadable(error: LogError) -> CommandError {
    match error {
        LogError::Unavailable(error) => StoreError::from(error).into(),
        LogError::Keys(error) => StoreError::from(error).into(),
        LogError::Gap { .. } | LogError::Malformed(_) | LogError::OfLaterRelease { .. } => StoreError::Stream(Arc::new(error)).into(),
    }
}
