//! Whether the present key may sign for this log, and how an operator decides for a new one.
//!
//! The server makes the first key of a new log by itself. It makes no key for a log that was signed before: an auditor
//! could not tell the new key from a forger's (docs/decisions/0037-a-new-signing-key-is-a-decision.md).

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgPool, query};

use super::keyring::{self, KeyError, KeySource};
use super::note::VerifyingKey;
use super::refused::{ProofError, Refused};
use super::signer::Signer;

/// How much older than the database the first event of a new log may be. The clocks of the server and of Postgres
/// differ.
const CLOCKS_DIFFER_MAX: TimeDelta = TimeDelta::hours(1);

/// The tables of the proof, as migrations make them.
const SCHEMA: &str = include_str!("schema.sql");

/// A key that the log or the database mentions, and why it is known.
struct Known {
    /// The key that the log recorded last, and when.
    recorded: Option<(String, DateTime<Utc>)>,
    /// A key that is in `secret.proof_keys`.
    private: Option<String>,
    /// When the first event was recorded, if it is older than the database.
    older_event_at: Option<DateTime<Utc>>,
}

/// Refuses a log that was signed before, if no key is published.
pub(super) async fn check_that_no_key_is_gone(connection: &mut PgConnection) -> Result<(), KeyError> {
    let known = known(connection).await?;
    match (known.recorded, known.private, known.older_event_at) {
        (Some((vkey, _)), ..) => Err(KeyError::Gone(format!("the log records that {vkey} signs it, and proof.keys is empty"))),
        (_, Some(vkey), _) => Err(KeyError::Gone(format!("secret.proof_keys has the private key of {vkey}, and proof.keys is empty"))),
        (.., Some(at)) => Err(KeyError::Gone(format!(
            "its first event is from {}, before this database had signing keys, and proof.keys is empty",
            at.format("%F %T UTC")
        ))),
        _ => Ok(()),
    }
}

/// Refuses if the log records a key that is not published: then the published keys come from an older backup than the
/// log. A key that was made after that event is an operator's decision.
pub(super) async fn check_recorded(connection: &mut PgConnection) -> Result<(), KeyError> {
    let Some((vkey, recorded_at)) = known(&mut *connection).await?.recorded else { return Ok(()) };
    let is_published =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM proof.keys WHERE vkey = $1 OR created_at > $2) AS "is!""#, vkey, recorded_at);
    if is_published.fetch_one(connection).await? {
        return Ok(());
    }
    Err(KeyError::Gone(format!("the log records that {vkey} signs it, and proof.keys has only older keys")))
}

async fn known(connection: &mut PgConnection) -> Result<Known, KeyError> {
    let recorded = sqlx::query!(
        r#"SELECT payload #>> '{installation.proof_key_rotated,vkey}' AS "vkey!", recorded_at FROM events
           WHERE aggregate_type = 'installation' AND event_type = 'installation.proof_key_rotated' ORDER BY sequence DESC LIMIT 1"#
    );
    let recorded = recorded.fetch_optional(&mut *connection).await?.map(|row| (row.vkey, row.recorded_at));
    let private = sqlx::query_scalar!("SELECT vkey FROM secret.proof_keys ORDER BY vkey LIMIT 1").fetch_optional(&mut *connection).await?;
    let first_event_at = sqlx::query_scalar!("SELECT recorded_at FROM events ORDER BY position LIMIT 1");
    let first_event_at = first_event_at.fetch_optional(&mut *connection).await?;
    let since = sqlx::query_scalar!("SELECT since FROM signing_keys_recorded").fetch_optional(connection).await?;
    let older_event_at = first_event_at.filter(|at| since.is_some_and(|since| *at + CLOCKS_DIFFER_MAX < since));
    Ok(Known { recorded, private, older_event_at })
}

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
            ProofError::Refused(Refused::SchemaGone) => false,
            ProofError::Refused(refused) => return Err(NewTrustError::Contradicted(refused)),
            ProofError::Key(error) => return Err(error.into()),
            ProofError::Database(error) => return Err(error.into()),
        },
    };
    let mut transaction = connection.begin().await?;
    // The schema's statements do nothing where the tables exist.
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
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
