//! `backscroll unpark NAME KEY`

use clap::Args;
use projections::UnparkError;

use super::connection::stores;
use super::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The projection.
    name: String,
    /// The key, as `backscroll projections` shows it, such as `workspace:…`.
    key: String,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let stores = stores(&settings).await?;
    let applied = projections::unpark(&stores, &arguments.name, &arguments.key).await.map_err(failed)?;
    print(&format!("applied {applied} events of {} to {}", arguments.key, arguments.name))
}

fn failed(error: UnparkError) -> Failure {
    let exit = match &error {
        UnparkError::Unknown(_) | UnparkError::NotParked(_) => Exit::Wrong,
        UnparkError::StillPoison { .. } => Exit::Refused,
        UnparkError::Log(_) => Exit::Failed,
        UnparkError::Elsewhere(_) | UnparkError::Unavailable(_) => Exit::Unreachable,
    };
    Failure::new(exit, error)
}
