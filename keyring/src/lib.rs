//! The keys that seal the personal parts of the log: one for each person, wrapped by the master key, in
//! `secret.person_keys`.
//!
//! A key is in the database before anything that it seals. A destroyed key never comes back, and its owner never gets
//! another one. [`domain::personal`] decides which fields are sealed, and what replaces them after an erasure.
//!
//! | module | content |
//! |---|---|
//! | `cipher` | AES-256-GCM |
//! | `mac` | HMAC-SHA-256; keys that authenticate values for one purpose |
//! | [`master`] | the master key, and wrapping |
//! | `key` | a person's key in memory |
//! | `secret` | a text that is never printed |
//! | `cache` | the keys in memory, up to a limit |
//! | `store` | makes and fetches keys. The append function destroys them, with `user.erased` in one transaction |

mod cache;
mod cipher;
mod key;
mod mac;
pub mod master;
mod secret;
mod store;

use std::collections::HashMap;
use std::sync::Arc;

use domain::personal::{Keys, Place, Unsealed};
use sqlx::PgPool;
use uuid::Uuid;

use cache::KeyCache;
use key::Key;
pub use key::PersonKey;
pub use mac::MacKey;
pub use master::{MasterId, MasterKey, MasterKeys};
pub use secret::Secret;
pub use store::wrapping_master;

/// The owner of the key that seals what belongs to the installation itself.
const INSTALLATION: Uuid = Uuid::nil();

/// Why a key is not available.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Postgres did not answer.
    #[error("the keys cannot be read")]
    Postgres(#[from] sqlx::Error),
    /// The keys of this database were wrapped with another master key.
    #[error(
        "this database's keys were wrapped with another master key: start the server with that one, as master_key or as master_key_previous"
    )]
    WrongMasterKey,
    /// A wrapped key was changed.
    #[error("the key {0} was changed in the database, and cannot be unwrapped: restore it from the backup of the keys")]
    Damaged(Uuid),
    /// Other processes repeatedly make and destroy the same key.
    #[error("the key of {0} cannot be made")]
    NotMade(Uuid),
}

/// Opens some keys of a database, and counts those that neither the master key nor the previous one has wrapped. Makes
/// and changes nothing. Returns how many were opened, and how many are of another master key.
///
/// # Errors
/// Postgres does not answer, or a key is damaged.
pub async fn check(pool: &PgPool, master: &MasterKeys, limit: i64) -> Result<(u64, i64), KeyError> {
    store::check(pool, master, limit).await
}

/// The keys that this process needs. Clones share everything.
#[derive(Clone)]
pub struct Keyring {
    pool: PgPool,
    master: Arc<MasterKeys>,
    cache: Arc<KeyCache>,
    installation: Arc<Key>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the keyring of a database.
    ///
    /// # Errors
    /// Postgres does not answer, or the keys were wrapped with another master key.
    pub async fn open(pool: PgPool, master: MasterKeys) -> Result<Self, KeyError> {
        let made = store::make(&pool, &master, &[INSTALLATION]).await?;
        let installation = made.into_iter().next().ok_or(KeyError::NotMade(INSTALLATION))?;
        Ok(Self { pool, master: Arc::new(master), cache: Arc::default(), installation })
    }

    /// Returns the keys of these people, and makes missing ones. Keys in memory are used; the others need one round
    /// trip for all.
    ///
    /// # Errors
    /// Postgres does not answer, or a key is damaged.
    pub async fn of(&self, owners: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        let mut found = owners.iter().map(|owner| self.cache.of(*owner)).collect::<Vec<_>>();
        let missing = owners.iter().zip(&found).filter(|(_, key)| key.is_none()).map(|(owner, _)| *owner).collect::<Vec<_>>();
        if !missing.is_empty() {
            let made = store::make(&self.pool, &self.master, &missing).await?;
            self.cache.put(&made);
            let made = made.into_iter().map(|key| (key.owner_id, key)).collect::<HashMap<_, _>>();
            for (owner, place) in owners.iter().zip(&mut found).filter(|(_, key)| key.is_none()) {
                *place = Some(made.get(owner).cloned().ok_or(KeyError::NotMade(*owner))?);
            }
        }
        Ok(found.into_iter().flatten().map(PersonKey).collect())
    }

    /// Returns these keys for reading. Keys in memory are used; the others need one round trip for all. A key that is
    /// not in the table counts as destroyed.
    ///
    /// # Errors
    /// Postgres does not answer, or a key is damaged.
    pub async fn fetch(&self, key_ids: &[Uuid]) -> Result<Fetched, KeyError> {
        let mut fetched = HashMap::with_capacity(key_ids.len());
        let mut missing = Vec::new();
        for key_id in key_ids {
            match self.cache.named(*key_id) {
                Some(key) => drop(fetched.insert(*key_id, Some(key))),
                None => missing.push(*key_id),
            }
        }
        if !missing.is_empty() {
            let read = store::read(&self.pool, &self.master, &missing).await?;
            self.cache.put(&read);
            fetched.extend(missing.iter().map(|key_id| (*key_id, None)));
            fetched.extend(read.into_iter().map(|key| (key.key_id, Some(key))));
            let lost = fetched.values().filter(|key| key.is_none()).count();
            if lost > 0 {
                tracing::warn!(keys = lost, "the log names keys that are not in the database: the data that they sealed is read as erased");
            }
        }
        Ok(Fetched(fetched))
    }

    /// Wraps every key again that the previous master key wrapped, some at a time. If it breaks off, another call
    /// continues. Returns the number of keys.
    ///
    /// From the first step on, all processes wrap new keys with the current master key. A process that does not have it
    /// makes no key any more.
    ///
    /// # Errors
    /// Postgres does not answer, a key is damaged, or a third master key has wrapped it.
    pub async fn rotate(&self) -> Result<u64, KeyError> {
        let mut rotated = store::switch(&self.pool, &self.master).await?;
        loop {
            let wrapped = store::rewrap(&self.pool, &self.master).await?;
            if wrapped == 0 {
                return Ok(rotated);
            }
            rotated += wrapped;
        }
    }

    /// Counts the keys in the database that another master key than the current one wraps.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn count_of_other_masters(&self) -> Result<u64, KeyError> {
        store::count_others(&self.pool, &self.master).await
    }

    /// Removes an owner's key from memory, because it may be out of date. It is read again before its next use.
    pub fn forget(&self, owner_id: Uuid) {
        self.cache.forget(owner_id);
    }

    /// Returns a keyed hash of a name. It can be compared, but without the installation's key it says nothing about the
    /// name.
    #[must_use]
    pub fn blind(&self, name: &[&[u8]]) -> [u8; 32] {
        self.installation.blind(name)
    }
}

impl Keys for Keyring {
    fn unseal(&self, key_id: Uuid, place: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed {
        self.cache.named(key_id).map_or(Unsealed::NotHeld, |key| key.unseal(place, sealed, text))
    }
}

/// Keys that were fetched for a read. A key that is not in this map was not fetched; a `None` in it was destroyed.
#[derive(Default)]
pub struct Fetched(HashMap<Uuid, Option<Arc<Key>>>);

impl Keys for Fetched {
    fn unseal(&self, key_id: Uuid, place: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed {
        match self.0.get(&key_id) {
            Some(Some(key)) => key.unseal(place, sealed, text),
            Some(None) => Unsealed::Destroyed,
            None => Unsealed::NotHeld,
        }
    }
}
