//! `backscroll audit rotate-key`

use projections::proof::keyring;

use crate::cli::connection::read_pool;
use crate::cli::{Exit, Failure, print};
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    let pool = read_pool(&settings).await?;
    let vkey = keyring::rotate(&pool, &settings.proof_keys()).await.map_err(|error| match error {
        keyring::KeyError::InFile => Failure::new(Exit::Refused, error),
        error => Failure::new(Exit::Failed, error),
    })?;
    print(&format!("the next head is signed by the old key and by this one, and all after it by this one alone:\n{vkey}"))
}
