//! An operator's decision for a new key, after the key or its heads were lost.

use sqlx::{Connection, PgConnection, PgPool, query};

use super::evidence::known;
use super::keyring::{self, KeyError, KeySource};
use super::note::VerifyingKey;
use super::refused::{ProofError, Refused};
use super::signer::Signer;

/// Why an operator's decision for a new key is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum NewTrustError {
    /// The database did not answer.
    #[error("the keys cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// The present key can sign.
    #[error(
        "the present signing key works. `backscroll audit rotate-key` without --new-trust replaces it, and both keys sign the next head"
    )]
    NotNeeded,
    /// The log contradicts its stored heads. A new key would hide it.
    #[error("a new key does not help, because the log contradicts its signed heads: copy the database, and see docs/AUDIT.md")]
    Contradicted(#[source] Refused),
    /// The file still has a key that is published already.
    #[error("the file still has the key {0}: put a new key of the same name into it first (proof_key_file)")]
    NotNew(String),
    /// No key can be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The new key of a log that was signed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTrust {
    /// The new public key.
    pub vkey: String,
    /// How many stored heads were removed, because they cannot be continued.
    pub heads_removed: u64,
}

/// Publishes a new key for a log whose key or heads are lost. It signs from the next head on, alone. Heads that can be
/// continued stay. Otherwise they are removed, and the tree is computed from the log again.
///
/// # Errors
/// The present key works, the log contradicts its heads, or there is no new key.
pub async fn begin_new_trust(pool: &PgPool, source: &KeySource) -> Result<NewTrust, NewTrustError> {
    let mut connection = pool.acquire().await?;
    let keeps_heads = match Signer::load(&mut connection, source).await {
        Ok(_) => return Err(NewTrustError::NotNeeded),
        Err(ProofError::Key(KeyError::Missing(_) | KeyError::Sealed(_))) => true,
        // Published keys, which are older than the log, still verify the heads.
        Err(ProofError::Key(KeyError::Gone(_))) => !keyring::verifying(&mut connection).await?.is_empty(),
        Err(ProofError::Refused(Refused::HeadsGone | Refused::HeadsEndBefore { .. })) => false,
        Err(error) => match error.of_missing_tables() {
            ProofError::Refused(refused) => return Err(NewTrustError::Contradicted(refused)),
            ProofError::Key(error) => return Err(error.into()),
            ProofError::Database(error) => return Err(error.into()),
        },
    };
    let mut transaction = connection.begin().await?;
    let heads_removed = if keeps_heads { 0 } else { remove_heads(&mut transaction).await? };
    let vkey = publish_new(&mut transaction, source).await?;
    transaction.commit().await?;
    Ok(NewTrust { vkey, heads_removed })
}

/// Removes the heads and the tree, and retires all keys.
async fn remove_heads(connection: &mut PgConnection) -> sqlx::Result<u64> {
    query!("DELETE FROM proof.tiles").execute(&mut *connection).await?;
    query!("DELETE FROM proof.deliveries").execute(&mut *connection).await?;
    query!("UPDATE proof.keys SET retired_at = now() WHERE retired_at IS NULL").execute(&mut *connection).await?;
    Ok(query!("DELETE FROM proof.checkpoints").execute(connection).await?.rows_affected())
}

async fn publish_new(connection: &mut PgConnection, source: &KeySource) -> Result<String, NewTrustError> {
    let published = keyring::verifying(&mut *connection).await?;
    if let Some(path) = &source.file {
        let key = keyring::read_file(path).await?;
        let vkey = key.verifying().to_string();
        if published.contains(key.verifying()) {
            return Err(NewTrustError::NotNew(vkey));
        }
        keyring::publish(connection, &vkey).await?;
        return Ok(vkey);
    }
    let known = known(&mut *connection).await?;
    let mentioned = known.recorded.map(|(vkey, _)| vkey).or(known.private).and_then(|vkey| vkey.parse::<VerifyingKey>().ok());
    let name = published.last().or(mentioned.as_ref()).map(|key| key.name().to_owned()).or_else(|| source.origin.clone());
    let key = keyring::make(connection, source, &name.ok_or(KeyError::NoName)?).await?;
    Ok(key.verifying().to_string())
}
