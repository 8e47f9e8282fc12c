//! Gives the log's events to the connections, in order. Each event is read once, its readers among the connected users are
//! found once, and its frame is made once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::task::Waker;

use chrono::Utc;
use commands::{Audience, CommandError, Judgement, LiveAccess, Moment, Shown};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::{Channel, Event, Recorded, SessionEvent, UserEvent, Workspace, WorkspaceEvent};
use stores::log::Delivery;

use super::Inner;
use super::registry::Registry;
use super::sent::Sent;
use crate::audience::audience;
use crate::close::Close;
use crate::error::ChangesError;
use crate::make::Present;
use crate::material::{message_of, readable};
use crate::message::FoldedMessage;

/// How many events are read and judged together.
pub(super) const TOGETHER: usize = 256;

/// Of more workspaces than this, the log says in which of them a person is.
const LOADED_MAX: usize = 16;

type Messages = HashMap<MessageId, FoldedMessage>;

/// Gives events to the connections.
pub(super) struct Deliverer {
    inner: Arc<Inner>,
    access: LiveAccess,
    shown: Shown,
    /// The process knows the log up to here.
    known_to: i64,
}

/// The bytes of one event: for its readers, and for the user who is removed by it. Each is absent if it was not made,
/// because nobody needed it, and empty if the event has no frame.
#[derive(Default)]
struct Frames {
    whole: Option<Option<Arc<Sent>>>,
    of_removed: Option<Option<Arc<Sent>>>,
}

/// The audience of an event, and the states that decide it.
struct Question {
    audience: Audience,
    /// The workspaces that were considered.
    workspaces: Vec<WorkspaceId>,
    /// Those that matter, as they are then and now.
    moments: Vec<(WorkspaceId, Moment)>,
}

/// Guests, and whether they see an event about people.
type Guests = HashMap<(WorkspaceId, UserId), bool>;

impl Deliverer {
    /// Begins behind a position.
    pub(super) fn new(inner: Arc<Inner>, position: i64) -> Self {
        let (access, shown) = (inner.commands.live_access(position), inner.commands.shown());
        Self { inner, access, shown, known_to: 0 }
    }

    /// Gives the next events to the connections.
    ///
    /// # Errors
    /// A store failed. The events up to the registry's position were given.
    pub(super) async fn deliver(&mut self, events: Vec<Delivery>) -> Result<(), ChangesError> {
        let last = events.last().map(|last| last.position).filter(|_| !self.inner.registry().is_empty());
        let events = events.into_iter().map(|delivery| (delivery.position, readable(delivery).map(Arc::new))).collect::<Vec<_>>();
        // Before any of them is given: a connection that opens meanwhile may have to read it from there.
        events.iter().for_each(|(position, event)| self.inner.changes.tail().push(*position, event.clone()));
        self.known_to = self.known_to(last).await?;
        let mut messages = self.messages(&events).await?;
        for (position, event) in &events {
            match event {
                Some(event) => self.give(event, &mut messages).await?,
                None => {
                    self.access.skip(*position);
                    self.inner.registry().reached(*position);
                }
            }
        }
        Ok(())
    }

    /// Waits until the process knows the log up to a position: its aggregates are then as new as that. Returns up to where
    /// it knows the log.
    async fn known_to(&self, position: Option<i64>) -> Result<i64, ChangesError> {
        match position {
            Some(position) if position > self.known_to => Ok(self.inner.commands.store().catch_up().await.map_err(CommandError::from)?),
            _ => Ok(self.known_to),
        }
    }

    /// The messages of workspaces with connected people, as they are now.
    async fn messages(&self, events: &[(i64, Option<Arc<Recorded<Event>>>)]) -> Result<Messages, ChangesError> {
        let Some(to) = events.last().map(|(position, _)| *position) else { return Ok(Messages::new()) };
        let events = {
            let registry = self.inner.registry();
            let is_wanted = |event: &&Recorded<Event>| event.workspace_id.is_some_and(|id| registry.has_people_of(id));
            events.iter().filter_map(|(_, event)| event.as_deref()).filter(is_wanted).collect::<Vec<_>>()
        };
        self.inner.changes.material().messages(&events, to, self.known_to).await
    }

    async fn give(&mut self, event: &Recorded<Event>, messages: &mut Messages) -> Result<(), ChangesError> {
        self.access.follow(event);
        if let Event::Workspace(WorkspaceEvent::MemberJoined { user_id, .. }) = &event.event {
            self.inner.registry().joined(*user_id, event.stream.id.into());
        }
        loop {
            let workspaces = {
                let mut registry = self.inner.registry();
                let workspaces = concerned(&registry, event);
                if workspaces.is_empty() {
                    // Under the same lock: a connection that opens from now on begins behind the event.
                    registry.reached(event.position);
                    break;
                }
                workspaces
            };
            if self.deliver_to_readers(event, workspaces, messages).await? {
                break;
            }
        }
        let wakers = {
            let mut registry = self.inner.registry();
            registry.reached(event.position);
            end_of(event).map(|(user_id, session, close)| registry.end(user_id, session, close)).unwrap_or_default()
        };
        wakers.into_iter().for_each(Waker::wake);
        let lag = Utc::now() - event.recorded_at;
        self.inner.stats.delivered(event.position, lag.num_microseconds().unwrap_or(i64::MAX));
        Ok(())
    }

    /// Gives an event to everybody who sees it. Returns false if somebody has just connected and was not considered: then
    /// nobody got it.
    async fn deliver_to_readers(
        &mut self,
        event: &Recorded<Event>,
        workspaces: Vec<WorkspaceId>,
        messages: &mut Messages,
    ) -> Result<bool, ChangesError> {
        self.known_to = self.known_to(Some(event.position)).await?;
        if message_of(event).is_some_and(|message_id| !messages.contains_key(&message_id)) {
            // Somebody of this workspace has just connected.
            messages.extend(self.inner.changes.material().messages(&[event], event.position, self.known_to).await?);
        }
        let channel_of = |message_id: MessageId| messages.get(&message_id).and_then(FoldedMessage::channel_id);
        let Ok(audience) = audience(event, channel_of) else { return Ok(true) };
        let mut question = Question { audience, workspaces, moments: Vec::new() };
        for workspace_id in &self.of_person(event, &question.workspaces).await? {
            let moment = self.access.moment(*workspace_id, &question.audience).await?;
            let is_here = !matches!(event.event, Event::User(_)) || moment.workspace().members.contains_key(&event.stream.id.into());
            question.moments.extend(is_here.then_some((*workspace_id, moment)));
        }
        let mut guests = Guests::new();
        for (at, user_id) in self.guests(&question) {
            let (workspace_id, moment) = &question.moments[at];
            let sees = self.access.guest_sees(moment, user_id, &question.audience).await?;
            guests.insert((*workspace_id, user_id), sees);
        }
        let frames = self.frames(event, &question, messages).await?;
        Ok(self.hand_out(event, &question, &guests, &frames))
    }

    /// Those of the workspaces that matter. Of an event of a person who is in few of many, only these are loaded.
    async fn of_person(&self, event: &Recorded<Event>, workspaces: &[WorkspaceId]) -> Result<Vec<WorkspaceId>, ChangesError> {
        match &event.event {
            Event::User(_) if workspaces.len() > LOADED_MAX => Ok(self.access.joined_among(event.stream.id.into(), workspaces).await?),
            _ => Ok(workspaces.to_vec()),
        }
    }

    /// The connected guests for whom the channels decide whether they see the event, each with the index of the moment.
    fn guests(&self, question: &Question) -> Vec<(usize, UserId)> {
        let (registry, mut guests) = (self.inner.registry(), Vec::new());
        for (at, (_, moment)) in question.moments.iter().enumerate() {
            for_each_connected(&registry, moment, &question.audience, |user_id| {
                if moment.judge(user_id, &question.audience) == Judgement::DependsOnPeople {
                    guests.push((at, user_id));
                }
            });
        }
        guests
    }

    /// The bytes of the event, if anybody may need them.
    async fn frames(&self, event: &Recorded<Event>, question: &Question, messages: &Messages) -> Result<Frames, ChangesError> {
        let Some((workspace_id, moment)) = question.moments.first() else { return Ok(Frames::default()) };
        let (mut is_wanted, mut is_removed) = (false, false);
        {
            let registry = self.inner.registry();
            for (_, moment) in &question.moments {
                for_each_connected(&registry, moment, &question.audience, |user_id| {
                    let is_out = question.audience.removed == Some(user_id);
                    (is_wanted, is_removed) = (is_wanted || !is_out, is_removed || is_out);
                });
            }
        }
        let material = self.inner.changes.material();
        if material.gone(&self.shown, &[event], messages).await?.contains(&message_of(event)) && message_of(event).is_some() {
            return Ok(Frames { whole: Some(None), of_removed: Some(None) });
        }
        let make = async |is_needed: bool, reads: bool| {
            if !is_needed {
                return Ok(None);
            }
            let present = Seen { moment, reads };
            let frame = material.make(&self.shown, *workspace_id, &present, &[event], messages).await?.pop();
            Ok::<_, ChangesError>(Some(frame.map(|frame| Sent::event(self.inner.changes.cursor(event.position), &frame))))
        };
        Ok(Frames { whole: make(is_wanted, true).await?, of_removed: make(is_removed, false).await? })
    }

    /// Gives the frames to everybody who sees the event. Returns false if somebody has just connected and was not
    /// considered: then nobody gets them.
    fn hand_out(&self, event: &Recorded<Event>, question: &Question, guests: &Guests, frames: &Frames) -> bool {
        let mut registry = self.inner.registry();
        if concerned(&registry, event).iter().any(|workspace_id| !question.workspaces.contains(workspace_id)) {
            return false;
        }
        let (mut readers, mut removed, mut is_known) = (Vec::new(), None, true);
        for (workspace_id, moment) in &question.moments {
            for_each_connected(&registry, moment, &question.audience, |user_id| match moment.judge(user_id, &question.audience) {
                Judgement::Sees => readers.push(user_id),
                Judgement::IsRemoved => removed = Some(user_id),
                Judgement::SeesNot => {}
                Judgement::DependsOnPeople => match guests.get(&(*workspace_id, user_id)) {
                    Some(sees) => readers.extend(sees.then_some(user_id)),
                    None => is_known = false,
                },
            });
        }
        let is_made = (readers.is_empty() || frames.whole.is_some()) && (removed.is_none() || frames.of_removed.is_some());
        if !is_known || !is_made {
            return false;
        }
        if question.moments.len() > 1 {
            // A user who sees the person in two workspaces gets one frame.
            readers = readers.into_iter().collect::<HashSet<_>>().into_iter().collect();
        }
        let mut wakers = Vec::with_capacity(readers.len());
        if let Some(Some(frame)) = &frames.whole {
            readers.into_iter().for_each(|user_id| registry.push(user_id, frame, &mut wakers));
        }
        if let (Some(user_id), Some(Some(frame))) = (removed, &frames.of_removed) {
            registry.push(user_id, frame, &mut wakers);
        }
        registry.reached(event.position);
        drop(registry);
        wakers.into_iter().for_each(Waker::wake);
        true
    }
}

/// The workspaces whose connected people may get an event.
fn concerned(registry: &Registry, event: &Recorded<Event>) -> Vec<WorkspaceId> {
    match &event.event {
        Event::User(_) if registry.is_connected(event.stream.id.into()) => registry.workspaces_of(event.stream.id.into()),
        Event::User(_) => registry.workspaces(),
        _ => event.workspace_id.filter(|id| registry.has_people_of(*id)).into_iter().collect(),
    }
}

/// Calls `each` with connected people. All who get the event are among them.
fn for_each_connected(registry: &Registry, moment: &Moment, audience: &Audience, mut each: impl FnMut(UserId)) {
    let reach = moment.reach(audience);
    let removed = audience.removed;
    if reach.len() <= registry.people() {
        reach.for_each(|user_id| {
            if registry.is_connected(user_id) && removed != Some(user_id) {
                each(user_id);
            }
        });
    } else {
        registry.for_each_person(|user_id| {
            if removed != Some(user_id) {
                each(user_id);
            }
        });
    }
    if let Some(user_id) = removed.filter(|user_id| registry.is_connected(*user_id)) {
        each(user_id);
    }
}

/// The connections that an event ends: all of a user, or those of one session.
fn end_of(event: &Recorded<Event>) -> Option<(UserId, Option<domain::ids::SessionId>, Close)> {
    let id = event.stream.id;
    match &event.event {
        Event::Session(SessionEvent::Ended { user_id, .. }) => Some((*user_id, Some(id.into()), Close::SessionEnded)),
        Event::User(UserEvent::Suspended { .. }) => Some((id.into(), None, Close::Suspended)),
        Event::User(UserEvent::Erased { .. }) => Some((id.into(), None, Close::Erased)),
        _ => None,
    }
}

/// A workspace as it is now, for the people who see an event, or for the user who is removed by it.
struct Seen<'a> {
    moment: &'a Moment,
    reads: bool,
}

impl Present for Seen<'_> {
    fn workspace(&self) -> &Workspace {
        self.moment.workspace()
    }

    fn channel(&self, channel_id: ChannelId) -> Option<&Channel> {
        self.moment.channel(channel_id)
    }

    fn reads(&self, _: ChannelId) -> bool {
        self.reads
    }
}

/// The people whom a frame without a position reaches: those who may read a channel now.
pub(super) fn readers(registry: &Registry, moment: &Moment, channel_id: ChannelId) -> BTreeSet<UserId> {
    let audience = Audience::from(commands::People::ReadersOf(channel_id));
    let mut readers = BTreeSet::new();
    for_each_connected(registry, moment, &audience, |user_id| {
        if moment.judge(user_id, &audience) == Judgement::Sees {
            readers.insert(user_id);
        }
    });
    readers
}
