//! `backscroll keys`

use clap::Subcommand;

use super::connection::read_pool;
use super::{Failure, print};
use crate::app;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Wrap every person's key with today's master key that the previous one (master_key_previous) wrapped. Cut off, it goes on where it was.
    Rotate,
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    let Verb::Rotate = verb;
    let keys = app::keyring(&settings, read_pool(&settings).await?).await?;
    let rotated = keys.rotate().await.map_err(app::StartError::from)?;
    print(&format!("wrapped {rotated} keys anew; master_key_previous is needed no more once every server has today's master_key"))
}
