//! The keys that sign heads and exports of the audit. Public keys are in `proof.keys`. The private key is sealed in
//! schema `secret`, or in a file.

use std::path::{Path, PathBuf};

use ::keyring::MasterKey;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use sqlx::{Connection, PgConnection, PgPool, query, query_as, query_scalar};
use tracing::info;
use utoipa::ToSchema;

use super::evidence;
pub use super::key_error::KeyError;
use super::note::{SigningKey, VerifyingKey};
use super::sealing::{self, SealingKeys};

/// The source of the private key.
#[derive(Clone)]
pub struct KeySource {
    /// The keys that seal private keys in the database.
    pub sealing: SealingKeys,
    /// A file with the private key. If set, the key is not in the database.
    pub file: Option<PathBuf>,
    /// The name of the log, used if it has none yet. Without a name, no first key is made.
    pub origin: Option<String>,
}

impl KeySource {
    /// Keys in the database, sealed under this master key, and no name.
    #[must_use]
    pub fn new(master: &MasterKey, previous: Option<&MasterKey>) -> Self {
        Self { sealing: SealingKeys::new(master, previous), file: None, origin: None }
    }

    /// Whether a log that has no name yet can get one from here.
    #[must_use]
    pub fn has_name(&self) -> bool {
        self.file.is_some() || self.origin.is_some()
    }
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySource({:?}, {:?})", self.file, self.origin)
    }
}

/// A published public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublishedKey {
    /// The key with its name, in the form of signed notes: `<name>+<id>+<base64>`.
    #[schema(example = "chat.example.org/v1/proof+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    pub vkey: String,
    /// When the key was made.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// The size of the first head that it signed. Absent if it has not signed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_size: Option<i64>,
    /// The size of the last head that it signed. Absent while it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_size: Option<i64>,
    /// When the next key replaced it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub retired_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// The keys that sign.
#[derive(Debug)]
pub(super) struct Signers {
    /// The key that signs.
    pub(super) current: SigningKey,
    /// The previous key. It signs one more head together with the new one.
    pub(super) previous: Option<SigningKey>,
    /// Whether the current key has signed before.
    pub(super) has_signed: bool,
}

impl Signers {
    pub(super) fn keys(&self) -> Vec<&SigningKey> {
        [&self.current].into_iter().chain(&self.previous).collect()
    }
}

/// Returns all public keys, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn published(pool: &PgPool) -> sqlx::Result<Vec<PublishedKey>> {
    query_as!(PublishedKey, "SELECT vkey, created_at, first_size, last_size, retired_at FROM proof.keys ORDER BY key_id")
        .fetch_all(pool)
        .await
}

/// All public keys, for verifying.
pub(super) async fn verifying(connection: &mut PgConnection) -> Result<Vec<VerifyingKey>, KeyError> {
    let keys = query_scalar!("SELECT vkey FROM proof.keys ORDER BY key_id").fetch_all(connection).await?;
    Ok(keys.iter().map(|key| key.parse()).collect::<Result<_, _>>()?)
}

/// The public part of the key that signs.
pub(super) async fn newest(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    query_scalar!("SELECT vkey FROM proof.keys ORDER BY key_id DESC LIMIT 1").fetch_optional(connection).await
}

/// Returns the key that signs now.
///
/// # Errors
/// The database does not answer, or the key cannot be read.
pub async fn current(pool: &PgPool, source: &KeySource) -> Result<SigningKey, KeyError> {
    Ok(signers(&mut *pool.acquire().await?, source).await?.current)
}

/// Returns the keys to sign with. Makes the first key of a new log. A new key in the file is published.
pub(super) async fn signers(connection: &mut PgConnection, source: &KeySource) -> Result<Signers, KeyError> {
    let current = match &source.file {
        Some(path) => of_file(connection, path).await?,
        None => of_database(connection, source).await?,
    };
    let vkey = current.verifying().to_string();
    let has_signed = query_scalar!(r#"SELECT first_size IS NOT NULL AS "has!" FROM proof.keys WHERE vkey = $1"#, vkey);
    let has_signed = has_signed.fetch_one(&mut *connection).await?;
    let before = query_scalar!(
        "SELECT vkey FROM proof.keys WHERE first_size IS NOT NULL AND retired_at IS NULL AND vkey <> $1 ORDER BY key_id DESC LIMIT 1",
        vkey
    );
    let previous = match before.fetch_optional(&mut *connection).await? {
        // The previous key was in a file, which has been replaced.
        Some(vkey) => private(connection, source, &vkey).await.ok(),
        None => None,
    };
    Ok(Signers { current, previous, has_signed })
}

/// Reads the key of a file.
pub(super) async fn read_file(path: &Path) -> Result<SigningKey, KeyError> {
    let text = tokio::fs::read_to_string(path).await.map_err(|source| KeyError::File { path: path.to_owned(), source })?;
    Ok(SigningKey::parse(&text)?)
}

async fn of_file(connection: &mut PgConnection, path: &Path) -> Result<SigningKey, KeyError> {
    let key = read_file(path).await?;
    let vkey = key.verifying().to_string();
    let published = verifying(connection).await?;
    if published.is_empty() {
        evidence::check_that_no_key_is_gone(connection).await?;
    }
    if let Some(other) = published.iter().find(|other| other.name() != key.verifying().name()) {
        return Err(KeyError::OtherLog { found: key.verifying().name().to_owned(), origin: other.name().to_owned() });
    }
    match published.iter().position(|published| published == key.verifying()) {
        None => publish(connection, &vkey).await?,
        Some(place) if place + 1 == published.len() => {}
        Some(_) => return Err(KeyError::Retired(vkey)),
    }
    Ok(key)
}

async fn of_database(connection: &mut PgConnection, source: &KeySource) -> Result<SigningKey, KeyError> {
    match newest(connection).await? {
        Some(vkey) => private(connection, source, &vkey).await,
        None => first(connection, source).await,
    }
}

/// Makes the first key. Only one is made, even if several processes try at the same moment.
async fn first(connection: &mut PgConnection, source: &KeySource) -> Result<SigningKey, KeyError> {
    let mut transaction = connection.begin().await?;
    query!("LOCK TABLE proof.keys IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let key = match newest(&mut transaction).await? {
        Some(vkey) => private(&mut transaction, source, &vkey).await?,
        None => {
            evidence::check_that_no_key_is_gone(&mut transaction).await?;
            let origin = source.origin.as_deref().ok_or(KeyError::NoName)?;
            make(&mut transaction, source, origin).await?
        }
    };
    transaction.commit().await?;
    Ok(key)
}

/// Removes keys that have signed no head and have another name than the settings say now. So the name of the log is
/// fixed by its first head, and not before.
pub(super) async fn remove_unused(connection: &mut PgConnection, source: &KeySource) -> Result<(), KeyError> {
    let was_signed = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM proof.keys WHERE first_size IS NOT NULL) OR EXISTS (SELECT FROM proof.checkpoints) AS "was!""#
    );
    let published = verifying(&mut *connection).await?;
    if published.is_empty() || was_signed.fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let name = match &source.file {
        Some(path) => read_file(path).await?.verifying().name().to_owned(),
        None => source.origin.clone().ok_or(KeyError::NoName)?,
    };
    for key in published.iter().filter(|key| key.name() != name) {
        let vkey = key.to_string();
        query!("DELETE FROM secret.proof_keys WHERE vkey = $1", vkey).execute(&mut *connection).await?;
        query!("DELETE FROM proof.keys WHERE vkey = $1", vkey).execute(&mut *connection).await?;
        info!(key = vkey, name, "a signing key that has signed nothing is removed, because the log has another name now");
    }
    Ok(())
}

/// Makes a new key that signs from the next head on. The present key is then retired. Returns the new public key.
///
/// # Errors
/// There is no present key, it cannot be read, or it is in a file; or the database does not answer.
pub async fn rotate(pool: &PgPool, source: &KeySource) -> Result<String, KeyError> {
    if source.file.is_some() {
        return Err(KeyError::InFile);
    }
    let mut transaction = pool.begin().await?;
    let key = match newest(&mut transaction).await? {
        None => first(&mut transaction, source).await?,
        Some(present) => {
            // The present key must sign the next head too, so it must be there.
            let present = private(&mut transaction, source, &present).await?;
            make(&mut transaction, source, present.verifying().name()).await?
        }
    };
    transaction.commit().await?;
    Ok(key.verifying().to_string())
}

/// Makes a key with this name, and publishes it.
pub(super) async fn make(connection: &mut PgConnection, source: &KeySource, origin: &str) -> Result<SigningKey, KeyError> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed)?;
    let key = SigningKey::from_seed(origin, &seed)?;
    let vkey = key.verifying().to_string();
    publish(connection, &vkey).await?;
    sealing::store(connection, &source.sealing, &vkey, &seed).await?;
    Ok(key)
}

pub(super) async fn publish(connection: &mut PgConnection, vkey: &str) -> sqlx::Result<()> {
    query!("INSERT INTO proof.keys (vkey) VALUES ($1)", vkey).execute(connection).await.map(drop)
}

async fn private(connection: &mut PgConnection, source: &KeySource, vkey: &str) -> Result<SigningKey, KeyError> {
    let seed = sealing::read(connection, &source.sealing, vkey).await?;
    let name = vkey.parse::<VerifyingKey>()?.name().to_owned();
    Ok(SigningKey::from_seed(&name, &seed)?)
}

/// Notes that the new key has signed a head of this size. From now on it signs alone, and the private parts of older
/// keys are deleted.
pub(super) async fn take_over(connection: &mut PgConnection, vkey: &str, size: i64) -> sqlx::Result<()> {
    query!("UPDATE proof.keys SET first_size = $2 WHERE vkey = $1", vkey, size).execute(&mut *connection).await?;
    query!("UPDATE proof.keys SET last_size = $2, retired_at = now() WHERE vkey <> $1 AND retired_at IS NULL", vkey, size)
        .execute(&mut *connection)
        .await?;
    query!("DELETE FROM secret.proof_keys WHERE vkey <> $1", vkey).execute(connection).await.map(drop)
}
