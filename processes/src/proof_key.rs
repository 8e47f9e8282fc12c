//! Records signing keys of the proof that no event mentions yet: the first key of a log, a key that was put into its
//! file, or a key whose maker died before it could record it. Each key is recorded once: the decision knows the last
//! recorded key.
//!
//! The log records the first key too, so that a log that was restored without its keys is not taken for a new one
//! (`ledger::proof::trust`).

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use commands::{CommandError, Commands};
use domain::InstallationCommand;
use domain::installation::KeyChange;
use ledger::proof::{Proofs, ProveError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::replays::by_the_server;

/// How often to look for such keys.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long the maker of a key has to record it. Its event has more details.
const GRACE: TimeDelta = TimeDelta::seconds(5);

/// Why a key could not be recorded.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error(transparent)]
    Keys(#[from] ProveError),
    #[error(transparent)]
    Log(#[from] CommandError),
}

/// Records new keys until `shutdown`.
pub async fn run(commands: Commands, proofs: Proofs, shutdown: CancellationToken) {
    loop {
        match shutdown.run_until_cancelled(record_new(&commands, &proofs)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(%error, "a new key of the proof cannot be recorded now; it will be tried again"),
        }
        if shutdown.run_until_cancelled(sleep(CHECK_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn record_new(commands: &Commands, proofs: &Proofs) -> Result<(), RecordError> {
    let keys = proofs.keys().await?;
    let Some(newest) = keys.last() else { return Ok(()) };
    let change = if keys.len() == 1 { KeyChange::First } else { KeyChange::Rotation };
    // The first key may still be replaced by one with another name, until it has signed.
    let is_fixed = change == KeyChange::Rotation || newest.first_size.is_some();
    if is_fixed && newest.created_at + GRACE <= Utc::now() {
        let vkey = newest.vkey.clone();
        commands.installation(&by_the_server(None), InstallationCommand::NoteKeyRotation { vkey, change }).await?;
    }
    Ok(())
}
