//! `backscroll keys`

use clap::Subcommand;

use super::connection::read_pool;
use super::{Failure, print};
use crate::app;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Encrypt each user's key with the current master key, if it is encrypted with the previous one
    /// (master_key_previous). An interrupted run can be repeated.
    Rotate,
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    let Verb::Rotate = verb;
    let keys = app::keyring(&settings, read_pool(&settings).await?).await?;
    let rotated = keys.rotate().await.map_err(app::StartError::from)?;
    print(&format!("encrypted {rotated} keys again; remove master_key_previous when every server has the current master_key"))
}
