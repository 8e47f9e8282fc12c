//! A sink in memory: the import's interface to the event store, and nothing more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use domain::channel::{Creation, Kind, MemberRole};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::message::Posting;
use domain::permission::Role;
use domain::text::{ChannelName, WorkspaceName};
use domain::user::Registration;
use domain::workspace::Details;
use domain::{Channel, ChannelEvent, Event, Message, MessageEvent, StreamId, UserEvent, Workspace, WorkspaceEvent};
use uuid::Uuid;

use crate::import::{Limits, Settings, Sink};
use commands::event_store::{Append, Claim, ClaimChange, ClaimKind, Outcome, PendingEvent, StoreError};

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
pub(super) const GENERAL: ChannelId = ChannelId(Uuid::from_u128(2));
pub(super) const OWNER: UserId = UserId(Uuid::from_u128(3));

#[derive(Default)]
struct Log {
    events: Vec<(StreamId, PendingEvent)>,
    versions: HashMap<StreamId, i64>,
    claims: HashMap<Claim, Uuid>,
    workspace: Workspace,
    channels: HashMap<Uuid, Channel>,
    messages: HashMap<Uuid, Message>,
    appends: usize,
    fails_after: Option<usize>,
}

#[derive(Default)]
pub(super) struct Memory(Mutex<Log>);

pub(super) fn settings() -> Settings {
    let at = "2026-11-22T12:00:00Z".parse::<DateTime<Utc>>().expect("a time");
    Settings { workspace_id: WORKSPACE, importer: OWNER, at, correlation_id: Uuid::from_u128(9), limits: Limits::default() }
}

impl Memory {
    /// A workspace with an owner and its #general.
    pub(super) fn with_a_workspace(max_members: u32) -> Self {
        let memory = Self::default();
        let details = Details { name: WorkspaceName::parse("Orchard").expect("a name"), description: None, avatar_url: None };
        let created = WorkspaceEvent::Created { details, domain: None, general_channel_id: GENERAL, max_members };
        let joined = WorkspaceEvent::MemberJoined { user_id: OWNER, role: Role::Owner, invitation_id: None, invited_by: None };
        memory.happen(StreamId::workspace(WORKSPACE), [created.into(), joined.into()]);
        let creation = Creation {
            workspace_id: WORKSPACE,
            kind: Kind::Public,
            name: Some(ChannelName::parse("general").expect("a name")),
            display_name: None,
            description: None,
            topic: None,
            purpose: None,
            is_general: true,
            created_by: OWNER,
        };
        let joined = ChannelEvent::MemberJoined { user_id: OWNER, role: MemberRole::Admin, invited_by: None };
        memory.happen(StreamId::channel(GENERAL), [ChannelEvent::Created(Box::new(creation)).into(), joined.into()]);
        memory.claim(Claim::in_workspace(ClaimKind::ChannelName, WORKSPACE, "general"), GENERAL.0);
        memory
    }

    /// Adds events of other commands than the import.
    pub(super) fn happen(&self, stream: StreamId, events: impl IntoIterator<Item = Event>) {
        let mut log = self.0.lock().expect("a lock");
        for event in events {
            log.add(stream, PendingEvent { event, original: None });
        }
    }

    pub(super) fn claim(&self, claim: Claim, holder: Uuid) {
        self.0.lock().expect("a lock").claims.insert(claim, holder);
    }

    /// From now on this many appends succeed, and all later ones fail.
    pub(super) fn fail_after(&self, appends: Option<usize>) {
        let mut log = self.0.lock().expect("a lock");
        log.fails_after = appends.map(|n| n + log.appends);
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().expect("a lock").events.len()
    }

    pub(super) fn events(&self) -> Vec<(StreamId, PendingEvent)> {
        self.0.lock().expect("a lock").events.clone()
    }

    pub(super) fn workspace_state(&self) -> Workspace {
        self.0.lock().expect("a lock").workspace.clone()
    }

    pub(super) fn channel_named(&self, name: &str) -> Option<(ChannelId, Channel)> {
        let named = |channel: &Channel| channel.creation.as_ref().and_then(|c| c.name.as_ref()).is_some_and(|n| n.as_str() == name);
        let log = self.0.lock().expect("a lock");
        log.channels.iter().find(|(_, channel)| named(channel)).map(|(id, channel)| (ChannelId(*id), channel.clone()))
    }

    pub(super) fn channels(&self) -> Vec<(ChannelId, Channel)> {
        self.0.lock().expect("a lock").channels.iter().map(|(id, channel)| (ChannelId(*id), channel.clone())).collect()
    }

    /// The messages as of now, in order of time.
    pub(super) fn messages(&self) -> Vec<(MessageId, Message)> {
        let log = self.0.lock().expect("a lock");
        let mut messages = log.messages.iter().map(|(id, message)| (MessageId(*id), message.clone())).collect::<Vec<_>>();
        messages.sort_by_key(|(id, message)| (message.posting.as_ref().map(|p| p.sent_at), id.0));
        messages
    }

    pub(super) fn postings(&self) -> Vec<Posting> {
        self.messages().into_iter().filter_map(|(_, message)| message.posting).collect()
    }

    pub(super) fn registrations(&self) -> HashMap<String, (UserId, Registration)> {
        let registered = self.events().into_iter().filter_map(|(stream, pending)| match pending.event {
            Event::User(UserEvent::Registered(registration)) => {
                Some((registration.username.as_str().to_owned(), (UserId(stream.id), *registration)))
            }
            _ => None,
        });
        registered.collect()
    }
}

impl Log {
    fn add(&mut self, stream: StreamId, pending: PendingEvent) {
        *self.versions.entry(stream).or_default() += 1;
        match pending.event.clone() {
            Event::User(_) | Event::Retention(_) | Event::Session(_) | Event::Audit(_) | Event::Installation(_) => {}
            Event::Workspace(event) => self.workspace.apply(event),
            Event::Channel(event) => self.channels.entry(stream.id).or_default().apply(event),
            Event::Message(event) => {
                self.check_rules(&event);
                self.messages.entry(stream.id).or_default().apply(event);
            }
        }
        self.events.push((stream, pending));
    }

    fn check_rules(&self, event: &MessageEvent) {
        if let MessageEvent::Posted(posting) = event {
            assert!(
                self.channels.get(&posting.channel_id.0).is_some_and(|channel| !channel.archived),
                "posted into no channel, or an archived one"
            );
            let parent = posting.thread_id.map(|id| self.messages[&id.0].posting.clone().expect("a parent comes before its replies"));
            assert!(parent.is_none_or(|parent| parent.channel_id == posting.channel_id && parent.thread_id.is_none()));
        }
    }

    fn conflict_of(&self, request: &Append) -> Option<Outcome> {
        let version = |stream| self.versions.get(&stream).copied().unwrap_or(0);
        if let Some(stale) = request.writes.iter().find(|write| version(write.stream) != write.expected) {
            return Some(Outcome::Stale(stale.stream));
        }
        let taken = request.claims.iter().find_map(|change| Some((change.claim(), *self.claims.get(change.claim())?)));
        taken.map(|(claim, holder)| Outcome::ClaimTaken { claim: claim.clone(), holder })
    }
}

impl Sink for Memory {
    async fn versions(&self, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
        let log = self.0.lock().expect("a lock");
        Ok(streams.iter().filter_map(|stream| Some((*stream, *log.versions.get(stream)?))).collect())
    }

    async fn holders(&self, claims: &[Claim]) -> Result<HashMap<Claim, Uuid>, StoreError> {
        let log = self.0.lock().expect("a lock");
        Ok(claims.iter().filter_map(|claim| Some((claim.clone(), *log.claims.get(claim)?))).collect())
    }

    async fn workspace(&self, id: WorkspaceId) -> Result<(Arc<Workspace>, i64), StoreError> {
        let log = self.0.lock().expect("a lock");
        let version = log.versions.get(&StreamId::workspace(id)).copied().unwrap_or(0);
        Ok((Arc::new(if version > 0 { log.workspace.clone() } else { Workspace::default() }), version))
    }

    async fn channel(&self, id: ChannelId) -> Result<(Arc<Channel>, i64), StoreError> {
        let log = self.0.lock().expect("a lock");
        let version = log.versions.get(&StreamId::channel(id)).copied().unwrap_or(0);
        Ok((Arc::new(log.channels.get(&id.0).cloned().unwrap_or_default()), version))
    }

    async fn message(&self, id: MessageId) -> Result<(Arc<Message>, i64), StoreError> {
        let log = self.0.lock().expect("a lock");
        let version = log.versions.get(&StreamId::message(id)).copied().unwrap_or(0);
        Ok((Arc::new(log.messages.get(&id.0).cloned().unwrap_or_default()), version))
    }

    async fn append(&self, request: Append) -> Result<Outcome, StoreError> {
        // Lets other tasks run, as a real store does.
        tokio::task::yield_now().await;
        let mut log = self.0.lock().expect("a lock");
        if log.fails_after.is_some_and(|appends| log.appends >= appends) {
            return Err(StoreError::Stopped);
        }
        if let Some(refused) = log.conflict_of(&request) {
            return Ok(refused);
        }
        log.appends += 1;
        for change in request.claims {
            if let ClaimChange::Take(claim, holder) = change {
                log.claims.insert(claim, holder);
            }
        }
        for write in request.writes {
            for pending in write.events {
                log.add(write.stream, pending);
            }
        }
        let position = i64::try_from(log.events.len()).unwrap_or(i64::MAX);
        Ok(Outcome::Appended { position, recorded_at: settings().at })
    }
}
