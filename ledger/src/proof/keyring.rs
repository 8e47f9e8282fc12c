//! The keys that sign heads and exports of the audit. Public keys are in `proof.keys`. The private key is sealed in
//! schema `secret`, or in a file.

use std::path::PathBuf;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use sqlx::{Connection, PgConnection, PgPool, query, query_as, query_scalar};
use utoipa::ToSchema;

use super::note::{Malformed, SigningKey, VerifyingKey};

/// The source of the private key.
#[derive(Clone)]
pub struct KeySource {
    /// The key that seals private keys in the database.
    pub sealing_key: [u8; 32],
    /// A file with the private key. If set, the key is not in the database.
    pub file: Option<PathBuf>,
    /// The name of the log, used if it has none yet.
    pub origin: String,
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySource({:?}, {})", self.file, self.origin)
    }
}

/// A published public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublishedKey {
    /// The key with its name, in the form of signed notes: `<name>+<id>+<base64>`.
    #[schema(example = "chat.example.org/v1/proof+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    pub vkey: String,
    /// When the key was made.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// The size of the first head that it signed. Absent if it has not signed yet.
    pub first_size: Option<i64>,
    /// The size of the last head that it signed. Absent while it signs.
    pub last_size: Option<i64>,
    /// When the next key replaced it.
    pub retired_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database did not answer.
    #[error("the keys cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// The file cannot be read.
    #[error("the file {path} with the signing key cannot be read (proof_key_file)", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is not valid.
    #[error("the signing key cannot be used: {0}")]
    Malformed(#[from] Malformed),
    /// The private key cannot be unsealed.
    #[error("the private key of {0} is not in the database, or is sealed under another master key (master_key)")]
    Sealed(String),
    /// The key in the file belongs to another log.
    #[error("the key in the file is named {found}, and the log {origin} (proof_key_file)")]
    OtherLog {
        /// The name of the key.
        found: String,
        /// The name of the log.
        origin: String,
    },
    /// The key in the file was retired.
    #[error("the key in the file was retired: {0} (proof_key_file)")]
    Retired(String),
    /// The key is in a file, so the server cannot replace it.
    #[error("the signing key is in a file: put another one there, and restart the server (proof_key_file)")]
    InFile,
    /// No random bytes, or not enough memory.
    #[error("a key cannot be made")]
    Random,
}

impl From<ring::error::Unspecified> for KeyError {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Random
    }
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

/// Returns the keys to sign with. The first call makes a key. A new key in the file is published.
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
        Some(vkey) => unsealed(connection, source, &vkey).await.ok(),
        None => None,
    };
    Ok(Signers { current, previous, has_signed })
}

async fn of_file(connection: &mut PgConnection, path: &PathBuf) -> Result<SigningKey, KeyError> {
    let text = tokio::fs::read_to_string(path).await.map_err(|source| KeyError::File { path: path.clone(), source })?;
    let key = SigningKey::parse(&text)?;
    let vkey = key.verifying().to_string();
    let published = verifying(connection).await?;
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
        Some(vkey) => unsealed(connection, source, &vkey).await,
        None => first(connection, source).await,
    }
}

/// Makes the first key. Only one is made, even if several processes try at the same moment.
async fn first(connection: &mut PgConnection, source: &KeySource) -> Result<SigningKey, KeyError> {
    let mut transaction = connection.begin().await?;
    query!("LOCK TABLE proof.keys IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let key = match newest(&mut transaction).await? {
        Some(vkey) => unsealed(&mut transaction, source, &vkey).await?,
        None => make(&mut transaction, source, &source.origin).await?,
    };
    transaction.commit().await?;
    Ok(key)
}

/// Makes a new key that signs from the next head on. The present key is then retired. Returns the new public key.
///
/// # Errors
/// The key is in a file, or the database does not answer.
pub async fn rotate(pool: &PgPool, source: &KeySource) -> Result<String, KeyError> {
    if source.file.is_some() {
        return Err(KeyError::InFile);
    }
    let mut transaction = pool.begin().await?;
    let published = verifying(&mut transaction).await?;
    let origin = published.last().map_or(source.origin.as_str(), VerifyingKey::name);
    let key = make(&mut transaction, source, origin).await?;
    transaction.commit().await?;
    Ok(key.verifying().to_string())
}

async fn make(connection: &mut PgConnection, source: &KeySource, origin: &str) -> Result<SigningKey, KeyError> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed)?;
    let key = SigningKey::from_seed(origin, &seed)?;
    let vkey = key.verifying().to_string();
    let sealed = seal(&source.sealing_key, &vkey, &seed)?;
    publish(connection, &vkey).await?;
    query!("INSERT INTO secret.proof_keys (vkey, sealed) VALUES ($1, $2)", vkey, sealed).execute(connection).await?;
    Ok(key)
}

async fn publish(connection: &mut PgConnection, vkey: &str) -> sqlx::Result<()> {
    query!("INSERT INTO proof.keys (vkey) VALUES ($1)", vkey).execute(connection).await.map(drop)
}

async fn unsealed(connection: &mut PgConnection, source: &KeySource, vkey: &str) -> Result<SigningKey, KeyError> {
    let sealed = query_scalar!("SELECT sealed FROM secret.proof_keys WHERE vkey = $1", vkey).fetch_optional(connection).await?;
    let seed = sealed.and_then(|sealed| unseal(&source.sealing_key, vkey, &sealed));
    let seed = seed.ok_or_else(|| KeyError::Sealed(vkey.to_owned()))?;
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

fn seal(key: &[u8; 32], vkey: &str, seed: &[u8; 32]) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce)?;
    let mut sealed = seed.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(vkey.as_bytes()), &mut sealed)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn unseal(key: &[u8; 32], vkey: &str, sealed: &[u8]) -> Option<[u8; 32]> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut opened = sealed.to_vec();
    let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(vkey.as_bytes()), &mut opened).ok()?;
    (&*opened).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_under_its_master_key_and_its_name_only() {
        let sealed = seal(&[1; 32], "a", &[9; 32]).expect("sealed");
        assert_eq!(unseal(&[1; 32], "a", &sealed), Some([9; 32]));
        assert_eq!(unseal(&[2; 32], "a", &sealed), None);
        assert_eq!(unseal(&[1; 32], "b", &sealed), None);
        assert_eq!(unseal(&[1; 32], "a", &sealed[..20]), None);
        assert_eq!(unseal(&[1; 32], "a", &[]), None);
    }
}
