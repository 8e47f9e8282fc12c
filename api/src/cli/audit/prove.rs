//! `backscroll audit prove POSITION`

use clap::Args;
use ledger::proof::{Proofs, ProveError};

use crate::cli::connection::read_pool;
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The position of the event.
    position: u64,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let proofs = Proofs::new(read_pool(&settings).await?).named(settings.proof_keys().has_name());
    let proof = proofs.whole(arguments.position).await.map_err(|error| match error {
        ProveError::NoHead | ProveError::NoName | ProveError::OutOfRange { .. } => Failure::new(Exit::Refused, error),
        error => Failure::new(Exit::Failed, error),
    })?;
    print(&proof)
}
