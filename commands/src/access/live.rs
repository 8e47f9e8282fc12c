//! Access of many users at once to the events that the log gets, in the order of the log.
//!
//! [`super::past`] asks the log what one user could see at many positions. Here, one reader follows the log, and keeps the
//! workspaces and channels as they are right after each event. So the same rule is applied to many users in memory.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;

use cqrs_es::Aggregate;
use domain::channel::Kind;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::{AggregateType, Channel, ChannelEvent, Event, Recorded, StreamId, Workspace};
use lru::LruCache;
use stores::log::read;
use uuid::Uuid;

use super::audience::belongs;
use super::past::{MEMBERSHIPS_MAX, OF_CHANNELS, PERSON, unreadable};
use super::{Audience, People};
use crate::event_store::{EventStore, StoreError, Stored, Versioned};
use crate::{CommandError, Commands};

/// The most workspaces that are kept.
const WORKSPACES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);
/// The most channels that are kept.
const CHANNELS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
/// The most guests whose channels are kept.
const GUESTS_MAX: usize = 10_000;
/// The most events that wait to be folded into one aggregate. If there are more, the aggregate is read anew.
const LATER_MAX: usize = 1_000;
/// The most events of one stream.
const STREAM_EVENTS_MAX: usize = 10_000_000;

/// An aggregate right after the last event that was followed.
struct Followed<A: Aggregate> {
    held: Versioned<A>,
    /// Events that are not folded in yet. The state of now has them already, and is taken instead if it has no more.
    later: Vec<A::Event>,
}

/// An aggregate right after an event, and now.
#[derive(Clone, Debug)]
struct ThenAndNow<A> {
    then: Arc<A>,
    now: Arc<A>,
}

impl<A> ThenAndNow<A> {
    fn then(&self) -> &A {
        &self.then
    }

    fn now(&self) -> &A {
        &self.now
    }

    /// Whether nothing has happened since.
    fn is_same(&self) -> bool {
        Arc::ptr_eq(&self.then, &self.now)
    }
}

/// Follows the log, and knows what every user could see right after each event, and now.
pub struct LiveAccess {
    store: EventStore,
    position: i64,
    workspaces: LruCache<Uuid, Followed<Workspace>>,
    channels: LruCache<Uuid, Followed<Channel>>,
    /// The channels that guests were ever in: there a guest sees people.
    guests: HashMap<(WorkspaceId, UserId), BTreeSet<ChannelId>>,
}

impl Commands {
    /// Follows the log behind `position`.
    #[must_use]
    pub fn live_access(&self, position: i64) -> LiveAccess {
        let (workspaces, channels) = (LruCache::new(WORKSPACES_MAX), LruCache::new(CHANNELS_MAX));
        LiveAccess { store: self.store.clone(), position, workspaces, channels, guests: HashMap::new() }
    }
}

impl Commands {
    /// Returns the states that decide who may read a channel now. `None` if the channel does not exist.
    ///
    /// # Errors
    /// The store failed.
    pub async fn readers_now(&self, channel_id: ChannelId) -> Result<Option<Moment>, CommandError> {
        self.store.catch_up().await?;
        let channel = self.store.load::<Channel>(channel_id.0).await?.state;
        let Some(workspace_id) = channel.creation.as_ref().map(|creation| creation.workspace_id) else { return Ok(None) };
        let workspace = self.store.load::<Workspace>(workspace_id.0).await?.state;
        let workspace = ThenAndNow { then: workspace.clone(), now: workspace };
        Ok(Some(Moment { workspace_id, workspace, channel: Some((channel_id, ThenAndNow { then: channel.clone(), now: channel })) }))
    }
}

impl LiveAccess {
    /// The position of the last event that was followed.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Follows an event that cannot be read. The aggregate that it belongs to is read anew when it is needed.
    pub fn skip(&mut self, position: i64) {
        self.position = position;
        self.workspaces.clear();
        self.channels.clear();
        self.guests.clear();
    }

    /// Follows the next event.
    pub fn follow(&mut self, recorded: &Recorded<Event>) {
        self.position = recorded.position;
        let (id, sequence) = (recorded.stream.id, recorded.sequence);
        match &recorded.event {
            Event::Workspace(event) => note(&mut self.workspaces, id, sequence, event),
            Event::Channel(event) => {
                note(&mut self.channels, id, sequence, event);
                if let (Some(workspace_id), ChannelEvent::MemberJoined { user_id, .. }) = (recorded.workspace_id, event)
                    && let Some(channels) = self.guests.get_mut(&(workspace_id, *user_id))
                {
                    channels.insert(id.into());
                }
            }
            Event::User(_) | Event::Message(_) | Event::Retention(_) | Event::Installation(_) | Event::Session(_) | Event::Audit(_) => {}
        }
    }

    /// Returns the states that decide who gets the last event that was followed. The process must know the log up to there
    /// ([`EventStore::catch_up`]).
    ///
    /// # Errors
    /// The store failed.
    pub async fn moment(&mut self, workspace_id: WorkspaceId, audience: &Audience) -> Result<Moment, CommandError> {
        let workspace = at(&self.store, &mut self.workspaces, AggregateType::Workspace, workspace_id.0, self.position).await?;
        let channel = match audience.people.channel() {
            Some(id) => Some((id, at(&self.store, &mut self.channels, AggregateType::Channel, id.0, self.position).await?)),
            None => None,
        };
        Ok(Moment { workspace_id, workspace, channel })
    }

    /// Whether a guest sees an event about people ([`Judgement::DependsOnPeople`]): the last one that was followed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn guest_sees(&mut self, moment: &Moment, user_id: UserId, audience: &Audience) -> Result<bool, CommandError> {
        let mut channels = Vec::new();
        for id in self.channels_of_guest(moment.workspace_id, user_id).await? {
            channels.push(at::<Channel>(&self.store, &mut self.channels, AggregateType::Channel, id.0, self.position).await?);
        }
        let belongs_at = |workspace: &Workspace, of: fn(&ThenAndNow<Channel>) -> &Channel| {
            let shares_a_channel = |person: UserId| channels.iter().map(of).any(|one| one.has_member(user_id) && one.has_member(person));
            belongs(user_id, workspace, |_| None, shares_a_channel, &audience.people)
        };
        Ok(belongs_at(&moment.workspace.now, ThenAndNow::now) && belongs_at(&moment.workspace.then, ThenAndNow::then))
    }

    /// The channels of a workspace that a guest was ever in. Later ones do no harm: their states decide.
    async fn channels_of_guest(&mut self, workspace_id: WorkspaceId, user_id: UserId) -> Result<Vec<ChannelId>, CommandError> {
        if let Some(channels) = self.guests.get(&(workspace_id, user_id)) {
            return Ok(channels.iter().copied().collect());
        }
        let condition = format!("workspace_id = '{workspace_id}' AND {OF_CHANNELS} AND {PERSON} = '{user_id}'");
        let found =
            read::read_of(self.store.pool(), self.store.keys(), &condition, 0, i64::MAX, MEMBERSHIPS_MAX).await.map_err(unreadable)?;
        let channels = found.into_iter().filter_map(|delivery| Some(delivery.event.ok()?.stream.id.into())).collect::<BTreeSet<_>>();
        if self.guests.len() >= GUESTS_MAX {
            self.guests.clear();
        }
        self.guests.insert((workspace_id, user_id), channels.clone());
        Ok(channels.into_iter().collect())
    }

    /// Returns those of the workspaces that a user has ever joined.
    ///
    /// # Errors
    /// The store failed.
    pub async fn joined_among(&self, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<Vec<WorkspaceId>, CommandError> {
        let ids = workspaces.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let joins = format!("event_type = 'workspace.member_joined' AND {PERSON} = '{user_id}' AND workspace_id = ANY ('{{{ids}}}')");
        let found =
            read::read_of(self.store.pool(), self.store.keys(), &joins, 0, self.position, MEMBERSHIPS_MAX).await.map_err(unreadable)?;
        let ids = found.into_iter().filter_map(|delivery| Some(delivery.event.ok()?.stream.id.into())).collect::<BTreeSet<_>>();
        Ok(ids.into_iter().collect())
    }
}

/// The states that decide who gets an event: those right after it, and those now.
#[derive(Clone, Debug)]
pub struct Moment {
    workspace_id: WorkspaceId,
    workspace: ThenAndNow<Workspace>,
    channel: Option<(ChannelId, ThenAndNow<Channel>)>,
}

/// Whether a user gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The user sees it.
    Sees,
    /// The user is removed by it, and gets its identifiers only.
    IsRemoved,
    /// The user does not see it.
    SeesNot,
    /// The user is a guest, and the event is about people: [`LiveAccess::guest_sees`] knows.
    DependsOnPeople,
}

/// People among whom all readers of an event are.
#[derive(Debug)]
pub enum Reach<'a> {
    /// These at most.
    These(Vec<UserId>),
    /// The members of a channel.
    OfChannel(&'a Channel),
    /// The members of the workspace.
    OfWorkspace(&'a Workspace),
}

impl Reach<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::These(users) => users.len(),
            Self::OfChannel(channel) => channel.members.len(),
            Self::OfWorkspace(workspace) => workspace.members.len(),
        }
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with every user.
    pub fn for_each(&self, each: impl FnMut(UserId)) {
        match self {
            Self::These(users) => users.iter().copied().for_each(each),
            Self::OfChannel(channel) => channel.members.keys().copied().for_each(each),
            Self::OfWorkspace(workspace) => workspace.members.keys().copied().for_each(each),
        }
    }
}

impl Moment {
    /// The workspace now.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.workspace.now
    }

    /// The channel that decides, as it is now.
    #[must_use]
    pub fn channel(&self, channel_id: ChannelId) -> Option<&Channel> {
        self.channel.as_ref().filter(|(id, _)| *id == channel_id).map(|(_, channel)| channel.now())
    }

    /// Everybody who gets the event is among these, or is removed by it.
    #[must_use]
    pub fn reach(&self, audience: &Audience) -> Reach<'_> {
        match (&audience.people, &self.channel) {
            (People::Only(user_id) | People::OnlyIn(user_id, _), _) => Reach::These(vec![*user_id]),
            (People::ReadersOf(_), Some((_, channel))) if kind_of(&channel.then, self.workspace_id) != Some(Kind::Public) => {
                Reach::OfChannel(&channel.then)
            }
            _ => Reach::OfWorkspace(&self.workspace.now),
        }
    }

    /// Whether a user gets the event.
    #[must_use]
    pub fn judge(&self, user_id: UserId, audience: &Audience) -> Judgement {
        if audience.removed == Some(user_id) {
            return Judgement::IsRemoved;
        }
        let is_about_people = !audience.people.persons().is_empty();
        if is_about_people && (self.workspace.then.has_guest(user_id) || self.workspace.now.has_guest(user_id)) {
            return Judgement::DependsOnPeople;
        }
        let is_same = self.workspace.is_same() && self.channel.as_ref().is_none_or(|(_, channel)| channel.is_same());
        let belongs_at = |workspace: &Workspace, of: fn(&ThenAndNow<Channel>) -> &Channel| {
            let channel = |channel_id: ChannelId| {
                let (_, states) = self.channel.as_ref().filter(|(id, _)| *id == channel_id)?;
                let channel = of(states);
                Some((kind_of(channel, self.workspace_id)?, channel.has_member(user_id)))
            };
            belongs(user_id, workspace, channel, |_| false, &audience.people)
        };
        let sees = belongs_at(&self.workspace.now, ThenAndNow::now) && (is_same || belongs_at(&self.workspace.then, ThenAndNow::then));
        if sees { Judgement::Sees } else { Judgement::SeesNot }
    }
}

/// The kind of a channel, if it is of this workspace.
fn kind_of(channel: &Channel, workspace_id: WorkspaceId) -> Option<Kind> {
    let creation = channel.creation.as_ref()?;
    (creation.workspace_id == workspace_id).then_some(creation.kind)
}

fn note<A: Aggregate<Event: Clone>>(kept: &mut LruCache<Uuid, Followed<A>>, id: Uuid, sequence: i64, event: &A::Event) {
    let Some(followed) = kept.peek_mut(&id) else { return };
    if followed.held.version + 1 == sequence && followed.later.len() < LATER_MAX {
        followed.held.version = sequence;
        followed.later.push(event.clone());
    } else {
        kept.pop(&id);
    }
}

/// Returns an aggregate right after the event at `position`, and now.
async fn at<A: Stored>(
    store: &EventStore,
    kept: &mut LruCache<Uuid, Followed<A>>,
    aggregate: AggregateType,
    id: Uuid,
    position: i64,
) -> Result<ThenAndNow<A>, CommandError> {
    let now = store.load::<A>(id).await?;
    if let Some(followed) = kept.get_mut(&id) {
        if followed.held.version == now.version {
            (followed.held, followed.later) = (now.clone(), Vec::new());
        }
        for event in std::mem::take(&mut followed.later) {
            Arc::make_mut(&mut followed.held.state).apply(event);
        }
        return Ok(ThenAndNow { then: followed.held.state.clone(), now: now.state });
    }
    let held = read_at(store, StreamId { aggregate, id }, position, &now).await?;
    let then = held.state.clone();
    kept.put(id, Followed { held, later: Vec::new() });
    Ok(ThenAndNow { then, now: now.state })
}

/// Reads an aggregate as it is right after the event at `position`. It is the state of now, unless the stream has later
/// events.
async fn read_at<A: Stored>(store: &EventStore, stream: StreamId, position: i64, now: &Versioned<A>) -> Result<Versioned<A>, CommandError> {
    let of_stream = format!("aggregate_type = '{}' AND aggregate_id = '{}'", stream.aggregate.as_str(), stream.id);
    let read = |after: i64, to: i64, limit: usize| {
        let of_stream = of_stream.clone();
        async move { read::read_of(store.pool(), store.keys(), &of_stream, after, to, limit).await.map_err(unreadable) }
    };
    if read(position, i64::MAX, 1).await?.is_empty() {
        return Ok(now.clone());
    }
    let mut held = Versioned { state: Arc::new(A::default()), version: 0 };
    for delivery in read(0, position, STREAM_EVENTS_MAX).await? {
        let recorded = delivery.event.map_err(|error| StoreError::Stream(Arc::new(error)))?;
        held.version = recorded.sequence;
        Arc::make_mut(&mut held.state).apply(A::event(recorded.event).ok_or(StoreError::Stopped)?);
    }
    Ok(held)
}
