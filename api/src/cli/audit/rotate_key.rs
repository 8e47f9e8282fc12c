//! `backscroll audit rotate-key`

use anyhow::Context;
use domain::InstallationCommand;
use ledger::proof::keyring;

use crate::cli::connection::{asked, commands, read_pool};
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    let (pool, commands) = (read_pool(&settings).await?, commands(&settings).await?);
    let vkey = keyring::rotate(&pool, &settings.proof_keys()).await.map_err(|error| match error {
        keyring::KeyError::InFile => Failure::new(Exit::Refused, error),
        error => Failure::new(Exit::Failed, error),
    })?;
    let noted = commands.installation(&asked(), InstallationCommand::NoteKeyRotation { vkey: vkey.clone() }).await;
    noted.with_context(|| format!("the key was rotated, but the log has no record of it; the new key is {vkey}"))?;
    print(&format!("the old key and this one sign the next head, and this one alone signs all later heads:\n{vkey}"))
}
