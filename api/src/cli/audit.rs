//! `backscroll audit`: one verb a file.

mod log;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show events of the log, newest first.
    Log(log::Arguments),
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Log(arguments) => log::run(settings, arguments).await,
    }
}
