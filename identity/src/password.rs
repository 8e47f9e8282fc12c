//! Passwords are hashed with argon2id (RFC 9106), outside the threads that answer requests. Only a few are hashed at a
//! time, because each takes 19 MiB of memory.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use domain::text::{DECOMPOSED_MAX, is_typed, is_visible, opaque, spellings};
use domain::user::Registration;
use keyring::Secret;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::AuthError;

/// The fewest characters of a password.
pub const CHARS_MIN: usize = 8;
/// The most characters of a password.
pub const CHARS_MAX: usize = 200;
/// How many passwords may wait to be hashed. Further ones are refused, so that a flood of them cannot fill the memory.
const WAITING_MAX: usize = 256;

/// How many characters are checked for a password that is easily guessed. If a long password starts with an easily
/// guessed one of this length, it is refused too.
const CHARS_CHECKED: usize = 64;

/// A new password: long enough, not easily guessed, and never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

/// Why a text cannot be used as a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    /// It is too short or too long.
    #[error("a password must have 8 to 200 characters")]
    Length,
    /// It has only white space, or characters that cannot be seen.
    #[error("a password must have more than white space: take a few words that are not related")]
    Blank,
    /// It has a character that cannot be seen, or a control character: it could not be typed again.
    #[error("a password may not have characters that cannot be seen, such as tabs; type it instead of pasting it")]
    Characters,
    /// It is on the lists of common passwords. Or it is made of such a password, of a pattern, or of public data about
    /// the user.
    #[error("this password is easily guessed: take a few words that are not related")]
    Known,
}

impl Password {
    /// Parses the text. It is kept in one form for all ways of typing it (RFC 8265, `OpaqueString`). White space counts.
    /// `about` has public data about the user, such as the name.
    ///
    /// # Errors
    /// It is too short, too long, easily guessed, or cannot be typed again.
    pub fn parse(text: Secret, about: &[&str]) -> Result<Self, PasswordRefusal> {
        if is_too_long(text.expose()) {
            return Err(PasswordRefusal::Length);
        }
        let text = Secret::from(opaque(text.expose()));
        let given = text.expose();
        if !(CHARS_MIN..=CHARS_MAX).contains(&given.chars().count()) {
            return Err(PasswordRefusal::Length);
        }
        if !given.chars().any(is_visible) {
            return Err(PasswordRefusal::Blank);
        }
        if !is_typed(given) {
            return Err(PasswordRefusal::Characters);
        }
        if is_easily_guessed(given, about) { Err(PasswordRefusal::Known) } else { Ok(Self(text)) }
    }
}

/// Whether no spelling of the text is short enough. It is not worth to normalise megabytes.
fn is_too_long(text: &str) -> bool {
    text.chars().count() > CHARS_MAX * DECOMPOSED_MAX
}

/// Whether `zxcvbn` estimates that fewer than a million guesses are needed. It knows 30,000 common passwords, names,
/// words and patterns.
fn is_easily_guessed(password: &str, about: &[&str]) -> bool {
    let checked = password.chars().take(CHARS_CHECKED).collect::<String>();
    let about = about.iter().flat_map(|text| std::iter::once(*text).chain(text.split(['@', '.', ' ', '-', '_'])));
    let about = about.filter(|text| text.len() > 2).collect::<Vec<_>>();
    zxcvbn::zxcvbn(&checked, &about).score() < zxcvbn::Score::Two
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub struct Passwords {
    at_work: Arc<Semaphore>,
    in_line: Arc<Semaphore>,
    /// The hash of a random text. It is compared if there is no user, so that the answer takes the same time.
    nobody: Arc<str>,
}

impl Passwords {
    /// Makes a service that hashes at most `parallel` passwords at a time.
    ///
    /// # Errors
    /// The system has no random bytes for a salt.
    pub fn new(parallel: usize) -> Result<Self, AuthError> {
        let nobody = hash(&uuid::Uuid::now_v7().to_string())?;
        Ok(Self {
            at_work: Arc::new(Semaphore::new(parallel.max(1))),
            in_line: Arc::new(Semaphore::new(WAITING_MAX)),
            nobody: nobody.into(),
        })
    }

    /// Parses a new password of a user. It must not be the user's address, username or display name.
    ///
    /// # Errors
    /// The password is refused, or too many passwords are waiting.
    pub async fn parse_for(&self, text: Secret, user: Option<&Registration>) -> Result<Password, AuthError> {
        let about = user.map(|known| {
            vec![known.email.as_str().to_owned(), known.username.as_str().to_owned(), known.profile.display_name.as_str().to_owned()]
        });
        self.parse(text, about.unwrap_or_default()).await
    }

    /// Parses a password outside the threads that answer requests ([`Password::parse`]).
    ///
    /// # Errors
    /// The password is refused, or too many passwords are waiting.
    async fn parse(&self, text: Secret, about: Vec<String>) -> Result<Password, AuthError> {
        let _permits = self.acquire_permits().await?;
        off_thread(move || {
            let about = about.iter().map(String::as_str).collect::<Vec<_>>();
            Ok(Password::parse(text, &about)?)
        })
        .await
    }

    /// Returns the hash to store, as a PHC string.
    ///
    /// # Errors
    /// Too many passwords are waiting, or the system has no random bytes.
    pub async fn hash(&self, password: Password) -> Result<String, AuthError> {
        let _permits = self.acquire_permits().await?;
        off_thread(move || hash(password.0.expose())).await
    }

    /// Whether the password matches the stored hash. It takes the same time if there is no hash. A password beyond ASCII
    /// may match in several spellings: releases before PRECIS hashed what the keyboard had sent.
    ///
    /// # Errors
    /// Too many passwords are waiting, or the stored text is not a hash.
    pub async fn matches(&self, password: Secret, stored: Option<String>) -> Result<bool, AuthError> {
        // Longer passwords are never stored. Hashing megabytes would help an attacker to overload the server.
        if is_too_long(password.expose()) {
            return Ok(false);
        }
        let _permits = self.acquire_permits().await?;
        let nobody = self.nobody.clone();
        off_thread(move || {
            let hash = stored.as_deref().unwrap_or(&nobody);
            for spelling in spellings(password.expose()).into_iter().map(Secret::from) {
                if spelling.expose().chars().count() <= CHARS_MAX && verify(spelling.expose(), hash)? {
                    return Ok(stored.is_some());
                }
            }
            Ok(false)
        })
        .await
    }

    async fn acquire_permits(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), AuthError> {
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
        Password::parse(secret(text), &[]).expect("a password")
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
    async fn no_password_matches_a_missing_hash() {
        let passwords = Passwords::new(1).expect("randomness");
        assert!(!passwords.matches(secret("correct horse"), None).await.expect("an answer"));
    }

    #[tokio::test]
    async fn a_password_matches_however_its_letters_are_composed() {
        let passwords = Passwords::new(2).expect("randomness");
        let (composed, decomposed) = ("Gr\u{fc}\u{df}e aus K\u{f6}ln", "Gru\u{308}\u{df}e aus Ko\u{308}ln");
        for (set, typed) in [(composed, decomposed), (decomposed, composed), (composed, "Gr\u{fc}\u{df}e\u{a0}aus K\u{f6}ln")] {
            let stored = passwords.hash(password(set)).await.expect("a hash");
            assert!(passwords.matches(secret(typed), Some(stored)).await.expect("an answer"), "{typed:?}");
        }
        let long = (0..39).map(|n| format!("u\u{308}o\u{308}{}", n * 7_919 % 997)).collect::<String>();
        let stored = passwords.hash(password(&long)).await.expect("a hash");
        assert!(
            passwords.matches(secret(&long), Some(stored)).await.expect("an answer"),
            "fewer than 200 letters in more than 200 characters"
        );
    }

    #[tokio::test]
    async fn a_hash_of_an_earlier_release_matches_what_was_typed_then() {
        let passwords = Passwords::new(2).expect("randomness");
        for earlier in ["Gru\u{308}\u{df}e aus Ko\u{308}ln", "tab\there horse", "wide\u{3000}space horse", "zero\u{200b}width horse"] {
            let stored = hash(earlier).expect("a hash");
            assert!(passwords.matches(secret(earlier), Some(stored)).await.expect("an answer"), "{earlier:?}");
        }
        let stored = hash("Gru\u{308}\u{df}e aus Ko\u{308}ln").expect("a hash");
        assert!(passwords.matches(secret("Gr\u{fc}\u{df}e aus K\u{f6}ln"), Some(stored)).await.expect("an answer"));
        let stored = hash("Grusse aus Koln").expect("a hash");
        assert!(!passwords.matches(secret("Gr\u{fc}sse aus K\u{f6}ln"), Some(stored)).await.expect("an answer"));
    }

    #[test]
    fn a_password_can_be_typed_again() {
        for text in ["correct\thorse", "correct\u{200b}horse", "correct\u{202e}horse", "correct horse\u{7f}"] {
            assert_eq!(refusal(text, &[]), Some(PasswordRefusal::Characters), "{text:?}");
        }
        for text in [
            "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}",
            "\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}",
        ] {
            assert_eq!(refusal(text, &[]), Some(PasswordRefusal::Blank), "{text:?}");
        }
        assert_eq!(refusal("correct ❤\u{fe0f} 👩\u{200d}💻 horse", &[]), None);
    }

    fn refusal(text: &str, about: &[&str]) -> Option<PasswordRefusal> {
        Password::parse(secret(text), about).err()
    }

    #[test]
    fn a_password_has_a_least_and_a_greatest_length() {
        assert_eq!(refusal("1b2x9_q", &[]), Some(PasswordRefusal::Length));
        assert_eq!(refusal(&"x y z".repeat(41), &[]), Some(PasswordRefusal::Length));
        assert_eq!(refusal("über-öl ß4", &[]), None);
    }

    #[test]
    fn white_space_alone_is_no_password() {
        for text in ["        ", "\t\t\t\t\t\t\t\t\t", "\u{a0}\u{2003}\u{3000}     ", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}"] {
            assert_eq!(refusal(text, &[]), Some(PasswordRefusal::Blank), "{text:?}");
        }
    }

    #[test]
    fn common_passwords_are_refused() {
        let known = [
            "password",
            "Password1",
            "P@ssw0rd",
            "12345678",
            "123456789",
            "qwertyuiop",
            "iloveyou",
            "11111111",
            "aaaaaaaaaaaaaaaa",
            "abcdefgh",
            "sunshine",
            "trustno1",
            "letmein1",
            "football",
            "password123",
            "1q2w3e4r",
            "superman",
            "20012001",
        ];
        for text in known {
            assert_eq!(refusal(text, &[]), Some(PasswordRefusal::Known), "{text}");
        }
        assert_eq!(refusal(&"a".repeat(200), &[]), Some(PasswordRefusal::Known));
    }

    #[test]
    fn public_data_about_a_user_are_no_password() {
        let about = ["quetzalina@example.org", "quetzalina", "Quetzalina Xu"];
        assert_eq!(refusal("quetzalina", &about), Some(PasswordRefusal::Known));
        assert_eq!(refusal("Quetzalina1", &about), Some(PasswordRefusal::Known));
        assert_eq!(refusal("quetzalina", &[]), None);
    }

    #[test]
    fn a_few_words_are_a_password() {
        for text in ["correct horse battery", "another horse", "violet anchor pancake", "xK9#mQ2$", "пароль-от-сейфа"] {
            assert_eq!(refusal(text, &[]), None, "{text}");
        }
    }
}
