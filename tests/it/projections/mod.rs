//! The read side with real servers: the effects of each event, and the behaviour after failures.

mod events;
mod feed;
mod killed;
mod newer_schema;
mod parking;
mod queries;
mod rebuild;
mod replay;
mod runner;
mod versions;
mod whole;

use std::time::Duration;

use commands::Commands;
use domain::ids::{ChannelId, MessageId, UserId};
use domain::message::NewMessage;
use domain::text::MessageBody;
use projections::{Connections, Progress, ReadModels, RebuildOptions, RebuildReport};
use sqlx::PgPool;
use tests::TestDatabase;
use tests::servers::redis;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{Team, Writing, asked};

/// The longest time that a projector may be behind.
const LIMIT: Duration = Duration::from_secs(20);

/// A write side and a read side with one database. The projector runs until this value is dropped.
pub struct Fixture {
    pub writing: Writing,
    pub reading: Reading,
}

/// A read side.
pub struct Reading {
    pub pool: PgPool,
    pub read: ReadModels,
    pub progress: Progress,
    pub stores: Connections,
    projector: Option<DropGuard>,
}

impl Fixture {
    /// Starts with a projector that polls the log.
    pub async fn start() -> Self {
        let mut fixture = Self::without_projector().await;
        fixture.reading.start_projector(None);
        fixture
    }

    pub async fn without_projector() -> Self {
        let writing = Writing::start().await;
        let reading = Reading::of(&writing.database).await;
        Self { writing, reading }
    }

    pub fn commands(&self) -> &Commands {
        &self.writing.commands
    }

    /// Waits until every event is in the read tables.
    pub async fn settle(&self) {
        let head = self.writing.commands.store().catch_up().await.expect("the head");
        self.reading.progress.wait_for(projections::RELATIONAL, head, LIMIT).await.expect("the projector keeps up");
    }

    pub async fn post(&self, author: UserId, channel_id: ChannelId, text: &str) -> MessageId {
        self.post_in(author, channel_id, text, None).await
    }

    pub async fn reply(&self, author: UserId, channel_id: ChannelId, root: MessageId, text: &str) -> MessageId {
        self.post_in(author, channel_id, text, Some(root)).await
    }

    async fn post_in(&self, author: UserId, channel_id: ChannelId, text: &str, thread_id: Option<MessageId>) -> MessageId {
        let asked = asked(author);
        let new = new_message(asked.context.at, text, thread_id);
        let message_id = new.message_id;
        self.commands().post_message(&asked, channel_id, new).await.expect("a message");
        message_id
    }

    pub async fn rebuild(&self, options: RebuildOptions) -> Result<RebuildReport, projections::RebuildError> {
        projections::rebuild(&self.reading.stores, projections::RELATIONAL, options, |_| {}).await
    }
}

impl Reading {
    pub async fn of(database: &TestDatabase) -> Self {
        let pool = database.read_pool(8).await;
        let stores = Connections::new(pool.clone(), tests::keyring(&pool).await, redis());
        Self { read: ReadModels::new(pool.clone()), progress: stores.progress.clone(), stores, pool, projector: None }
    }

    pub fn start_projector(&mut self, nats: Option<(async_nats::Client, String)>) {
        let (nats, stream) = nats.map_or((None, String::new()), |(client, stream)| (Some(client), stream));
        let settings = projections::Settings { stores: self.stores.clone(), nats, stream, wake: None, holder: "a test".into() };
        let shutdown = CancellationToken::new();
        tokio::spawn(projections::run(settings, shutdown.clone()));
        self.projector = Some(shutdown.drop_guard());
    }

    pub fn stop_projector(&mut self) {
        self.projector = None;
    }

    /// Every row of every read table, in an order that does not depend on how the rows are stored.
    pub async fn dump(&self) -> Vec<String> {
        let mut dump = Vec::new();
        for table in [
            "users",
            "workspaces",
            "workspace_members",
            "workspace_invitations",
            "channels",
            "channel_members",
            "messages",
            "messages_archive",
            "mentions",
            "message_edits",
            "message_reactions",
            "audit_log",
        ] {
            let select = format!("SELECT t::text FROM {table} t ORDER BY 1");
            let rows = sqlx::query_scalar::<_, String>(&select).fetch_all(&self.pool).await.expect("a read table");
            dump.extend(rows.into_iter().map(|row| format!("{table} {row}")));
        }
        dump
    }
}

pub fn new_message(at: chrono::DateTime<chrono::Utc>, text: &str, thread_id: Option<MessageId>) -> NewMessage {
    NewMessage {
        message_id: MessageId::at(at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes")),
        content: MessageBody::parse(text).expect("a text"),
        thread_id,
        client_msg_id: None,
        sent_at: at,
    }
}

/// A workspace with two members.
pub async fn team_of_three(fixture: &Fixture) -> (Team, UserId, UserId) {
    let team = fixture.writing.workspace().await;
    let ann = team.member(fixture.commands(), "ann", domain::permission::Role::Member).await;
    let bob = team.member(fixture.commands(), "bob", domain::permission::Role::Member).await;
    (team, ann, bob)
}
