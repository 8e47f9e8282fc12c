//! A workspace whose users run random commands, and the expected unread counts. They are computed from the log and from
//! the read markers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use commands::Commands;
use domain::channel::{Kind, NotificationLevel};
use domain::formatting::Broadcast;
use domain::ids::{ChannelId, MessageId, UserId};
use domain::message::{Kind as MessageKind, NewMessage, Posting};
use domain::permission::Role;
use domain::text::{DisplayName, MessageBody};
use domain::user::Profile;
use domain::{ChannelCommand, ChannelEvent, Event, MessageCommand, MessageEvent, UserCommand};
use projections::cache::{ChannelUnread, MarkerMove, UNREAD_MAX};
use tests::TestApp;
use uuid::Uuid;

use crate::support::{Team, asked, sign_up};

/// A small source of random numbers. The whole history follows from its seed.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// The read marker of a user in a channel.
#[derive(Clone, Copy)]
struct Mark {
    place: (DateTime<Utc>, MessageId),
    back: bool,
    /// The log's last position when the marker was moved.
    at: i64,
}

pub struct World<'a> {
    app: &'a TestApp,
    pub team: Team,
    pub people: Vec<UserId>,
    pub channels: Vec<ChannelId>,
    messages: Vec<(MessageId, ChannelId, DateTime<Utc>)>,
    marks: BTreeMap<(UserId, ChannelId), Mark>,
}

impl<'a> World<'a> {
    pub async fn found(app: &'a TestApp) -> Self {
        let commands = &app.app().commands;
        let owner = sign_up(commands, &format!("owner-{}", Uuid::now_v7().simple())).await;
        let team = crate::support::found(commands, owner).await;
        let mut people = vec![owner];
        for name in ["ann", "bob", "eve"] {
            people.push(team.member(commands, name, Role::Member).await);
        }
        let mut channels = vec![team.general];
        for name in ["one", "two"] {
            channels.push(team.channel(commands, name, Kind::Public, &people[1..3]).await);
        }
        Self { app, team, people, channels, messages: Vec::new(), marks: BTreeMap::new() }
    }

    fn commands(&self) -> &Commands {
        &self.app.app().commands
    }

    /// A random user runs a random command. A refused command changes nothing.
    pub async fn step(&mut self, chance: &mut Chance) {
        let (person, channel) = (chance.of(&self.people), chance.of(&self.channels));
        match chance.below(40) {
            0..=15 => self.post(chance, person, channel, false).await,
            16..=19 => self.post(chance, person, channel, true).await,
            20..=22 => self.edit(chance).await,
            23..=25 => self.delete(chance).await,
            26..=31 => self.mark(chance, person, channel).await,
            32..=33 => self.channel(person, channel, ChannelCommand::Join).await,
            34 => self.channel(person, channel, ChannelCommand::Leave).await,
            35 => {
                let level = chance.of(&[NotificationLevel::All, NotificationLevel::Mentions, NotificationLevel::None]);
                self.channel(person, channel, ChannelCommand::ChangeNotificationLevel { level }).await;
            }
            36 => self.channel(self.team.owner, channel, ChannelCommand::Archive).await,
            37 => self.channel(self.team.owner, channel, ChannelCommand::Unarchive).await,
            38 => self.react_and_pin(chance, person).await,
            _ => self.rename(chance, person).await,
        }
    }

    fn text(&self, chance: &mut Chance) -> String {
        let mention = match chance.below(8) {
            0 | 1 => format!(" <@{}>", chance.of(&self.people)),
            2 => format!(" <@{}> <@{}>", chance.of(&self.people), chance.of(&self.people)),
            3 => format!(" <!channel> <@{}>", chance.of(&self.people)),
            4 => " <!here>".to_owned(),
            5 => " <!everyone>".to_owned(),
            _ => String::new(),
        };
        format!("text {}{mention}", chance.below(1_000))
    }

    async fn post(&mut self, chance: &mut Chance, by: UserId, channel: ChannelId, in_thread: bool) {
        let thread = in_thread.then(|| self.some_message(chance)).flatten();
        let (channel, thread_id) = thread.map_or((channel, None), |(id, channel, _)| (channel, Some(id)));
        let asked = asked(by);
        let at = asked.context.at;
        let message_id = MessageId::at(at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes"));
        let content = MessageBody::parse(&self.text(chance)).expect("a text");
        let new = NewMessage { message_id, content, thread_id, client_msg_id: None, sent_at: at };
        if let Ok(appended) = self.commands().post_message(&asked, channel, new).await {
            self.messages.push((message_id, channel, appended.recorded_at));
        }
    }

    fn some_message(&self, chance: &mut Chance) -> Option<(MessageId, ChannelId, DateTime<Utc>)> {
        (!self.messages.is_empty()).then(|| self.messages[chance.below(self.messages.len())])
    }

    /// A command of a user with the permission: the owner may delete every message, and edit their own.
    async fn message(&self, by: UserId, id: MessageId, command: MessageCommand) {
        drop(self.commands().message(&asked(by), id, command).await);
    }

    async fn edit(&self, chance: &mut Chance) {
        let Some((id, ..)) = self.some_message(chance) else { return };
        let text = self.text(chance);
        for person in &self.people {
            let content = MessageBody::parse(&text).expect("a text");
            self.message(*person, id, MessageCommand::Edit { content }).await;
        }
    }

    async fn delete(&self, chance: &mut Chance) {
        if let Some((id, ..)) = self.some_message(chance) {
            self.message(self.team.owner, id, MessageCommand::Delete).await;
        }
    }

    async fn react_and_pin(&self, chance: &mut Chance, by: UserId) {
        let Some((id, ..)) = self.some_message(chance) else { return };
        let emoji = domain::text::Emoji::parse("tada").expect("an emoji");
        self.message(by, id, MessageCommand::React { emoji }).await;
        self.message(by, id, MessageCommand::Pin).await;
    }

    async fn channel(&self, by: UserId, channel: ChannelId, command: ChannelCommand) {
        drop(self.commands().channel(&asked(by), channel, command).await);
    }

    async fn rename(&self, chance: &mut Chance, who: UserId) {
        let profile = Profile {
            display_name: DisplayName::parse(&format!("Name {}", chance.below(1_000))).expect("a name"),
            avatar_url: None,
            title: None,
            phone: None,
            bio: None,
            pronouns: None,
        };
        drop(self.commands().user(&asked(who), who, UserCommand::ChangeProfile(Box::new(profile))).await);
    }

    async fn mark(&mut self, chance: &mut Chance, who: UserId, channel: ChannelId) {
        let here = self.messages.iter().filter(|(_, of, _)| *of == channel).copied().collect::<Vec<_>>();
        let Some((message_id, channel_id, created_at)) = (!here.is_empty()).then(|| here[chance.below(here.len())]) else { return };
        let back = chance.below(4) == 0;
        let Ok(access) = self.commands().read_access(who).await else { return };
        let Ok((workspace_id, at)) = access.message_of_member(channel_id, message_id).await else { return };
        assert_eq!(at, created_at, "the append answered the moment of the message");
        let to = MarkerMove { workspace_id, channel_id, message_id, created_at, back };
        let marker = self.app.app().caches.move_read_marker(who, to).await.expect("a marker");
        let at = self.commands().store().catch_up().await.expect("the head");
        let (place, known) = ((created_at, message_id), self.marks.get(&(who, channel_id)).copied());
        if back || known.is_none_or(|mark| mark.place <= place) {
            let back = back || known.is_some_and(|mark| mark.back);
            self.marks.insert((who, channel_id), Mark { place, back, at });
        }
        let expected = self.marks[&(who, channel_id)].place.1;
        assert_eq!(marker.message_id, expected.0, "the answer has the marker's message");
    }

    /// The expected unread counts, computed from the whole log.
    pub async fn recount(&self, user_id: UserId) -> Vec<ChannelUnread> {
        let mut log = Recount::default();
        let stores = &self.app.app().stores;
        stores::log::read_log(&stores.pool, &stores.keys, |event| {
            let event = event.expect("an event");
            log.see(event.stream.id, event.position, event.recorded_at, &event.event);
        })
        .await
        .expect("the log");
        self.channels.iter().filter_map(|channel| log.unread(user_id, *channel, self.marks.get(&(user_id, *channel)))).collect()
    }
}

/// A fold of the log for unread counts. Written independently of the read side.
#[derive(Default)]
struct Recount {
    members: BTreeMap<(ChannelId, UserId), (i64, DateTime<Utc>, NotificationLevel)>,
    archived: BTreeMap<ChannelId, bool>,
    messages: BTreeMap<MessageId, (Posting, bool)>,
}

impl Recount {
    fn see(&mut self, id: Uuid, position: i64, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::Channel(ChannelEvent::MemberJoined { user_id, .. }) => {
                let _ = self.members.insert((ChannelId(id), *user_id), (position, at, NotificationLevel::All));
            }
            Event::Channel(ChannelEvent::MemberLeft { user_id } | ChannelEvent::MemberRemoved { user_id, .. }) => {
                let _ = self.members.remove(&(ChannelId(id), *user_id));
            }
            Event::Channel(ChannelEvent::NotificationLevelChanged { user_id, level }) => {
                self.members.get_mut(&(ChannelId(id), *user_id)).expect("a member").2 = *level;
            }
            Event::Channel(ChannelEvent::Archived { .. }) => drop(self.archived.insert(ChannelId(id), true)),
            Event::Channel(ChannelEvent::Unarchived { .. }) => drop(self.archived.insert(ChannelId(id), false)),
            Event::Message(MessageEvent::Posted(posting)) => {
                let posting = Posting { sent_at: posting.created_at(at), ..(**posting).clone() };
                let _ = self.messages.insert(MessageId(id), (posting, true));
            }
            Event::Message(MessageEvent::Edited { content, formatted, .. }) => {
                let (posting, _) = self.messages.get_mut(&MessageId(id)).expect("a message");
                (posting.content, posting.formatted) = (content.clone(), formatted.clone());
            }
            Event::Message(MessageEvent::Deleted { .. }) => self.messages.get_mut(&MessageId(id)).expect("a message").1 = false,
            Event::User(_)
            | Event::Workspace(_)
            | Event::Channel(_)
            | Event::Message(_)
            | Event::Retention(_)
            | Event::Session(_)
            | Event::Audit(_)
            | Event::Installation(_) => {}
        }
    }

    fn unread(&self, user_id: UserId, channel_id: ChannelId, mark: Option<&Mark>) -> Option<ChannelUnread> {
        let (joined, joined_at, level) = self.members.get(&(channel_id, user_id)).copied()?;
        if self.archived.get(&channel_id).copied().unwrap_or(false) {
            return None;
        }
        let mark = mark.filter(|mark| mark.at >= joined);
        let since = mark.filter(|mark| mark.back || mark.place.0 > joined_at).map(|mark| mark.place);
        let since = since.unwrap_or((joined_at, MessageId(Uuid::max())));
        let behind = self.messages.iter().filter(|(id, (posting, stands))| {
            *stands && posting.channel_id == channel_id && posting.kind != MessageKind::System && (posting.sent_at, **id) > since
        });
        let others = behind.filter(|(_, (posting, _))| posting.author != user_id).map(|(_, (posting, _))| posting).collect::<Vec<_>>();
        let everyone =
            |posting: &Posting| posting.formatted.broadcasts.iter().any(|b| matches!(b, Broadcast::Channel | Broadcast::Everyone));
        let count = |wanted: &dyn Fn(&Posting) -> bool| i64::try_from(others.iter().filter(|p| wanted(p)).count()).expect("a count");
        let unread = count(&|posting| posting.thread_id.is_none());
        assert!(unread <= UNREAD_MAX, "this world is small");
        Some(ChannelUnread {
            channel_id: channel_id.0,
            notification_level: level.as_str().to_owned(),
            last_read_message_id: mark.map(|mark| mark.place.1.0),
            unread,
            mentions: count(&|posting| posting.formatted.mentions.contains(&user_id) || everyone(posting)),
            more: false,
        })
    }
}
