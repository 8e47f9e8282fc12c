//! Three ways to append: Backscroll's store, stock postgres-es, and a bare group commit without any checks. Each has a
//! separate database.

use std::sync::Arc;

use chrono::Utc;
use commands::EventStore;
use commands::event_store::{Append, StreamWrite};
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::message::{Kind, Moment, Posting};
use domain::text::{Description, MessageBody};
use domain::{ChannelEvent, Context, Event, Message, MessageEvent, StreamId};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tests::TestDatabase;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::load::rate;

fn posted(n: u64) -> Event {
    Event::Message(MessageEvent::Posted(Box::new(Posting {
        workspace_id: WorkspaceId(Uuid::from_u128(1)),
        channel_id: ChannelId(Uuid::from_u128(2)),
        author: UserId(Uuid::from_u128(3)),
        kind: Kind::Text,
        content: MessageBody::cut(&format!("the {n}th message of a benchmark, about as long as people write")),
        formatted: domain::formatting::FormattedContent::default(),
        thread_id: None,
        client_msg_id: None,
        sent_at: Utc::now(),
        moment: Moment::Recorded,
        edited_at: None,
        erased: false,
    })))
}

/// An event with the length that such a message has before it is sealed.
fn unsealed(n: u64) -> Event {
    let description = |text: &str| ChannelEvent::DescriptionChanged { description: Description::parse(text).ok() };
    let length = |event: &Event| serde_json::to_string(event).expect("JSON").len();
    let missing = length(&posted(n)) - length(&description("-").into());
    description(&"-".repeat(missing + 1)).into()
}

fn context() -> Context {
    Context::of(UserId(Uuid::from_u128(3)), Utc::now(), Uuid::now_v7())
}

pub struct Ours {
    store: EventStore,
    // The last field, because the store uses it.
    _database: Option<TestDatabase>,
}

impl Ours {
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(8).await;
        let store = EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the store");
        Self { store, _database: Some(database) }
    }

    /// A store with a database of the caller.
    pub fn over(store: EventStore) -> Self {
        Self { store, _database: None }
    }

    /// The store.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// Appended messages per second. Their texts are sealed.
    pub async fn rate(&self, callers: usize) -> f64 {
        self.rate_of(callers, |n| (StreamId::message(MessageId(Uuid::now_v7())), posted(n))).await
    }

    /// Appended events per second. They are as long as those messages, but have no personal data, so nothing is sealed.
    pub async fn rate_of_unsealed(&self, callers: usize) -> f64 {
        self.rate_of(callers, |n| (StreamId::channel(ChannelId(Uuid::now_v7())), unsealed(n))).await
    }

    async fn rate_of(&self, callers: usize, event: impl Fn(u64) -> (StreamId, Event) + Clone + Send + Sync + 'static) -> f64 {
        let store = self.store.clone();
        rate(callers, move |n| {
            let store = store.clone();
            let (stream, event) = event(n);
            async move {
                let write = StreamWrite {
                    stream,
                    workspace_id: Some(WorkspaceId(Uuid::from_u128(1))),
                    expected: 0,
                    caused_by: None,
                    events: vec![event.into()],
                };
                // The guards of a post: the user, the workspace and the channel. None of them has events here.
                let guards = [1, 2, 3].map(|id| (StreamId::workspace(Uuid::from_u128(id)), 0)).to_vec();
                let metadata = context().metadata("post message");
                let request = Append { writes: vec![write], guards, claims: Vec::new(), idempotency: None, subject: stream.id, metadata };
                store.append(request).await.expect("an append");
            }
        })
        .await
    }
}

/// The table of stock postgres-es, as in its documentation.
pub const STOCK_TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0), event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL,
    metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// Stock postgres-es: its table in a separate database, and its own repository.
pub struct Stock {
    _database: TestDatabase,
    repository: Arc<PostgresEventRepository>,
}

impl Stock {
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        // The same options as its own `default_postgress_pool`, which tests each connection before its use.
        let options = database.pool(1).await.connect_options().as_ref().clone();
        let pool = PgPoolOptions::new().max_connections(10).connect_with(options).await.expect("Postgres");
        let table = format!("DROP TABLE events CASCADE; {STOCK_TABLE}");
        sqlx::raw_sql(&table).execute(&pool).await.expect("the table of postgres-es");
        Self { _database: database, repository: Arc::new(PostgresEventRepository::new(pool)) }
    }

    pub async fn rate(&self, callers: usize) -> f64 {
        let repository = Arc::clone(&self.repository);
        rate(callers, move |n| {
            let repository = Arc::clone(&repository);
            async move {
                let event = posted(n);
                let serialized = SerializedEvent::new(
                    Uuid::now_v7().to_string(),
                    1,
                    "message".into(),
                    event.wire_name().into(),
                    event.version().into(),
                    serde_json::to_value(&event).expect("JSON"),
                    serde_json::to_value(context().metadata("post message")).expect("JSON"),
                );
                repository.persist::<Message>(&[serialized], None).await.expect("an append");
            }
        })
        .await
    }
}

/// One task and one call of a database function per batch: lock, gapless positions, insert, nothing else.
pub struct Bare {
    _database: TestDatabase,
    sender: mpsc::Sender<(String, oneshot::Sender<()>)>,
}

impl Bare {
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(2).await;
        let table = "CREATE TABLE bare (position bigint NOT NULL, aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint NOT NULL,
                event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
                PRIMARY KEY (aggregate_type, aggregate_id, sequence));
            CREATE UNIQUE INDEX bare_position ON bare (position);
            CREATE FUNCTION append_bare(ids text[], payloads text[], metadata text[]) RETURNS bigint LANGUAGE plpgsql AS $$
            DECLARE head bigint;
            BEGIN
                PERFORM pg_advisory_xact_lock(1);
                SELECT coalesce(max(position), 0) INTO head FROM bare;
                INSERT INTO bare SELECT head + n, 'message', id, 1, 'message.posted', '1', p::json, m::json
                FROM unnest(ids, payloads, metadata) WITH ORDINALITY AS batch (id, p, m, n);
                RETURN head;
            END $$";
        sqlx::raw_sql(table).execute(&pool).await.expect("the bare table");
        let (sender, receiver) = mpsc::channel(4_096);
        tokio::spawn(write_bare(pool, receiver));
        Self { _database: database, sender }
    }

    pub async fn rate(&self, callers: usize) -> f64 {
        let sender = self.sender.clone();
        rate(callers, move |n| {
            let sender = sender.clone();
            async move {
                let (reply, done) = oneshot::channel();
                sender.send((serde_json::to_string(&posted(n)).expect("JSON"), reply)).await.expect("the writer");
                done.await.expect("an append");
            }
        })
        .await
    }
}

async fn write_bare(pool: PgPool, mut receiver: mpsc::Receiver<(String, oneshot::Sender<()>)>) {
    let metadata = serde_json::to_string(&context().metadata("post message")).expect("JSON");
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, 500).await > 0 {
        let (payloads, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let ids = payloads.iter().map(|_| Uuid::now_v7().to_string()).collect::<Vec<_>>();
        let metadata = vec![metadata.as_str(); ids.len()];
        sqlx::query("SELECT append_bare($1, $2, $3)").bind(ids).bind(payloads).bind(metadata).execute(&pool).await.expect("a batch");
        for reply in replies {
            let _ = reply.send(());
        }
    }
}
