//! `backscroll keys`

use std::fmt::Write;

use anyhow::anyhow;
use clap::Subcommand;
use ledger::proof::sealing::{seal_again, sealed_otherwise};

use super::connection::read_pool;
use super::{Exit, Failure, print};
use crate::app;
use crate::config::Settings;

/// What depends on the master key, and is not stored under it.
const NOT_STORED: &str = "\
not stored under the master key, so there is nothing to rotate:
  links of invitations stay valid; copies of sessions in Redis are read from Postgres once; the digests of unknown logins
  in later refused sign-ins differ from the earlier ones";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Encrypt everything in the database with the current master key that is encrypted with the previous one
    /// (master_key_previous): the keys of people, and the keys that sign the log. First set both on every server. Servers
    /// may run meanwhile. An interrupted run can be repeated.
    Rotate,
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    let Verb::Rotate = verb;
    let pool = read_pool(&settings).await?;
    let keys = app::keyring(&settings, pool.clone()).await?;
    let sealing = settings.proof_keys().sealing;
    // Even if a key of a person is damaged, the log must be signed.
    let people = keys.rotate().await;
    let signing = seal_again(&pool, &sealing).await.map_err(anyhow::Error::from)?;
    let people = people.map_err(app::StartError::from)?;
    let mut said = format!(
        "{people:>10} keys of people and of the installation are encrypted again\n{signing:>10} keys that sign the log are encrypted again\n"
    );
    let _ = writeln!(said, "{NOT_STORED}");
    print(said.trim_end())?;

    let left = keys.count_of_other_masters().await.map_err(app::StartError::from)?;
    let unopened = sealed_otherwise(&pool, &sealing).await.map_err(anyhow::Error::from)?;
    if left == 0 && unopened.is_empty() {
        let advice = if settings.master_key_previous.is_some() {
            "remove master_key_previous on every server"
        } else {
            "everything is under the current master key"
        };
        return print(&format!("the database was checked: nothing in it needs another master key; {advice}"));
    }
    Err(Failure::new(Exit::Refused, anyhow!(still_needed(left, &unopened))))
}

fn still_needed(left: u64, unopened: &[String]) -> String {
    let mut reasons = Vec::new();
    if left > 0 {
        reasons.push(format!(
            "{left} keys of people are under another master key: a server of an older release makes keys with it. Keep \
             master_key_previous, stop that server, and repeat this command"
        ));
    }
    if !unopened.is_empty() {
        reasons.push(format!(
            "keys that sign the log are under a master key that is neither the current nor the previous one: {}. Set that one as \
             master_key_previous, and repeat this command. If it is lost, sign with a new key: `backscroll audit rotate-key --new-trust`",
            unopened.join(", ")
        ));
    }
    format!("the previous master key is still needed: {}", reasons.join("; "))
}
