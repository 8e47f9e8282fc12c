//! Releases parked keys on an operator's request: the log records it, and the projection goes on.

use commands::{CommandError, CommandRequest, Commands};
use domain::InstallationCommand;
use domain::installation::SkippedEvent;
use domain::text::Reason;
use projections::{Connections, UnparkError};

/// Why a parked key was not released.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// The projection cannot go on.
    #[error(transparent)]
    Unpark(#[from] UnparkError),
    /// The command was refused, or the log cannot be written.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// An event to be left out.
pub struct Skip<'a> {
    /// The projection.
    pub projection: &'a str,
    /// The key that it blocks.
    pub park_key: &'a str,
    /// The position of the event.
    pub position: i64,
    /// The operator's reason.
    pub reason: Reason,
}

/// Applies the events that wait under a key, and returns their number.
///
/// # Errors
/// Nothing is parked under the key, an event still cannot be applied, or a store cannot be used.
pub async fn retry(
    stores: &Connections,
    commands: &Commands,
    asked: &CommandRequest,
    projection: &str,
    park_key: &str,
) -> Result<u64, ParkedError> {
    let parked = projections::unpark(stores, projection, park_key).await?;
    let command = InstallationCommand::NoteRetry {
        projection: projection.into(),
        park_key: park_key.into(),
        position: parked.first_position,
        events: parked.applied,
    };
    commands.installation(asked, command).await?;
    Ok(parked.applied)
}

/// Leaves out the event that blocks a key, and applies the events behind it.
///
/// # Errors
/// The key is not parked, or not at this event; or a later event cannot be applied, and the key is now parked at that
/// one; or a store cannot be used. Events that were already recorded in the log stay: another call continues from
/// there.
pub async fn skip(stores: &Connections, commands: &Commands, asked: &CommandRequest, skip: Skip<'_>) -> Result<u64, ParkedError> {
    projections::is_parked_at(&stores.pool, skip.projection, skip.park_key, skip.position).await?;
    let skipped = SkippedEvent { projection: skip.projection.into(), position: skip.position, reason: skip.reason };
    commands.installation(asked, InstallationCommand::SkipEvent(skipped)).await?;
    Ok(projections::unpark_behind(stores, skip.projection, skip.park_key).await?.applied)
}
