//! One password for all ways of typing it: the profile `OpaqueString` of PRECIS (RFC 8265). Not here: hashes, lengths,
//! and how easily a password is guessed (`identity/src/password.rs`).

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::characters::nfc;
use super::lines;

/// How many times as many characters a text may have in its longest normal form.
pub const DECOMPOSED_MAX: usize = 4;

/// The form in which a password is hashed: normal form C, with plain spaces. White space counts.
#[must_use]
pub fn opaque(password: &str) -> String {
    let spaced = password.chars().map(|c| if lines::is_space(c) { ' ' } else { c }).collect::<String>();
    nfc(&spaced).into_owned()
}

/// Whether every character can be typed again: it is no control character, and not invisible.
pub fn is_typed(password: &str) -> bool {
    let chars = password.chars().collect::<Vec<_>>();
    (0..chars.len()).all(|at| lines::is_allowed(&chars, at))
}

/// The texts whose hash may be stored for this password, the likeliest first. Releases before PRECIS hashed what a
/// keyboard had sent, composed or decomposed.
#[must_use]
pub fn spellings(password: &str) -> Vec<String> {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(password).into_owned();
    let mut spellings = vec![opaque(password)];
    for other in [password.to_owned(), nfc(password).into_owned(), decomposed] {
        if !spellings.contains(&other) {
            spellings.push(other);
        }
    }
    spellings
}
