//! The connections that several commands need.

use std::fmt;
use std::str::FromStr;

use commands::{CommandError, CommandRequest, Commands, EventStore};
use domain::context::CommandLine;
use domain::ids::WorkspaceId;
use domain::text::WorkspaceDomain;
use identity::password::Passwords;
use identity::sessions::Sessions;
use ledger::audit::AuditLog;
use processes::replays::by_the_server;
use projections::{Connections, ReadModels};
use sqlx::PgPool;
use state::credentials::Credentials;
use state::devices::KnownDevices;
use state::sessions::SessionStore;

use super::{Exit, Failure};
use crate::app::{self, StartError};
use crate::config::Settings;

/// The read models' pool. The schema must be up to date.
pub(super) async fn read_pool(settings: &Settings) -> Result<PgPool, Failure> {
    let pool = app::work_pool(settings).await?;
    app::check_database(&pool).await?;
    Ok(pool)
}

/// The event store. The schema must be up to date.
pub(super) async fn store(settings: &Settings) -> Result<EventStore, Failure> {
    let pool = app::long_write_pool(settings).await?;
    app::check_database(&pool).await?;
    let keys = app::keyring(settings, pool.clone()).await?;
    Ok(EventStore::start(pool.clone(), keys).await.map_err(|error| StartError::of_store(&pool, error))?)
}

/// The read models. The schema must be up to date.
pub(super) async fn read_models(settings: &Settings) -> Result<ReadModels, Failure> {
    Ok(ReadModels::new(read_pool(settings).await?))
}

/// The audit. The schema must be up to date.
pub(super) async fn audit_log(settings: &Settings) -> Result<AuditLog, Failure> {
    let pool = read_pool(settings).await?;
    let keys = app::keyring(settings, pool.clone()).await?;
    Ok(AuditLog::new(pool, keys))
}

/// The read models' stores. The schema must be up to date.
pub(super) async fn stores(settings: &Settings) -> Result<Connections, Failure> {
    let pool = read_pool(settings).await?;
    let copy_id = app::arrive(&pool).await?.copy_id;
    let keys = app::keyring(settings, pool.clone()).await?;
    let stores = Connections::new(pool, keys, app::redis_connection(settings)?.of_copy(copy_id));
    Ok(stores.with_elastic(app::elasticsearch(settings)?.map(|elastic| elastic.of_copy(copy_id))))
}

/// The write side.
pub(super) async fn commands(settings: &Settings) -> Result<Commands, Failure> {
    Ok(Commands::new(store(settings).await?))
}

/// Hashes passwords, one at a time.
pub(super) fn passwords() -> Result<Passwords, Failure> {
    Ok(Passwords::new(1)?)
}

/// The stored password hashes.
pub(super) async fn credentials(settings: &Settings) -> Result<Credentials, Failure> {
    Ok(Credentials::new(read_pool(settings).await?))
}

/// The devices that users signed in from.
pub(super) async fn known_devices(settings: &Settings) -> Result<KnownDevices, Failure> {
    let pool = read_pool(settings).await?;
    let keys = app::keyring(settings, pool.clone()).await?;
    Ok(KnownDevices::new(pool, keys))
}

/// The sessions of this server.
pub(super) async fn sessions(settings: &Settings, commands: &Commands) -> Result<Sessions, Failure> {
    let pool = read_pool(settings).await?;
    let redis = app::redis_connection(settings)?.of_copy(app::arrive(&pool).await?.copy_id);
    let store = SessionStore::new(pool, redis, &settings.master_key, settings.session_bounds());
    Ok(Sessions::new(store, commands.clone()))
}

/// A workspace as people name it: by the identifier or the domain.
#[derive(Clone, Debug)]
pub(super) enum NamedWorkspace {
    /// By the identifier.
    Id(WorkspaceId),
    /// By the domain.
    Domain(WorkspaceDomain),
}

impl FromStr for NamedWorkspace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let domain = WorkspaceDomain::parse(&text.to_lowercase());
        domain.map(Self::Domain).map_err(|_| "must be the identifier or the domain of a workspace".to_owned())
    }
}

impl fmt::Display for NamedWorkspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
        }
    }
}

impl NamedWorkspace {
    /// Finds the workspace, and refuses one that does not exist.
    pub(super) async fn find(&self, commands: &Commands) -> Result<WorkspaceId, Failure> {
        let found = match self {
            Self::Id(id) => Some(*id),
            Self::Domain(domain) => match commands.workspace_at(domain).await {
                Ok(id) => Some(id),
                Err(CommandError::Refused(_)) => None,
                Err(error) => return Err(error.into()),
            },
        };
        if let Some(id) = found
            && commands.workspace_state(id).await?.exists()
        {
            return Ok(id);
        }
        Err(Failure::new(Exit::Wrong, anyhow::anyhow!("there is no workspace {self}: give the identifier or the domain")))
    }

    /// The identifier of the workspace. A command that needs no write side asks it only for a domain.
    pub(super) async fn id(&self, settings: &Settings) -> Result<WorkspaceId, Failure> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Domain(_) => self.find(&commands(settings).await?).await,
        }
    }

    /// The same for an argument that may be absent.
    pub(super) async fn id_of(named: Option<&Self>, settings: &Settings) -> Result<Option<WorkspaceId>, Failure> {
        match named {
            Some(named) => Ok(Some(named.id(settings).await?)),
            None => Ok(None),
        }
    }
}

/// Refuses a workspace that does not exist.
pub(super) async fn require_workspace(commands: &Commands, workspace_id: WorkspaceId) -> Result<(), Failure> {
    let known = commands.workspace_state(workspace_id).await.map_err(anyhow::Error::from)?;
    if known.exists() { Ok(()) } else { Err(Failure::new(Exit::Wrong, anyhow::anyhow!("there is no workspace {workspace_id}"))) }
}

/// The context of a command from this command line. No user is signed in, so the actor is the server. The metadata name
/// the operating system's user and the machine.
pub(super) fn asked() -> CommandRequest {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| rustix::process::getuid().as_raw().to_string());
    let called = CommandLine { release: env!("CARGO_PKG_VERSION").into(), user, holder: stores::release::holder() };
    by_the_server(Some(called.to_string()))
}
