//! Creates a channel from an export, or completes a channel that an earlier run created.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::channel::{Creation, Kind, MemberRole, people_key};
use domain::ids::{ChannelId, UserId};
use domain::text::{ChannelDisplayName, ChannelName, Purpose, Topic};
use domain::{Channel, ChannelEvent, StreamId};

use super::ImportError;
use super::channels::{ChannelIds, Directory, ImportedChannel, List};
use super::markup::translate;
use super::model::{SlackTopic, second, some};
use super::names::{self, GivenNames};
use super::outbox::{Item, LookUp, original};
use super::people::People;
use super::run::Run;
use super::sink::Sink;
use commands::event_store::names as claims;
use commands::event_store::{Claim, ClaimChange, ClaimKind, PendingEvent, StreamWrite};

/// The most people in a direct conversation, and in a group conversation.
const DIRECT_MAX: usize = 2;
const GROUP_MAX: usize = 9;
/// How many events of a new channel are appended together with its creation. The others follow.
const FIRST_EVENTS_MAX: usize = 1_000;

pub(super) struct ChannelWriter<'m, 'r, S> {
    pub run: &'m mut Run<'r, S>,
    pub people: &'m People,
    pub ids: ChannelIds,
    given: GivenNames,
    /// The conversations of this run, by their members.
    conversations: HashMap<String, ChannelId>,
}

impl<'m, 'r, S: Sink> ChannelWriter<'m, 'r, S> {
    pub(super) fn new(run: &'m mut Run<'r, S>, people: &'m People, ids: ChannelIds) -> Self {
        Self { run, people, ids, given: GivenNames::default(), conversations: HashMap::new() }
    }

    /// An earlier run created the channel, perhaps without all members.
    pub(super) async fn complete(&mut self, channel: &mut ImportedChannel, version: i64) -> Result<(), ImportError> {
        self.run.report.channels.already_there += 1;
        let members = self.members(channel);
        let kind = self.kind(channel, members.len());
        let creator = self.creator(channel, &members);
        let at = self.created_at(channel);
        let whole = 1 + i64::try_from(members.len()).unwrap_or(i64::MAX);
        channel.version = version.max(whole);
        channel.to_archive = channel.slack.is_archived && !kind.is_direct() && version <= whole;
        if version >= whole {
            return Ok(());
        }
        let (state, version) = self.run.sink.channel(channel.channel_id).await?;
        let joins = joins(&members, creator, kind, at).into_iter().filter(|(user_id, _)| !state.has_member(*user_id));
        let joins = joins.map(|(_, event)| event).collect();
        channel.version = version;
        self.run.outbox.push_many(StreamId::channel(channel.channel_id), self.run.settings.workspace_id, &mut channel.version, joins).await
    }

    pub(super) async fn create(&mut self, channel: &mut ImportedChannel) -> Result<(), ImportError> {
        let members = self.members(channel);
        let kind = self.kind(channel, members.len());
        if kind.is_direct()
            && let Some(there) = self.conversation(&members).await?
        {
            self.run.report.channels.already_there += 1;
            self.run.report.turned("conversation into the one that the same people have already", || channel.label());
            channel.channel_id = there;
            return Ok(());
        }
        if kind.is_direct() {
            self.conversations.insert(people_key(&members), channel.channel_id);
        }
        self.run.report.channels.imported += 1;
        let creator = self.creator(channel, &members);
        let at = self.created_at(channel);
        let (creation, claims) = self.creation(channel, kind, creator, &members).await?;
        let mut events = vec![original(ChannelEvent::Created(Box::new(creation)), creator, at)];
        events.extend(joins(&members, creator, kind, at).into_iter().map(|(_, event)| event));
        channel.to_archive = channel.slack.is_archived && !kind.is_direct();
        self.append_new(channel, events, claims).await
    }

    /// The first events are appended with the claim of the name. The other members of a large channel join afterwards.
    async fn append_new(
        &mut self,
        channel: &mut ImportedChannel,
        mut events: Vec<PendingEvent>,
        claims: Vec<ClaimChange>,
    ) -> Result<(), ImportError> {
        let (stream, workspace_id) = (StreamId::channel(channel.channel_id), self.run.settings.workspace_id);
        let others = events.split_off(events.len().min(FIRST_EVENTS_MAX));
        channel.version = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let write = StreamWrite { stream, workspace_id: Some(workspace_id), expected: 0, caused_by: None, events };
        self.run.outbox.push(Item { write, claims, look_up: LookUp::Nothing }).await?;
        self.run.outbox.push_many(stream, workspace_id, &mut channel.version, others).await
    }

    async fn creation(
        &mut self,
        channel: &ImportedChannel,
        kind: Kind,
        created_by: UserId,
        members: &BTreeSet<UserId>,
    ) -> Result<(Creation, Vec<ClaimChange>), ImportError> {
        let workspace_id = self.run.settings.workspace_id;
        let (name, display_name, claims) = if kind.is_direct() {
            (None, None, vec![Claim::in_workspace(ClaimKind::People, workspace_id, people_key(members))])
        } else {
            let (name, shown) = self.name(channel).await?;
            let claims = claims::of_channel(workspace_id, &name);
            (Some(name), shown, claims)
        };
        let (topic, purpose) = (self.topic(channel), self.purpose(channel));
        let creation =
            Creation { workspace_id, kind, name, display_name, description: None, topic, purpose, is_general: false, created_by };
        Ok((creation, claims.into_iter().map(|claim| claim.taken_by(channel.channel_id)).collect()))
    }

    /// A name that is allowed and free. If it differs, the original becomes the display name.
    async fn name(&mut self, channel: &ImportedChannel) -> Result<(ChannelName, Option<ChannelDisplayName>), ImportError> {
        let original = some(channel.slack.name.as_ref()).unwrap_or(&channel.slack_id).to_owned();
        let wanted = [(original.clone(), channel.slack_id.as_str())];
        let workspace_id = self.run.settings.workspace_id;
        let free = names::free::<ChannelName, S>(self.run.sink, workspace_id, &mut self.given, &wanted, &self.run.ids).await?;
        let name = free.into_iter().next().unwrap_or_default();
        if name == original {
            return Ok((ChannelName::parse(&name)?, None));
        }
        self.run.report.turned("channel name into one that is allowed and free", || format!("{original} into {name}"));
        let shown = ChannelDisplayName::parse(&names::line(&original, ChannelDisplayName::CHARS_MAX)).ok();
        Ok((ChannelName::parse(&name)?, shown))
    }

    /// Adds the members to #general, and sets its topic and purpose if it has none. The name stays.
    pub(super) async fn map_onto_general(&mut self, channel: &mut ImportedChannel, general_id: ChannelId) -> Result<(), ImportError> {
        self.run.report.channels.already_there += 1;
        if channel.slack.is_archived {
            self.run.report.skip("archiving of #general, which always stays open", || channel.label());
        }
        let (state, version) = self.run.sink.channel(general_id).await?;
        let at = self.created_at(channel);
        (channel.channel_id, channel.version) = (general_id, version);
        let mut events = self.general_says(channel, &state, at);
        let mut members = self.members(channel);
        members.retain(|id| !state.has_member(*id));
        self.run.general.extend(&members);
        events.extend(members.into_iter().map(|user_id| joined(user_id, MemberRole::Member, at)));
        self.run.outbox.push_many(StreamId::channel(general_id), self.run.settings.workspace_id, &mut channel.version, events).await
    }

    fn general_says(&mut self, channel: &ImportedChannel, state: &Channel, at: DateTime<Utc>) -> Vec<PendingEvent> {
        let importer = self.run.fallback_user;
        let (slack, creation) = (&channel.slack, state.creation.as_ref());
        let topic = self.topic(channel).filter(|_| creation.is_none_or(|c| c.topic.is_none()));
        let purpose = self.purpose(channel).filter(|_| creation.is_none_or(|c| c.purpose.is_none()));
        let by = |said: Option<&SlackTopic>| said.and_then(|s| self.people.find(s.creator.as_deref()?)).unwrap_or(importer);
        let when = |said: Option<&SlackTopic>| said.and_then(|s| second(s.last_set)).unwrap_or(at);
        let topic = topic.map(|topic| ChannelEvent::TopicChanged { topic: Some(topic) });
        let purpose = purpose.map(|purpose| ChannelEvent::PurposeChanged { purpose: Some(purpose) });
        let topic = topic.map(|event| original(event, by(slack.topic.as_ref()), when(slack.topic.as_ref())));
        let purpose = purpose.map(|event| original(event, by(slack.purpose.as_ref()), when(slack.purpose.as_ref())));
        topic.into_iter().chain(purpose).collect()
    }

    fn topic(&mut self, channel: &ImportedChannel) -> Option<Topic> {
        let said = self.said(channel, channel.slack.topic.as_ref())?;
        Topic::parse(&names::cut(&said, Topic::CHARS_MAX)).ok()
    }

    fn purpose(&mut self, channel: &ImportedChannel) -> Option<Purpose> {
        let said = self.said(channel, channel.slack.purpose.as_ref())?;
        Purpose::parse(&names::cut(&said, Purpose::CHARS_MAX)).ok()
    }

    fn said(&mut self, channel: &ImportedChannel, said: Option<&SlackTopic>) -> Option<String> {
        let value = some(said?.value.as_ref())?;
        let directory = Directory { people: self.people, channels: &self.ids };
        Some(translate(value, &directory, &mut self.run.report, &channel.folder))
    }

    /// An existing conversation of these people, in the workspace or earlier in the export.
    async fn conversation(&mut self, members: &BTreeSet<UserId>) -> Result<Option<ChannelId>, ImportError> {
        let key = people_key(members);
        if let Some(there) = self.conversations.get(&key) {
            return Ok(Some(*there));
        }
        let claim = Claim::in_workspace(ClaimKind::People, self.run.settings.workspace_id, key);
        let holder = self.run.sink.holders(std::slice::from_ref(&claim)).await?.remove(&claim);
        Ok(holder.map(ChannelId))
    }

    fn members(&mut self, channel: &ImportedChannel) -> BTreeSet<UserId> {
        if channel.list == List::Unlisted {
            return BTreeSet::from([self.run.fallback_user]);
        }
        let mut members = BTreeSet::new();
        for slack_id in &channel.slack.members {
            match self.people.find(slack_id) {
                Some(user_id) => drop(members.insert(user_id)),
                None => {
                    self.run.report.skip("member of a channel who is in no list of users", || format!("{slack_id} in {}", channel.label()))
                }
            }
        }
        members
    }

    fn kind(&mut self, channel: &ImportedChannel, people: usize) -> Kind {
        match (channel.list, people) {
            (List::Public, _) => Kind::Public,
            (List::Private | List::Unlisted, _) => Kind::Private,
            (List::Direct | List::Group, 1..=DIRECT_MAX) => Kind::Direct,
            (List::Direct | List::Group, 3..=GROUP_MAX) => Kind::GroupDirect,
            (List::Direct | List::Group, _) => {
                self.run.report.turned("conversation of nobody or of too many into a private channel", || channel.label());
                Kind::Private
            }
        }
    }

    fn creator(&self, channel: &ImportedChannel, members: &BTreeSet<UserId>) -> UserId {
        let creator = channel.slack.creator.as_deref().and_then(|id| self.people.find(id));
        let direct = matches!(channel.list, List::Direct | List::Group).then(|| members.first().copied()).flatten();
        creator.or(direct).unwrap_or(self.run.fallback_user)
    }

    fn created_at(&self, channel: &ImportedChannel) -> DateTime<Utc> {
        second(channel.slack.created).unwrap_or(self.run.began_at)
    }
}

/// The joins of all members, the creator first. The creator of a channel is its admin; the members of a conversation
/// are equal.
fn joins(members: &BTreeSet<UserId>, creator: UserId, kind: Kind, at: DateTime<Utc>) -> Vec<(UserId, PendingEvent)> {
    let first = members.get(&creator).copied();
    let others = members.iter().copied().filter(|member| *member != creator);
    let role = |member| if member == creator && !kind.is_direct() { MemberRole::Admin } else { MemberRole::Member };
    first.into_iter().chain(others).map(|member| (member, joined(member, role(member), at))).collect()
}

pub(super) fn joined(user_id: UserId, role: MemberRole, at: DateTime<Utc>) -> PendingEvent {
    original(ChannelEvent::MemberJoined { user_id, role, invited_by: None }, user_id, at)
}
