//! `backscroll audit`: one file per command.

mod as_of;
mod diff;
mod export;
mod filter;
mod log;
mod prove;
mod rotate_key;
mod show;
mod table;
mod tail;
mod verify;
mod verify_export;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List events, newest first.
    Log(log::Arguments),
    /// Show one event in full.
    Show(show::Arguments),
    /// Show how an aggregate changed between two moments.
    Diff(diff::Arguments),
    /// Show an aggregate as it was at a moment.
    AsOf(as_of::Arguments),
    /// Write entries to a file, with a signed manifest.
    Export(export::Arguments),
    /// Print new events until Ctrl-C.
    Tail(tail::Arguments),
    /// Check an export against its manifest. Needs no server.
    VerifyExport(verify_export::Arguments),
    /// Recompute the whole proof of the log, and name the first event that does not match.
    Verify(verify::Arguments),
    /// Print a proof that an event is in the log. docs/verify_proof.py checks it without Backscroll.
    Prove(prove::Arguments),
    /// Create a new key, which signs the log from the next head on.
    RotateKey(rotate_key::Arguments),
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Log(arguments) => log::run(settings, arguments).await,
        Verb::Show(arguments) => show::run(settings, arguments).await,
        Verb::Diff(arguments) => diff::run(settings, arguments).await,
        Verb::AsOf(arguments) => as_of::run(settings, arguments).await,
        Verb::Export(arguments) => export::run(settings, arguments).await,
        Verb::Tail(arguments) => tail::run(settings, arguments).await,
        Verb::VerifyExport(arguments) => verify_export::run(&arguments),
        Verb::Verify(arguments) => verify::run(settings, arguments).await,
        Verb::Prove(arguments) => prove::run(settings, arguments).await,
        Verb::RotateKey(arguments) => rotate_key::run(settings, arguments).await,
    }
}

/// Runs the commands that need neither servers nor settings. Returns `None` for the others.
pub(super) fn without_server(verb: &Verb) -> Option<Result<(), Failure>> {
    match verb {
        Verb::VerifyExport(arguments) => Some(verify_export::run(arguments)),
        Verb::Log(_) | Verb::Show(_) | Verb::Diff(_) | Verb::AsOf(_) | Verb::Export(_) | Verb::Tail(_) => None,
        Verb::Verify(_) | Verb::Prove(_) | Verb::RotateKey(_) => None,
    }
}
