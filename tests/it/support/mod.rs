//! The support that tests of the write side share, without HTTP: users, a workspace, channels, messages.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use commands::event_store::{Append, Outcome, StreamWrite};
use commands::{Appended, CommandError, CommandRequest, Commands, EventStore, Idempotency, IdempotencyKey, NewWorkspace};
use domain::channel::{Kind, NewChannel};
use domain::ids::{ChannelId, InvitationId, MessageId, RetentionId, UserId, WorkspaceId};
use domain::message::{Moment, NewMessage, RelatedAggregates};
use domain::permission::Role;
use domain::text::{ChannelName, DisplayName, Email, MessageBody, Username, WorkspaceName};
use domain::user::{Preferences, Profile, Registration};
use domain::workspace::Details;
use domain::{
    Channel, ChannelCommand, Context, Message, MessageCommand, MessageEvent, Refusal, Retention, StreamId, Workspace, WorkspaceCommand,
};
use ledger::months::{Manifest, Month, export, positions};
use sqlx::PgPool;
use tests::TestDatabase;
use uuid::Uuid;

/// A write side with a separate database.
pub struct Writing {
    pub database: TestDatabase,
    pub pool: PgPool,
    pub commands: Commands,
}

impl Writing {
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        let (pool, commands) = another_process(&database).await;
        Self { database, pool, commands }
    }

    /// Creates a workspace. Its owner is the first user.
    pub async fn workspace(&self) -> Team {
        found(&self.commands, sign_up(&self.commands, "owner").await).await
    }
}

/// Creates a workspace with this owner.
pub async fn found(commands: &Commands, owner: UserId) -> Team {
    let (workspace_id, general) = (WorkspaceId(Uuid::now_v7()), ChannelId(Uuid::now_v7()));
    let details = Details { name: WorkspaceName::parse("Orchard").expect("a name"), description: None, avatar_url: None };
    let new = NewWorkspace { workspace_id, general_channel_id: general, details, domain: None, max_members: 1_000, each_max: None };
    commands.create_workspace(&asked(owner), new).await.expect("a workspace");
    Team { owner, workspace_id, general }
}

/// A second process with the same database, as far as the event store can tell: only the database is shared.
pub async fn another_process(database: &TestDatabase) -> (PgPool, Commands) {
    let pool = database.pool(8).await;
    let store = EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the event store");
    (pool, Commands::new(store))
}

/// Appends a message with this time, as an import does.
pub async fn post_at(commands: &Commands, by: UserId, channel: ChannelId, sent_at: DateTime<Utc>, text: &str) -> MessageId {
    let message_id = MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes"));
    let content = MessageBody::parse(text).expect("a text");
    let new = NewMessage { message_id, content, thread_id: None, client_msg_id: None, sent_at };
    assert!(post_dated(commands, by, channel, new).await, "the message is appended");
    message_id
}

/// Appends a message that keeps its own time, if it is allowed. An import appends such messages, and release 0.1 gave
/// every message its own time.
pub async fn post_dated(commands: &Commands, by: UserId, channel_id: ChannelId, new: NewMessage) -> bool {
    let (store, asked) = (commands.store(), asked(by));
    store.catch_up().await.expect("the head");
    let channel = store.load::<Channel>(channel_id.0).await.expect("a channel").state;
    let workspace_id = channel.creation.as_ref().expect("a channel").workspace_id;
    let workspace = store.load::<Workspace>(workspace_id.0).await.expect("a workspace").state;
    let mut around = RelatedAggregates { workspace, channel, channel_id: Some(channel_id), ..RelatedAggregates::default() };
    let mut guards = Vec::new();
    if let Some(root) = new.thread_id {
        let parent = store.load::<Message>(root.0).await.expect("a message");
        guards.push((StreamId::message(root), parent.version));
        if let Some(posting) = &parent.state.posting {
            let retention_id = RetentionId::of(posting.channel_id, posting.sent_at);
            let retention = store.load::<Retention>(retention_id.0).await.expect("a retention stream");
            guards.push((StreamId::retention(retention_id), retention.version));
            around.gone = retention.state.gone.get(&root).copied();
        }
        around.parent = Some(parent.state);
    }
    let stream = StreamId::message(new.message_id);
    let Ok(mut events) = Message::default().decide(&around, &asked.context, MessageCommand::Post(Box::new(new))) else { return false };
    for event in &mut events {
        if let MessageEvent::Posted(posting) = event {
            posting.moment = Moment::Sent;
        }
    }
    let events = events.into_iter().map(Into::into).collect();
    let write = StreamWrite { stream, workspace_id: Some(workspace_id), expected: 0, caused_by: None, events };
    let metadata = asked.context.metadata("post message");
    let request = Append { writes: vec![write], guards, claims: Vec::new(), idempotency: None, subject: stream.id, metadata };
    matches!(store.append(request).await, Ok(Outcome::Appended { .. }))
}

/// The types of the events that caused the events of this type.
pub async fn causes_of(pool: &PgPool, event_type: &str) -> Vec<String> {
    let causes = "SELECT c.event_type FROM public.events e JOIN public.events c ON c.event_id = (e.metadata ->> 'causation_id')::uuid
        WHERE e.event_type = $1 ORDER BY e.position";
    sqlx::query_scalar(causes).bind(event_type).fetch_all(pool).await.expect("the log")
}

/// A workspace, its owner and its #general channel.
#[derive(Clone, Copy)]
pub struct Team {
    pub owner: UserId,
    pub workspace_id: WorkspaceId,
    pub general: ChannelId,
}

impl Team {
    /// Registers a user, who accepts an invitation.
    pub async fn member(&self, commands: &Commands, name: &str, role: Role) -> UserId {
        let user = sign_up(commands, name).await;
        let invitation_id = InvitationId(Uuid::now_v7());
        let email = email(name);
        let invite = WorkspaceCommand::Invite { invitation_id, email, role, expires_at: Utc::now() + chrono::Duration::days(7) };
        commands.workspace(&asked(self.owner), self.workspace_id, invite).await.expect("an invitation");
        commands.accept_invitation(&asked(user), self.workspace_id, invitation_id).await.expect("a member");
        user
    }

    pub async fn channel(&self, commands: &Commands, name: &str, kind: Kind, members: &[UserId]) -> ChannelId {
        let channel_id = ChannelId(Uuid::now_v7());
        let new = NewChannel {
            workspace_id: self.workspace_id,
            kind,
            name: Some(ChannelName::parse(name).expect("a name")),
            display_name: None,
            description: None,
            topic: None,
            purpose: None,
            is_general: false,
            members: std::collections::BTreeSet::new(),
        };
        commands.create_channel(&asked(self.owner), channel_id, new, &[]).await.expect("a channel");
        for user_id in members {
            let add = ChannelCommand::AddMember { user_id: *user_id };
            commands.channel(&asked(self.owner), channel_id, add).await.expect("a member of the channel");
        }
        channel_id
    }
}

pub fn asked(actor: UserId) -> CommandRequest {
    CommandRequest { context: Context::of(actor, Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None }
}

pub fn asked_once(actor: UserId, key: &str) -> CommandRequest {
    let key = IdempotencyKey::parse(key).expect("a key");
    CommandRequest { idempotency: Some(Idempotency { key, fingerprint: [7; 32], as_sent: None }), ..asked(actor) }
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).expect("an address")
}

pub async fn sign_up(commands: &Commands, name: &str) -> UserId {
    let user_id = UserId(Uuid::now_v7());
    let registration = registration(name);
    commands.register_user(&asked(user_id), user_id, registration).await.expect("a user");
    user_id
}

pub fn registration(name: &str) -> Registration {
    let profile = Profile {
        display_name: DisplayName::parse(name).expect("a name"),
        avatar_url: None,
        title: None,
        phone: None,
        bio: None,
        pronouns: None,
    };
    Registration {
        email: email(name),
        username: Username::parse(name).expect("a name"),
        profile,
        preferences: Preferences::default(),
        is_bot: false,
        is_operator: false,
    }
}

pub async fn post(commands: &Commands, asked: &CommandRequest, channel_id: ChannelId, text: &str) -> Result<Appended, CommandError> {
    let new = NewMessage {
        message_id: MessageId::at(asked.context.at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes")),
        content: MessageBody::parse(text).expect("a text"),
        thread_id: None,
        client_msg_id: None,
        sent_at: asked.context.at,
    };
    commands.post_message(asked, channel_id, new).await
}

/// The stable code of a refusal.
pub fn code(outcome: Result<Appended, CommandError>) -> String {
    match outcome.expect_err("a refusal") {
        CommandError::Refused(refusal) => refusal.code().to_owned(),
        error => panic!("not a refusal: {error:?}"),
    }
}

/// Exports the present month as if it were over. Returns its manifest and the manifest's path. The log's file is beside
/// it.
pub async fn this_month(pool: &PgPool, head: Option<String>, folder: &Path) -> (Manifest, PathBuf) {
    let now = Utc::now();
    let month = format!("{:04}-{:02}", now.year(), now.month()).parse::<Month>().expect("a month");
    let all = positions(pool, month, now + TimeDelta::days(40)).await.expect("positions");
    export(pool, month, all, head, folder).await.expect("a month")
}
