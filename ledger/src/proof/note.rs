//! Signed notes (<https://c2sp.org/signed-note>), and checkpoints, which are notes about a tree (<https://c2sp.org/tlog-checkpoint>). No input, no
//! output.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::tree::Hash;

/// The byte that stands for Ed25519.
const ED25519_TYPE: u8 = 1;

/// What a signature's line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// What a private key in a file begins with, as Go's `note` writes it.
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// The most bytes of a note that is read.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// What is no key, no note, or no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A key.
    #[error("it is no Ed25519 key of a signed note: <name>+<id>+<base64>")]
    Key,
    /// A note.
    #[error("it is no signed note: text, an empty line, and lines of signatures")]
    Note,
    /// A note that says nothing about a tree.
    #[error("it is no checkpoint: origin, size, and root in base64, a line each")]
    Checkpoint,
}

/// A signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No key that is known has signed.
    #[error("it is not signed with a key that is known")]
    UnknownKey,
    /// The signature of a key that is known is not of this text.
    #[error("the signature of {0} is not of this text")]
    Wrong(String),
}

/// A public key with its name: a *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// The name of whoever signs with it: the origin of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name || 0x0A || 0x01 || public key).
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let named = [self.name.as_bytes(), &[b'\n', ED25519_TYPE], &self.public].concat();
        let mut id = [0; 4];
        id.copy_from_slice(&digest(&SHA256, &named).as_ref()[..4]);
        id
    }

    /// Whether that is what [`SigningKey::sign`] has made of the text.
    #[must_use]
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        let Ok(signed) = BASE64.decode(signature) else { return false };
        signed.split_first_chunk::<4>().is_some_and(|(id, signature)| *id == self.id() && self.verifies(text, signature))
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[ED25519_TYPE], self.public.as_slice()].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl FromStr for VerifyingKey {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (name, public) = parse_key(text)?;
        let key = Self { name, public };
        if key.to_string() == text { Ok(key) } else { Err(Malformed::Key) }
    }
}

/// The name, and the 32 bytes behind the type. The key's id is for the caller to compare.
fn parse_key(text: &str) -> Result<(String, [u8; 32]), Malformed> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(Malformed::Key) };
    match BASE64.decode(key).map_err(|_| Malformed::Key)?.split_first() {
        Some((&ED25519_TYPE, key)) if is_name(name) => Ok((name.to_owned(), key.try_into().map_err(|_| Malformed::Key)?)),
        _ => Err(Malformed::Key),
    }
}

/// Whether that can be the name of a key, and with that the origin of a log.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A private key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// The key that comes of 32 random bytes.
    ///
    /// # Errors
    /// The name can be none.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Malformed> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Malformed::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Malformed::Key)?;
        if !is_name(name) {
            return Err(Malformed::Key);
        }
        Ok(Self { pair, verifying: VerifyingKey { name: name.to_owned(), public } })
    }

    /// Reads a key as Go's `note` writes it into a file: `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and the seed>`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.trim().strip_prefix(PRIVATE_PREFIX).ok_or(Malformed::Key)?;
        let (name, seed) = parse_key(text)?;
        let key = Self::from_seed(&name, &seed)?;
        let id = format!("{name}+{:08x}+", u32::from_be_bytes(key.verifying.id()));
        if text.starts_with(&id) { Ok(key) } else { Err(Malformed::Key) }
    }

    /// The public key.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The signature of a text, with the key's id before it, in base64.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        BASE64.encode([&self.verifying.id(), self.pair.sign(text.as_bytes()).as_ref()].concat())
    }

    fn line(&self, text: &str) -> String {
        format!("{SIGNATURE_PREFIX}{} {}\n", self.verifying.name, self.sign(text))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying)
    }
}

/// What is said about a tree: of which log, how large, and with which hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// The hash over all of it.
    pub root: Hash,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// Signs it with each of the keys.
    #[must_use]
    pub fn sign(&self, keys: &[&SigningKey]) -> String {
        let text = self.text();
        let lines = keys.iter().map(|key| key.line(&text)).collect::<String>();
        format!("{text}\n{lines}")
    }
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    text: String,
    signatures: Vec<Signature>,
}

/// A line below a note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl SignedCheckpoint {
    /// Whether every signature of a key that is known holds, and there is one. Signatures of other keys count for nothing.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<(), Unverified> {
        let mut is_signed = false;
        for signature in &self.signatures {
            let of_key = keys.iter().filter(|key| key.name == signature.name && key.id() == signature.id);
            for key in of_key {
                if !key.verifies(&self.text, &signature.bytes) {
                    return Err(Unverified::Wrong(key.to_string()));
                }
                is_signed = true;
            }
        }
        if is_signed { Ok(()) } else { Err(Unverified::UnknownKey) }
    }
}

impl FromStr for SignedCheckpoint {
    type Err = Malformed;

    fn from_str(note: &str) -> Result<Self, Malformed> {
        if note.len() > NOTE_BYTES_MAX || note.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(Malformed::Note);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(Malformed::Note)?;
        let lines = lines.strip_suffix('\n').ok_or(Malformed::Note)?;
        let signatures = lines.split('\n').map(parse_signature).collect::<Option<Vec<_>>>().ok_or(Malformed::Note)?;
        let text = format!("{text}\n");
        Ok(Self { checkpoint: parse_text(&text).ok_or(Malformed::Checkpoint)?, text, signatures })
    }
}

fn parse_signature(line: &str) -> Option<Signature> {
    let (name, signed) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let signed = BASE64.decode(signed).ok()?;
    let (id, bytes) = signed.split_first_chunk::<4>()?;
    (is_name(name) && !bytes.is_empty()).then(|| Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
}

/// The first three lines. What may follow them is opaque.
fn parse_text(text: &str) -> Option<Checkpoint> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, written, root) = (lines.next()?, lines.next()?, lines.next()?);
    let size = written.parse::<u64>().ok().filter(|size| size.to_string() == written)?;
    let root = BASE64.decode(root).ok()?.try_into().ok()?;
    let is_fine = !origin.is_empty() && lines.all(|line| !line.is_empty());
    is_fine.then(|| Checkpoint { origin: origin.to_owned(), size, root })
}

/// What stands between two checkpoints in a file; after a broken end, twice more, so that what was broken off swallows nothing.
pub const SEPARATOR: &str = "\n";

/// Takes the checkpoints of a text apart that has several, one after the other, such as a file that they are appended to. What is none of them is
/// given out as it is.
pub fn split(text: &str) -> Vec<Result<(String, SignedCheckpoint), String>> {
    let (mut notes, mut note, mut is_signed) = (Vec::new(), String::new(), false);
    for line in text.split_inclusive('\n') {
        let is_signature = line.starts_with(SIGNATURE_PREFIX);
        // Behind its signatures a note ends; and none has two empty lines, one behind the other.
        if is_signed && !is_signature || line == "\n" && note.ends_with("\n\n") {
            notes.push(std::mem::take(&mut note));
            is_signed = false;
        }
        if !note.is_empty() || line != "\n" {
            note.push_str(line);
        }
        is_signed |= is_signature;
    }
    notes.push(note);
    let parsed = |note: String| match note.parse() {
        Ok(checkpoint) => Ok((note, checkpoint)),
        Err(Malformed::Key | Malformed::Note | Malformed::Checkpoint) => Err(note),
    };
    notes.into_iter().filter(|note| !note.is_empty()).map(parsed).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use proptest::sample::Index;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed("chat.example.org/v1/proof", &[seed; 32]).expect("a key")
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "chat.example.org/v1/proof".into(), size: 4_711, root: [7; 32] }
    }

    #[test]
    fn a_signature_holds_for_its_text_and_its_key_alone() {
        let (key, text) = (key(7), "text\n");
        let signature = key.sign(text);
        assert!(key.verifying().has_signed(text, &signature));
        assert!(!key.verifying().has_signed("texts\n", &signature));
        assert!(!self::key(8).verifying().has_signed(text, &signature));
        assert!(!key.verifying().has_signed(text, "nonsense"));
    }

    #[test]
    fn a_checkpoint_verifies_with_its_keys_and_with_no_other() {
        let note = checkpoint().sign(&[&key(1), &key(2)]);
        let signed = note.parse::<SignedCheckpoint>().expect("a checkpoint");
        assert_eq!(signed.checkpoint, checkpoint());
        for keys in [vec![1], vec![2], vec![1, 2, 3]] {
            let keys = keys.into_iter().map(|seed| key(seed).verifying().clone()).collect::<Vec<_>>();
            assert_eq!(signed.verify(&keys), Ok(()));
        }
        assert_eq!(signed.verify(&[key(3).verifying().clone()]), Err(Unverified::UnknownKey));
        let other = note.replace("4711", "4712").parse::<SignedCheckpoint>().expect("a checkpoint");
        assert!(matches!(other.verify(&[key(1).verifying().clone()]), Err(Unverified::Wrong(_))));
    }

    #[test]
    fn the_published_example_of_a_signed_note_has_the_id_of_its_key() {
        // The key of Go's documentation of golang.org/x/mod/sumdb/note.
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(vkey.parse::<VerifyingKey>().map(|key| key.to_string()), Ok(vkey.to_owned()));
        let skey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        assert_eq!(SigningKey::parse(skey).map(|key| key.verifying().to_string()), Ok(vkey.to_owned()));
        for wrong in [vkey.replace("c74f20a3", "c74f20a4"), vkey.replace("+AR", "+AQ"), "PeterNeumann".into(), String::new()] {
            assert_eq!(wrong.parse::<VerifyingKey>(), Err(Malformed::Key), "{wrong}");
        }
    }

    #[test]
    fn checkpoints_in_one_file_are_taken_apart() {
        let (one, two) = (checkpoint().sign(&[&key(1)]), Checkpoint { size: 9, ..checkpoint() }.sign(&[&key(1), &key(2)]));
        for text in [format!("{one}{two}"), format!("{one}\n{two}\n"), format!("\n\n{one}\n\n{two}")] {
            let sizes = split(&text).into_iter().map(|found| found.expect("a checkpoint").1.checkpoint.size).collect::<Vec<_>>();
            assert_eq!(sizes, [4_711, 9], "{text:?}");
        }
        assert!(split("").is_empty());
    }

    #[test]
    fn a_checkpoint_that_was_broken_off_swallows_none_behind_it() {
        let (one, two) = (checkpoint().sign(&[&key(1)]), Checkpoint { size: 9, ..checkpoint() }.sign(&[&key(1)]));
        for cut in (1..two.len()).filter(|cut| two.is_char_boundary(*cut)) {
            let torn = format!("{}{SEPARATOR}{SEPARATOR}{SEPARATOR}{one}", &two[..cut]);
            let found = split(&torn).into_iter().flatten().map(|found| found.1.checkpoint.size).collect::<Vec<_>>();
            assert_eq!(found.last(), Some(&4_711), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let good = checkpoint().sign(&[&key(1)]);
        for wrong in [
            good.replace("4711", "04711"),
            good.replace("4711", "-1"),
            good.replace("\n\n", "\n"),
            good.replace("\u{2014} ", "- "),
            good.replace("4711", "4711\r"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
            String::new(),
            "x".repeat(NOTE_BYTES_MAX + 1),
        ] {
            assert!(wrong.parse::<SignedCheckpoint>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_found_out(place: Index, byte: u8) {
            let note = checkpoint().sign(&[&key(1)]);
            let mut bytes = note.clone().into_bytes();
            let at = place.index(bytes.len());
            let was = std::mem::replace(&mut bytes[at], byte);
            let outcome = String::from_utf8(bytes).ok().and_then(|note| note.parse::<SignedCheckpoint>().ok());
            let holds = outcome.is_some_and(|signed| signed.verify(&[key(1).verifying().clone()]).is_ok());
            prop_assert_eq!(holds, was == byte);
        }

        #[test]
        fn no_text_makes_the_parsers_fail(text in any::<String>()) {
            let _ = (text.parse::<SignedCheckpoint>(), text.parse::<VerifyingKey>(), SigningKey::parse(&text).is_ok(), split(&text));
        }
    }
}
