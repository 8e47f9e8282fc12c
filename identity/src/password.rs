//! Passwords are hashed with argon2id (RFC 9106), off the threads that answer requests, and only a few at a time: each takes 19 MiB.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use keyring::Secret;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::AuthError;

/// The fewest characters a password may have.
pub const CHARS_MIN: usize = 8;
/// The most characters a password may have.
pub const CHARS_MAX: usize = 200;
/// How many passwords may wait to be hashed; more are turned away, so that a flood of them cannot fill the memory.
const WAITING_MAX: usize = 256;

/// A password that somebody wants to have: long enough, and never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

impl Password {
    /// Parses it. White space counts.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn parse(text: Secret) -> Result<Self, &'static str> {
        match text.expose().chars().count() {
            CHARS_MIN..=CHARS_MAX => Ok(Self(text)),
            _ => Err("password must have 8 to 200 characters"),
        }
    }
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub struct Passwords {
    at_work: Arc<Semaphore>,
    in_line: Arc<Semaphore>,
    /// The hash of no password: compared where there is no user, so that the answer takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashes at most `parallel` passwords at a time.
    ///
    /// # Errors
    /// There is no randomness for a salt.
    pub fn new(parallel: usize) -> Result<Self, AuthError> {
        let nobody = hash(&uuid::Uuid::now_v7().to_string())?;
        Ok(Self {
            at_work: Arc::new(Semaphore::new(parallel.max(1))),
            in_line: Arc::new(Semaphore::new(WAITING_MAX)),
            nobody: nobody.into(),
        })
    }

    /// The hash to be stored, as a PHC string.
    ///
    /// # Errors
    /// Too many are waiting, or there is no randomness.
    pub async fn hash(&self, password: Password) -> Result<String, AuthError> {
        let _turn = self.take_turn().await?;
        off_thread(move || hash(password.0.expose())).await
    }

    /// Whether the password is the one of that stored hash. Takes as long where there is none.
    ///
    /// # Errors
    /// Too many are waiting, or what is stored is not a hash.
    pub async fn matches(&self, password: Secret, stored: Option<String>) -> Result<bool, AuthError> {
        // Longer ones are never stored; hashing megabytes would be a gift to whoever sends them.
        if password.expose().chars().count() > CHARS_MAX {
            return Ok(false);
        }
        let _turn = self.take_turn().await?;
        let nobody = self.nobody.clone();
        off_thread(move || {
            let matches = verify(password.expose(), stored.as_deref().unwrap_or(&nobody))?;
            Ok(matches && stored.is_some())
        })
        .await
    }

    async fn take_turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), AuthError> {
        let in_line = self.in_line.try_acquire().map_err(|_| AuthError::Busy)?;
        let at_work = self.at_work.acquire().await.map_err(|_| AuthError::Busy)?;
        Ok((in_line, at_work))
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, AuthError> + Send + 'static) -> Result<T, AuthError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AuthError::Hash)?
}

fn hash(password: &str) -> Result<String, AuthError> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| AuthError::Hash)?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool, AuthError> {
    let hash = PasswordHash::new(stored).map_err(|_| AuthError::Hash)?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        text.to_owned().into()
    }

    fn password(text: &str) -> Password {
        Password::parse(secret(text)).expect("a password")
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let passwords = Passwords::new(1).expect("randomness");
        let stored = passwords.hash(password("correct horse")).await.expect("a hash");
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.matches(secret("correct horse"), Some(stored.clone())).await.expect("an answer"));
        assert!(!passwords.matches(secret("wrong horse"), Some(stored)).await.expect("an answer"));
    }

    #[tokio::test]
    async fn nobody_has_a_password() {
        let passwords = Passwords::new(1).expect("randomness");
        assert!(!passwords.matches(secret("correct horse"), None).await.expect("an answer"));
    }

    #[test]
    fn a_password_of_seven_characters_is_refused() {
        assert!(Password::parse(secret("1234567")).is_err());
        assert!(Password::parse("ü".repeat(8).into()).is_ok());
        assert!(Password::parse("x".repeat(201).into()).is_err());
    }
}
