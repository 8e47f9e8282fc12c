//! The keys that seal what is personal in the log: one for each person, wrapped by the master key, in `secret.person_keys`.
//!
//! Invariant: a key is in the database before anything that it seals, and once it is destroyed it never comes back, nor does its owner get
//! another one. Which fields are sealed, and what stands in their place afterwards, is [`domain::personal`]'s.
//!
//! | room | what |
//! |---|---|
//! | `cipher` | AES-256-GCM |
//! | `mac` | HMAC-SHA-256 |
//! | [`master`] | the master key, and wrapping |
//! | `key` | a person's key in memory |
//! | `secret` | a text that is never printed |
//! | `held` | how many of them are kept in memory |
//! | `store` | the table: making and fetching; destroying is the append function's, in the transaction of `user.erased` |

mod cipher;
mod held;
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

use held::Held;
use key::Key;
pub use key::PersonKey;
pub use master::{MasterKey, MasterKeys};
pub use secret::Secret;

/// Whose key seals what belongs to the installation itself.
const INSTALLATION: Uuid = Uuid::nil();

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Postgres did not answer.
    #[error("the keys cannot be read")]
    Postgres(#[from] sqlx::Error),
    /// The master key is not the one that wrapped the keys of this database.
    #[error("the master key is not the one that this database's keys were wrapped with: start with the one that was used before")]
    WrongMasterKey,
    /// A wrapped key was changed.
    #[error("the key {0} was changed in the database, and cannot be unwrapped: restore it from the backup of the keys")]
    Damaged(Uuid),
    /// Other processes make and lose the same key over and over.
    #[error("the key of {0} cannot be made")]
    NotMade(Uuid),
}

/// The keys, as far as this process needs them. Clones share everything.
#[derive(Clone)]
pub struct Keyring {
    pool: PgPool,
    master: Arc<MasterKeys>,
    held: Arc<Held>,
    installation: Arc<Key>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the keyring of that database.
    ///
    /// # Errors
    /// Postgres does not answer, or the master key is not the one that wrapped the keys.
    pub async fn open(pool: PgPool, master: MasterKeys) -> Result<Self, KeyError> {
        let made = store::make(&pool, &master, &[INSTALLATION]).await?;
        let installation = made.into_iter().next().ok_or(KeyError::NotMade(INSTALLATION))?;
        Ok(Self { pool, master: Arc::new(master), held: Arc::default(), installation })
    }

    /// The keys of those people, made where they have none yet. From memory, where it has them; else in one round trip for all.
    ///
    /// # Errors
    /// Postgres does not answer, or a key is damaged.
    pub async fn of(&self, owners: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        let mut found = owners.iter().map(|owner| self.held.of(*owner)).collect::<Vec<_>>();
        let missing = owners.iter().zip(&found).filter(|(_, key)| key.is_none()).map(|(owner, _)| *owner).collect::<Vec<_>>();
        if !missing.is_empty() {
            let made = store::make(&self.pool, &self.master, &missing).await?;
            self.held.put(&made);
            let made = made.into_iter().map(|key| (key.owner_id, key)).collect::<HashMap<_, _>>();
            for (owner, place) in owners.iter().zip(&mut found).filter(|(_, key)| key.is_none()) {
                *place = Some(made.get(owner).cloned().ok_or(KeyError::NotMade(*owner))?);
            }
        }
        Ok(found.into_iter().flatten().map(PersonKey).collect())
    }

    /// Those keys, for reading: from memory, where it has them; else in one round trip for all. What is not in the table is as good as
    /// destroyed.
    ///
    /// # Errors
    /// Postgres does not answer, or a key is damaged.
    pub async fn fetch(&self, key_ids: &[Uuid]) -> Result<Fetched, KeyError> {
        let mut fetched = HashMap::with_capacity(key_ids.len());
        let mut missing = Vec::new();
        for key_id in key_ids {
            match self.held.named(*key_id) {
                Some(key) => drop(fetched.insert(*key_id, Some(key))),
                None => missing.push(*key_id),
            }
        }
        if !missing.is_empty() {
            let read = store::read(&self.pool, &self.master, &missing).await?;
            self.held.put(&read);
            fetched.extend(missing.iter().map(|key_id| (*key_id, None)));
            fetched.extend(read.into_iter().map(|key| (key.key_id, Some(key))));
            let lost = fetched.values().filter(|key| key.is_none()).count();
            if lost > 0 {
                tracing::warn!(keys = lost, "the log mentions keys that are not in the database: what they sealed is read as erased");
            }
        }
        Ok(Fetched(fetched))
    }

    /// Wraps every key anew that the previous master key wrapped, some at a time: whoever is cut off goes on by doing it again. Returns how
    /// many they were.
    ///
    /// # Errors
    /// Postgres does not answer, a key is damaged, or a third master key has wrapped it.
    pub async fn rotate(&self) -> Result<u64, KeyError> {
        let mut rotated = 0;
        loop {
            let wrapped = store::wrap_anew(&self.pool, &self.master).await?;
            if wrapped == 0 {
                return Ok(rotated);
            }
            rotated += wrapped;
        }
    }

    /// Whatever is known of that owner's key may be old: it is read again before its next use.
    pub fn forget(&self, owner_id: Uuid) {
        self.held.forget(owner_id);
    }

    /// A name in a form that can be compared, and tells nothing to who does not have the key of this installation.
    #[must_use]
    pub fn blind(&self, name: &[&[u8]]) -> [u8; 32] {
        self.installation.blind(name)
    }
}

impl Keys for Keyring {
    fn unseal(&self, key_id: Uuid, place: &Place<'_>, sealed: &str, text: &mut Vec<u8>) -> Unsealed {
        self.held.named(key_id).map_or(Unsealed::NotHeld, |key| key.unseal(place, sealed, text))
    }
}

/// Keys that were fetched for what is about to be read. One that is not among them is not held; one that is nowhere was destroyed.
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
