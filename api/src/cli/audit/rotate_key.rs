//! `backscroll audit rotate-key`

use anyhow::Context;
use clap::Args;
use domain::InstallationCommand;
use domain::installation::KeyChange;
use ledger::proof::keyring::{self, KeyError};
use ledger::proof::trust::{NewTrustError, begin_new_trust};

use crate::app;
use crate::cli::connection::{asked, commands, read_pool};
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Sign with a new key although the present key, or the heads that it signed, are lost. The auditors cannot check
    /// the new key with the old one: tell them why it changed.
    #[arg(long)]
    new_trust: bool,
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let commands = commands(&settings).await?;
    let (vkey, change, said) = if arguments.new_trust { new_trust(&settings).await? } else { rotation(&settings).await? };
    let note = InstallationCommand::NoteKeyRotation { vkey: vkey.clone(), change };
    let noted = commands.installation(&asked(), note).await;
    noted.with_context(|| format!("the key was changed, but the log has no record of it; the new key is {vkey}"))?;
    print(&format!("{said}\n{vkey}"))
}

async fn rotation(settings: &Settings) -> Result<(String, KeyChange, String), Failure> {
    let vkey = keyring::rotate(&read_pool(settings).await?, &settings.proof_keys()).await.map_err(key_failure)?;
    Ok((vkey, KeyChange::Rotation, "the old key and this one sign the next head, and this one alone signs all later heads:".to_owned()))
}

async fn new_trust(settings: &Settings) -> Result<(String, KeyChange, String), Failure> {
    let pool = read_pool(settings).await?;
    // Creates the schema of the proof if it is missing.
    app::arrive(&pool).await?;
    let begun = begin_new_trust(&pool, &settings.proof_keys()).await.map_err(|error| match error {
        NewTrustError::NotNeeded | NewTrustError::Contradicted(_) | NewTrustError::NotNew(_) => Failure::new(Exit::Refused, error),
        NewTrustError::Key(error) => key_failure(error),
        NewTrustError::Database(_) => Failure::new(Exit::Failed, error),
    })?;
    let heads = match begun.heads_removed {
        0 => String::new(),
        removed => format!("{removed} stored heads could not be continued, and were removed\n"),
    };
    let said =
        format!("{heads}this key signs the next head, and no other key confirms it: give it to the auditors, and say why it changed:");
    Ok((begun.vkey, KeyChange::NewTrust, said))
}

fn key_failure(error: KeyError) -> Failure {
    match error {
        KeyError::InFile | KeyError::NoName | KeyError::Gone(_) | KeyError::Missing(_) | KeyError::Sealed(_) => {
            Failure::new(Exit::Refused, error)
        }
        error => Failure::new(Exit::Failed, error),
    }
}
