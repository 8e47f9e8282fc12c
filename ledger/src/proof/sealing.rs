//! The private keys in `secret.proof_keys`: sealed with AES-256-GCM, under a key that is derived from the master key,
//! and bound to the public key.

use ::keyring::{MasterId, MasterKey, wrapping_master};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sqlx::{PgConnection, PgPool, query, query_scalar};

use super::key_error::KeyError;

/// The label that derives the sealing key from the master key.
const LABEL: &str = "backscroll proof key";

/// The keys that seal private keys: of the master key, and of the previous one while the master key is changed.
#[derive(Clone)]
pub struct SealingKeys {
    current: SealingKey,
    previous: Option<SealingKey>,
}

#[derive(Clone)]
struct SealingKey {
    master_id: MasterId,
    key: [u8; 32],
}

impl SealingKey {
    fn of(master: &MasterKey) -> Self {
        Self { master_id: master.id(), key: master.mac(LABEL, &[]) }
    }
}

impl SealingKeys {
    /// The keys that are derived from these master keys.
    #[must_use]
    pub fn new(master: &MasterKey, previous: Option<&MasterKey>) -> Self {
        Self { current: SealingKey::of(master), previous: previous.map(SealingKey::of) }
    }

    fn each(&self) -> impl Iterator<Item = &SealingKey> {
        [&self.current].into_iter().chain(&self.previous)
    }

    /// The key of the master key that wraps the keys of people. So a process that has only the old master key opens what
    /// the others seal, until `backscroll keys rotate` runs.
    async fn wrapping(&self, connection: &mut PgConnection) -> Result<&SealingKey, KeyError> {
        let Some(master_id) = wrapping_master(connection).await? else { return Ok(&self.current) };
        self.each().find(|key| key.master_id == *master_id).ok_or(KeyError::OtherMasterKey)
    }

    /// Opens a sealed private key. `None` if it is sealed under another master key.
    fn open(&self, vkey: &str, sealed: &[u8]) -> Option<[u8; 32]> {
        self.each().find_map(|key| unseal(&key.key, vkey, sealed))
    }
}

/// Stores the private key of a new public key.
pub(super) async fn store(connection: &mut PgConnection, keys: &SealingKeys, vkey: &str, seed: &[u8; 32]) -> Result<(), KeyError> {
    lock(connection).await?;
    let sealed = seal(&keys.wrapping(connection).await?.key, vkey, seed)?;
    query!("INSERT INTO secret.proof_keys (vkey, sealed) VALUES ($1, $2)", vkey, sealed).execute(connection).await?;
    Ok(())
}

/// Reads the private key of a public key.
pub(super) async fn read(connection: &mut PgConnection, keys: &SealingKeys, vkey: &str) -> Result<[u8; 32], KeyError> {
    let sealed = query_scalar!("SELECT sealed FROM secret.proof_keys WHERE vkey = $1", vkey).fetch_optional(connection).await?;
    let sealed = sealed.ok_or_else(|| KeyError::Missing(vkey.to_owned()))?;
    keys.open(vkey, &sealed).ok_or_else(|| KeyError::Sealed(vkey.to_owned()))
}

/// Seals every private key with the current master key that is sealed with the previous one. Returns their number.
///
/// # Errors
/// The database does not answer.
pub async fn seal_again(pool: &PgPool, keys: &SealingKeys) -> Result<u64, KeyError> {
    let mut transaction = pool.begin().await?;
    lock(&mut transaction).await?;
    let mut sealed_again = 0;
    for row in query!("SELECT vkey, sealed FROM secret.proof_keys ORDER BY vkey").fetch_all(&mut *transaction).await? {
        if unseal(&keys.current.key, &row.vkey, &row.sealed).is_some() {
            continue;
        }
        let Some(seed) = keys.open(&row.vkey, &row.sealed) else { continue };
        let sealed = seal(&keys.current.key, &row.vkey, &seed)?;
        query!("UPDATE secret.proof_keys SET sealed = $2 WHERE vkey = $1", row.vkey, sealed).execute(&mut *transaction).await?;
        sealed_again += 1;
    }
    transaction.commit().await?;
    Ok(sealed_again)
}

/// Returns the public keys whose private key the current master key does not open.
///
/// # Errors
/// The database does not answer.
pub async fn sealed_otherwise(pool: &PgPool, keys: &SealingKeys) -> Result<Vec<String>, KeyError> {
    let rows = query!("SELECT vkey, sealed FROM secret.proof_keys ORDER BY vkey").fetch_all(pool).await?;
    let others = rows.into_iter().filter(|row| unseal(&keys.current.key, &row.vkey, &row.sealed).is_none());
    Ok(others.map(|row| row.vkey).collect())
}

/// Waits for processes that are storing a key, and lets later ones wait until the transaction ends.
async fn lock(connection: &mut PgConnection) -> sqlx::Result<()> {
    query!("LOCK TABLE secret.proof_keys IN SHARE ROW EXCLUSIVE MODE").execute(connection).await.map(drop)
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

    #[test]
    fn a_key_that_the_previous_master_key_sealed_is_opened_too() {
        let (old, new) = (MasterKey::from([1; 32]), MasterKey::from([2; 32]));
        let sealed = seal(&SealingKey::of(&old).key, "a", &[9; 32]).expect("sealed");
        assert_eq!(SealingKeys::new(&old, None).open("a", &sealed), Some([9; 32]));
        assert_eq!(SealingKeys::new(&new, Some(&old)).open("a", &sealed), Some([9; 32]));
        assert_eq!(SealingKeys::new(&new, None).open("a", &sealed), None);
    }
}
