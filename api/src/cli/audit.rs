//! `backscroll audit`: one verb a file.

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
    /// Show who did what, the newest first.
    Log(log::Arguments),
    /// Show everything that is known of one event.
    Show(show::Arguments),
    /// Show what changed of one thing between two moments.
    Diff(diff::Arguments),
    /// Show one thing as it was.
    AsOf(as_of::Arguments),
    /// Write entries into a file, with a manifest that is signed.
    Export(export::Arguments),
    /// Show what happens, until Ctrl-C.
    Tail(tail::Arguments),
    /// Check an export against its manifest, without a server.
    VerifyExport(verify_export::Arguments),
    /// Compute the whole proof of the log anew, and name the first event that does not fit.
    Verify(verify::Arguments),
    /// Print a proof that an event is in the log, which can be checked without us: docs/verify_proof.py.
    Prove(prove::Arguments),
    /// Have a new key sign the log from the next head on.
    RotateKey,
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
        Verb::RotateKey => rotate_key::run(settings).await,
    }
}

/// What needs neither servers nor settings.
pub(super) fn runs_alone(verb: &Verb) -> Option<Result<(), Failure>> {
    match verb {
        Verb::VerifyExport(arguments) => Some(verify_export::run(arguments)),
        Verb::Log(_) | Verb::Show(_) | Verb::Diff(_) | Verb::AsOf(_) | Verb::Export(_) | Verb::Tail(_) => None,
        Verb::Verify(_) | Verb::Prove(_) | Verb::RotateKey => None,
    }
}
