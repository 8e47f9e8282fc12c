//! A key of the proof that nobody has said anything about: one that was put into its file, or one that was made by somebody who was killed before
//! they could say so. The log says so here. What it says once, it says once: the decision knows the key that it was told of last.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use commands::{CommandError, Commands};
use domain::InstallationCommand;
use ledger::proof::{Proofs, ProveError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::replays::by_the_server;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long whoever makes a key has to say so: they know more of it.
const GRACE: TimeDelta = TimeDelta::seconds(5);

/// The log cannot be told now.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    Keys(#[from] ProveError),
    #[error(transparent)]
    Log(#[from] CommandError),
}

/// Tells the log of keys until `shutdown`.
pub async fn run(commands: Commands, proofs: Proofs, shutdown: CancellationToken) {
    loop {
        match shutdown.run_until_cancelled(look(&commands, &proofs)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(%error, "the log is not told of a new key of the proof now; it is tried again"),
        }
        if shutdown.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn look(commands: &Commands, proofs: &Proofs) -> Result<(), Untold> {
    let keys = proofs.keys().await?;
    // The first key has taken over from none.
    let [_, .., newest] = keys.as_slice() else { return Ok(()) };
    if newest.created_at + GRACE <= Utc::now() {
        commands.installation(&by_the_server(None), InstallationCommand::NoteKeyRotation { vkey: newest.vkey.clone() }).await?;
    }
    Ok(())
}
