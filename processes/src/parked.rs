//! What projections could not apply, and what somebody does about it: the log says so, and the projection goes on.

use commands::{Asked, CommandError, Commands};
use domain::InstallationCommand;
use domain::installation::SkippedEvent;
use domain::text::Reason;
use projections::{Stores, UnparkError};

/// Why nothing was done about a parked key.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// The projection cannot go on.
    #[error(transparent)]
    Unpark(#[from] UnparkError),
    /// The log does not take it.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// An event that is to be left out.
pub struct Skip<'a> {
    /// The projection.
    pub projection: &'a str,
    /// What it holds up.
    pub park_key: &'a str,
    /// Where it is.
    pub position: i64,
    /// Why it is left out.
    pub reason: Reason,
}

/// Applies what waits under a key, and answers with how many events those were.
///
/// # Errors
/// Nothing waits there, an event still cannot be applied, or a store cannot be used.
pub async fn retry(stores: &Stores, commands: &Commands, asked: &Asked, projection: &str, park_key: &str) -> Result<u64, ParkedError> {
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

/// Leaves the event out that holds up a key, and applies what waits behind it.
///
/// # Errors
/// Another event holds it up, or none; a later one cannot be applied either, and waits from now on; or a store cannot be used. What the log
/// has of it by then stays: asking again goes on from there.
pub async fn skip(stores: &Stores, commands: &Commands, asked: &Asked, skip: Skip<'_>) -> Result<u64, ParkedError> {
    projections::is_parked_at(&stores.pool, skip.projection, skip.park_key, skip.position).await?;
    let skipped = SkippedEvent { projection: skip.projection.into(), position: skip.position, reason: skip.reason };
    commands.installation(asked, InstallationCommand::SkipEvent(skipped)).await?;
    Ok(projections::unpark_behind(stores, skip.projection, skip.park_key).await?.applied)
}
