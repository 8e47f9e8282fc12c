//! Users, a channel with these users, and messages. They are appended as events, because their creation is not
//! measured.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use commands::EventStore;
use commands::event_store::{Append, Outcome, StreamWrite};
use domain::channel::{Creation, Kind as ChannelKind, MemberRole};
use domain::formatting::FormattedContent;
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::message::{Kind, Moment, NewMessage, Posting};
use domain::permission::Role;
use domain::text::{ChannelName, DisplayName, Email, MessageBody, Username, WorkspaceName};
use domain::user::{Preferences, Profile, Registration};
use domain::workspace::Details;
use domain::{ChannelEvent, Context, Event, MessageEvent, StreamId, UserEvent, WorkspaceEvent};
use uuid::Uuid;

/// The number of streams of one append.
const STREAMS_AT_ONCE: usize = 1_000;

/// A workspace with one channel that has every user.
#[derive(Clone)]
pub struct Furnished {
    pub workspace_id: WorkspaceId,
    pub channel_id: ChannelId,
    pub users: Vec<UserId>,
}

/// The text of a message of the benchmarks. It is about as long as texts that people write.
pub fn text(n: u64) -> String {
    const SAID: [&str; 5] = [
        "the build is green again, thank you",
        "could somebody look at the second page of the report before noon? I am not sure about the figures for March",
        "yes",
        "I would rather wait until the others are back: it is their room as well, and we have decided such things together so far",
        "see https://example.org/notes for what we said last week, and tell me if anything is missing",
    ];
    format!("{} ({n})", SAID[n as usize % SAID.len()])
}

/// The path of a channel's messages.
pub fn messages_path(channel_id: ChannelId) -> String {
    format!("/v1/channels/{channel_id}/messages")
}

/// A new message, as a handler makes one.
pub fn new_message(n: u64) -> NewMessage {
    let sent_at = Utc::now().trunc_subsecs(6);
    let message_id = MessageId(Uuid::now_v7());
    NewMessage { message_id, content: MessageBody::cut(&text(n)), thread_id: None, client_msg_id: None, sent_at }
}

impl Furnished {
    /// A workspace with this number of users that is in no store yet.
    pub fn of(people: usize) -> Self {
        let users = (0..people).map(|_| UserId(Uuid::now_v7())).collect();
        Self { workspace_id: WorkspaceId(Uuid::now_v7()), channel_id: ChannelId(Uuid::now_v7()), users }
    }

    /// A workspace with this number of users in this store.
    pub async fn with(store: &EventStore, people: usize) -> Self {
        let made = Self::of(people);
        let registered = made.users.iter().map(|user| (StreamId::user(*user), None, vec![registered(*user)]));
        for some in registered.collect::<Vec<_>>().chunks(STREAMS_AT_ONCE) {
            append(store, some.to_vec()).await;
        }
        let place = Some(made.workspace_id);
        append(store, vec![(StreamId::workspace(made.workspace_id), place, made.workspace_events())]).await;
        append(store, vec![(StreamId::channel(made.channel_id), place, made.channel_events())]).await;
        made
    }

    /// The events of the workspace's creation.
    pub fn workspace_events(&self) -> Vec<Event> {
        let details = Details { name: WorkspaceName::parse("Bench").expect("a name"), description: None, avatar_url: None };
        let created = WorkspaceEvent::Created { details, domain: None, general_channel_id: self.channel_id, max_members: 1_000_000 };
        let joined = self.users.iter().enumerate().map(|(n, user_id)| WorkspaceEvent::MemberJoined {
            user_id: *user_id,
            role: if n == 0 { Role::Owner } else { Role::Member },
            invitation_id: None,
            invited_by: None,
        });
        std::iter::once(created).chain(joined).map(Event::Workspace).collect()
    }

    /// The events of the channel's creation.
    pub fn channel_events(&self) -> Vec<Event> {
        self.channel_events_named("general")
    }

    /// The events of the creation of a channel with this name.
    pub fn channel_events_named(&self, name: &str) -> Vec<Event> {
        let created = ChannelEvent::Created(Box::new(Creation {
            workspace_id: self.workspace_id,
            kind: ChannelKind::Public,
            name: Some(ChannelName::parse(name).expect("a name")),
            display_name: None,
            description: None,
            topic: None,
            purpose: None,
            is_general: name == "general",
            created_by: self.users[0],
        }));
        let joined =
            self.users.iter().map(|user_id| ChannelEvent::MemberJoined { user_id: *user_id, role: MemberRole::Member, invited_by: None });
        std::iter::once(created).chain(joined).map(Event::Channel).collect()
    }

    /// Appends `count` messages by all users in turn, with times in the last `days` days. Returns the log's last
    /// position.
    pub async fn fill(&self, store: &EventStore, count: u64, days: i64) -> i64 {
        let first = Utc::now().trunc_subsecs(6) - TimeDelta::days(days);
        let step = TimeDelta::days(days) / i32::try_from(count).expect("not that many");
        let mut position = 0;
        for begin in (0..count).step_by(STREAMS_AT_ONCE) {
            let some = (begin..count.min(begin + STREAMS_AT_ONCE as u64)).map(|n| {
                let sent_at = first + step * i32::try_from(n).expect("not that many");
                // Channels that are filled in the same millisecond must not share messages.
                let mut unique = [0; 10];
                unique[..6].copy_from_slice(&self.channel_id.0.as_bytes()[10..]);
                unique[6..].copy_from_slice(&u32::try_from(n).expect("not that many").to_be_bytes());
                let id = MessageId::at(sent_at, unique);
                (StreamId::message(id), Some(self.workspace_id), vec![self.posted(n, sent_at)])
            });
            position = append(store, some.collect()).await;
        }
        position
    }

    /// The event of a message.
    pub fn posted(&self, n: u64, sent_at: DateTime<Utc>) -> Event {
        self.posted_by(self.users[n as usize % self.users.len()], n, sent_at)
    }

    /// The event of a message by this author.
    pub fn posted_by(&self, author: UserId, n: u64, sent_at: DateTime<Utc>) -> Event {
        let text = text(n);
        Event::Message(MessageEvent::Posted(Box::new(Posting {
            workspace_id: self.workspace_id,
            channel_id: self.channel_id,
            author,
            kind: Kind::Text,
            formatted: FormattedContent::of(&text),
            content: MessageBody::cut(&text),
            thread_id: None,
            client_msg_id: None,
            sent_at,
            moment: Moment::Sent,
            edited_at: None,
            erased: false,
        })))
    }
}

fn registered(user: UserId) -> Event {
    let name = format!("u{}", user.0.simple());
    Event::User(UserEvent::Registered(Box::new(Registration {
        email: Email::parse(&format!("{name}@example.org")).expect("an address"),
        username: Username::parse(&name).expect("a name"),
        profile: Profile {
            display_name: DisplayName::parse("Somebody who writes").expect("a name"),
            avatar_url: None,
            title: None,
            phone: None,
            bio: None,
            pronouns: None,
        },
        preferences: Preferences::default(),
        is_bot: false,
        is_operator: false,
    })))
}

/// A user's context, now.
pub fn context(user: UserId) -> Context {
    Context::of(user, Utc::now(), Uuid::now_v7())
}

/// Appends to new streams. Returns the log's last position.
pub async fn append(store: &EventStore, streams: Vec<(StreamId, Option<WorkspaceId>, Vec<Event>)>) -> i64 {
    let subject = streams.first().map(|(stream, ..)| stream.id).unwrap_or_default();
    let writes = streams.into_iter().map(|(stream, workspace_id, events)| StreamWrite {
        stream,
        workspace_id,
        expected: 0,
        caused_by: None,
        events: events.into_iter().map(Into::into).collect(),
    });
    let request = Append {
        writes: writes.collect(),
        guards: Vec::new(),
        claims: Vec::new(),
        idempotency: None,
        subject,
        metadata: context(UserId::SYSTEM).metadata("furnish"),
    };
    match store.append(request).await.expect("an append") {
        Outcome::Appended { position, .. } => position,
        other => panic!("{other:?}"),
    }
}
