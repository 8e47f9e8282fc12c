//! Builds the server from its parts: the stores, the write side, the read side, HTTP, and the background work. No other
//! file combines them.

mod acceptor;
mod closing;
mod connect;
mod connection;
mod deadline;
mod http2;
mod listener;
mod malformed;
mod operators;
mod parts;
mod peers;
mod request_log;
mod restored;
mod server;
mod upgrade;
mod versions;
mod watch;

use std::sync::Arc;

use commands::Commands;
use commands::relay::RelayStats;
use identity::confirmation::Confirmations;
use identity::guesses::Guesses;
use identity::password::Passwords;
use identity::refused::RefusedSignIns;
use identity::registration::{Admissions, Registrations};
use identity::sessions::Sessions;
use identity::sign_in::SignIns;
use keyring::Keyring;
use ledger::audit::AuditLog;
use ledger::proof::{self, Destinations, Proofs};
use live::{Changes, ClientFrames, Hub};
use processes::erasure::Erasures;
use processes::exports;
use processes::replays::Replays;
use processes::retention::Retention;
use projections::cache::Caches;
use projections::search::elasticsearch::ElasticSearch;
use projections::search::{PostgresSearch, Search, SearchBackend};
use projections::{Connections, Progress, ReadModels};
use sqlx::PgPool;
use state::connections::Connections as OpenConnections;
use state::credentials::Credentials;
use state::devices::KnownDevices;
use state::exports::ExportStore;
use state::invitations::InvitationTokens;
use state::limits::Windows;
use state::presence::Presences;
use state::sessions::SessionStore;
use state::tickets::Tickets;
use state::typing::Typing;
use stores::clock::Clock;
use stores::nats::Link;
use stores::nats::bus::Bus;
use stores::release::holder;
use tokio::runtime::Handle;

use crate::config::Settings;
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::signals::{self, Signals};

pub use connect::{
    StartError, check_database, check_partitions, check_release, elasticsearch, keyring, long_write_pool, migration_pool, nats_client,
    read_pool, redis_connection, work_pool, write_pool,
};
pub use restored::arrive;
pub use server::Server;

pub use crate::roles::Roles;

/// All parts of the server. Each handler names the parts that it needs, and never takes an `App`. Clones share the
/// state.
#[derive(Clone)]
pub struct App {
    /// The settings of the server.
    pub settings: Arc<Settings>,
    /// Postgres, for the queries of requests.
    pub pool: PgPool,
    /// Postgres, for background work.
    pub work_pool: PgPool,
    /// Postgres, for the write side.
    pub write_pool: PgPool,
    /// NATS.
    pub nats: async_nats::Client,
    /// Why NATS cannot be used, if it cannot.
    pub nats_link: Link,
    /// The keys that encrypt personal data.
    pub keys: Keyring,
    /// The write side.
    pub commands: Commands,
    /// The read side.
    pub read_models: ReadModels,
    /// The audit.
    pub audit_log: AuditLog,
    /// The changes in workspaces, for clients.
    pub changes: Changes,
    /// The live connections of this process.
    pub hub: Hub,
    /// Handles the frames that clients send on live connections.
    pub client_frames: Arc<dyn ClientFrames>,
    /// The connections of the read side, for requests.
    pub stores: Connections,
    /// The connections of the read side, for background work.
    pub work_stores: Connections,
    /// The read side's answers that are cached in Redis.
    pub caches: Caches,
    /// The search backends.
    pub search: Search,
    /// The positions of the projections.
    pub progress: Progress,
    /// The sessions of users.
    pub sessions: Sessions,
    /// Signs people in.
    pub sign_ins: SignIns,
    /// Checks the password of a signed-in user again.
    pub confirmations: Confirmations,
    /// The rate limits.
    pub limits: Limits,
    /// The presence of users.
    pub presences: Presences,
    /// The users who are typing.
    pub typing: Typing,
    /// The tickets that open connections.
    pub tickets: Tickets,
    /// The open connections.
    pub connections: OpenConnections,
    /// Sends notices between nodes, about things that are not in the log.
    pub bus: Bus,
    /// Presence, typing, read markers and unread counts on live connections.
    pub signals: Signals,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// The stored password hashes.
    pub credentials: Credentials,
    /// The tokens of invitations.
    pub invitations: InvitationTokens,
    /// Replays of projections.
    pub replays: Replays,
    /// Archives or purges messages that are old enough.
    pub retention: Retention,
    /// The proof that the log was not tampered with.
    pub proofs: Proofs,
    /// Statistics of this process's proof consumer.
    pub proof: Arc<proof::Stats>,
    /// The destinations of signed heads.
    pub heads: Destinations,
    /// Statistics of this process's relay.
    pub relay: Arc<RelayStats>,
    /// The metrics for Prometheus.
    pub metrics: Metrics,
}

impl App {
    /// Connects to all stores. Redis and NATS may be unreachable: the client reconnects later.
    ///
    /// # Errors
    /// Postgres cannot be reached, or its schema is not the one that this release needs.
    pub async fn connect(settings: Settings) -> Result<Self, StartError> {
        Self::connect_at(settings, Clock::SYSTEM).await
    }

    /// The same with another clock for the events that it appends.
    ///
    /// # Errors
    /// As [`App::connect`].
    pub async fn connect_at(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        let pool = read_pool(&settings).await?;
        check_database(&pool).await?;
        check_partitions(&settings, &pool).await?;
        let arrival = arrive(&pool).await?;
        let copy_id = arrival.copy_id;
        let (work_pool, write_pool) = (work_pool(&settings).await?, write_pool(&settings).await?);
        let keys = keyring(&settings, write_pool.clone()).await?;
        let store = commands::EventStore::start_at(write_pool.clone(), keys.clone(), clock).await;
        let store = store.map_err(|error| StartError::of_store(&write_pool, error))?;
        let (redis, elastic) =
            (redis_connection(&settings)?.of_copy(copy_id), elasticsearch(&settings)?.map(|elastic| elastic.of_copy(copy_id)));
        let stores = Connections::new(pool.clone(), keys.clone(), redis).with_elastic(elastic);
        let work_stores = stores.on(work_pool.clone());
        restored::build_read_tables(&work_stores).await?;
        let read_models = ReadModels::new(pool.clone());
        let commands = Commands::new(store);
        let sessions = sessions(&settings, &stores, &commands);
        let (passwords, credentials) = (Passwords::new(connect::cores())?, Credentials::new(pool.clone()));
        let guesses = guesses(&settings, &stores);
        let confirmations = Confirmations::new(credentials.clone(), passwords.clone(), guesses.clone());
        let refused = RefusedSignIns::new(commands.clone(), settings.master_key.clone());
        let sign_ins = SignIns::new(commands.clone(), credentials.clone(), passwords.clone(), sessions.clone(), refused, guesses);
        let (nats, nats_link) = nats_client(&settings).await?;
        let changes = Changes::new(pool.clone(), keys.clone(), arrival.log_id, settings.changes_behind_max, settings.live_tail_events);
        let hub = Hub::new(changes.clone(), commands.clone(), settings.live_bounds());
        let limits = Limits::new(settings.rate_limits.clone(), stores.redis.clone(), keys.clone(), read_models.clone());
        let of_signals = parts_of_signals(&commands, &hub, &stores, &limits);
        let signals = Signals::new(of_signals.clone());
        Ok(Self {
            tickets: Tickets::new(stores.redis.clone(), &settings.master_key),
            connections: of_signals.connections,
            bus: of_signals.bus,
            client_frames: Arc::new(signals.clone()),
            signals,
            nats,
            nats_link,
            sign_ins,
            confirmations,
            audit_log: AuditLog::new(pool.clone(), keys.clone()),
            hub,
            changes,
            replays: Replays::new(work_stores.clone(), commands.clone(), Handle::current(), holder()),
            retention: retention(&commands, &work_stores),
            limits,
            presences: of_signals.presences,
            typing: of_signals.typing,
            read_models,
            caches: of_signals.caches,
            search: Search::new(ReadModels::new(pool.clone()), search_backends(&stores)),
            progress: stores.progress.clone(),
            sessions,
            passwords,
            credentials,
            invitations: InvitationTokens::new(pool.clone(), settings.master_key.clone()),
            proofs: Proofs::new(pool.clone()).named(settings.proof_keys().has_name()),
            proof: Arc::default(),
            heads: destinations(&settings)?,
            relay: Arc::default(),
            metrics: Metrics::new()?,
            commands,
            settings: Arc::new(settings),
            keys,
            stores,
            work_stores,
            pool,
            work_pool,
            write_pool,
        })
    }

    /// Registers users.
    #[must_use]
    pub fn registrations(&self) -> Registrations {
        Registrations::new(self.commands.clone(), self.credentials.clone(), self.passwords.clone())
    }

    /// Admits people who register over HTTP.
    #[must_use]
    pub fn admissions(&self) -> Admissions {
        Admissions::new(self.settings.registration, self.invitations.clone())
    }

    /// The parts that carry out erasures.
    #[must_use]
    pub fn erasures(&self) -> Erasures {
        Erasures {
            pool: self.work_pool.clone(),
            commands: self.commands.clone(),
            read_models: ReadModels::new(self.work_pool.clone()),
            stores: self.work_stores.clone(),
            sessions: self.sessions.clone(),
            credentials: self.credentials.clone(),
            exports: ExportStore::new(self.work_pool.clone()),
        }
    }

    /// The sources of an export of a user's data.
    #[must_use]
    pub fn export_sources(&self) -> exports::Sources {
        let read_models = ReadModels::new(self.work_pool.clone());
        let audit_log = AuditLog::new(self.work_pool.clone(), self.keys.clone());
        exports::Sources { read_models, audit_log, sessions: self.sessions.clone() }
    }
}

/// The destinations of signed heads.
fn destinations(settings: &Settings) -> Result<Destinations, StartError> {
    let objects = settings.proof.object_url().map(|url| stores::objects::folder(&settings.object_store, url)).transpose()?;
    Ok(settings.proof.destinations(objects))
}

fn sessions(settings: &Settings, stores: &Connections, commands: &Commands) -> Sessions {
    let store = SessionStore::new(stores.pool.clone(), stores.redis.clone(), &settings.master_key, settings.session_bounds());
    Sessions::new(store, commands.clone())
}

/// Counts wrong passwords.
fn guesses(settings: &Settings, stores: &Connections) -> Guesses {
    let devices = KnownDevices::new(stores.pool.clone(), stores.keys.clone());
    Guesses::new(Windows::new(stores.redis.clone(), stores.keys.clone()), devices, &settings.rate_limits)
}

fn parts_of_signals(commands: &Commands, hub: &Hub, stores: &Connections, limits: &Limits) -> signals::Parts {
    signals::Parts {
        commands: commands.clone(),
        hub: hub.clone(),
        read_models: ReadModels::new(stores.pool.clone()),
        caches: Caches::new(stores.clone()),
        progress: stores.progress.clone(),
        presences: Presences::new(stores.redis.clone()),
        connections: OpenConnections::new(stores.redis.clone()),
        typing: Typing::new(stores.redis.clone()),
        bus: Bus::default(),
        limits: limits.clone(),
        node: holder(),
    }
}

fn retention(commands: &Commands, stores: &Connections) -> Retention {
    let read_models = ReadModels::new(stores.pool.clone());
    Retention::new(commands.clone(), read_models, stores.progress.clone(), stores.pool.clone(), Handle::current())
}

/// The search backends, in the order in which they are tried. Postgres is last: it can answer whenever the server can.
fn search_backends(stores: &Connections) -> Vec<Arc<dyn SearchBackend>> {
    let elastic = ElasticSearch::new(stores).map(|elastic| Arc::new(elastic) as Arc<dyn SearchBackend>);
    elastic.into_iter().chain([Arc::new(PostgresSearch::new(stores.pool.clone())) as Arc<dyn SearchBackend>]).collect()
}
