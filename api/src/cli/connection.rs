//! The connections that several commands need.

use commands::{CommandRequest, Commands, EventStore};
use domain::ids::WorkspaceId;
use ledger::audit::AuditLog;
use processes::replays::by_the_server;
use projections::{Connections, ReadModels};
use sqlx::PgPool;

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
    let copy_id = app::arrive(&pool).await?;
    let keys = app::keyring(settings, pool.clone()).await?;
    let stores = Connections::new(pool, keys, app::redis_connection(settings)?.of_copy(copy_id));
    Ok(stores.with_elastic(app::elasticsearch(settings)?.map(|elastic| elastic.of_copy(copy_id))))
}

/// The write side.
pub(super) async fn commands(settings: &Settings) -> Result<Commands, Failure> {
    Ok(Commands::new(store(settings).await?))
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
    by_the_server(Some(format!("backscroll {}, run by {user} at {}", env!("CARGO_PKG_VERSION"), stores::release::holder())))
}
