//! Signed notes (<https://c2sp.org/signed-note>), and checkpoints, which are notes about a tree
//! (<https://c2sp.org/tlog-checkpoint>). `signed_note` and `tlog_tiles` write and read them; `ring` makes and verifies
//! the signatures. No input, no output.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use signed_note::{Note, NoteError, Signature, VerificationError, Verifier, Verifiers, is_key_name_valid, key_id};

use super::tree::Hash;

/// The type byte of Ed25519.
const ED25519_TYPE: u8 = 1;

/// The beginning of a signature's line: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// The beginning of a private key in a file, as Go's `note` writes it.
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// Why a text is not a key, a note, or a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a key.
    #[error("it is not an Ed25519 key of a signed note: <name>+<id>+<base64>")]
    Key,
    /// Not a note.
    #[error("it is not a signed note: text, an empty line, and lines of signatures")]
    Note,
    /// A note that is not about a tree.
    #[error("it is not a checkpoint: origin, size, and root in base64, a line each")]
    Checkpoint,
}

/// Why a signature is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No known key has signed.
    #[error("it is not signed with a known key")]
    UnknownKey,
    /// The signature of a known key does not match the text.
    #[error("the signature of {0} does not match this text")]
    Wrong(String),
}

/// A public key with its name: a *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// The name of the key, which is the origin of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the signature is the one that [`SigningKey::sign`] makes of the text.
    #[must_use]
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        let Ok(signed) = BASE64.decode(signature) else { return false };
        let id = self.key_id().to_be_bytes();
        signed.split_first_chunk().is_some_and(|(found, signature)| *found == id && self.verify(text.as_bytes(), signature))
    }

    /// The public key with its type byte before it.
    fn typed(&self) -> Vec<u8> {
        [&[ED25519_TYPE], self.public.as_slice()].concat()
    }
}

impl Verifier for VerifyingKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &self.typed())
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(text, signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.key_id(), BASE64.encode(self.typed()))
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

/// The name, and the 32 bytes after the type byte. The caller compares the key's id.
fn parse_key(text: &str) -> Result<(String, [u8; 32]), Malformed> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(Malformed::Key) };
    match BASE64.decode(key).map_err(|_| Malformed::Key)?.split_first() {
        Some((&ED25519_TYPE, key)) if is_name(name) => Ok((name.to_owned(), key.try_into().map_err(|_| Malformed::Key)?)),
        _ => Err(Malformed::Key),
    }
}

/// Whether a text may be the name of a key, and so the origin of a log.
#[must_use]
pub fn is_name(name: &str) -> bool {
    is_key_name_valid(name) && name.len() <= 255 && !name.chars().any(char::is_control)
}

/// A private key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// Makes a key from 32 random bytes.
    ///
    /// # Errors
    /// The name is not valid.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Malformed> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Malformed::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Malformed::Key)?;
        if !is_name(name) {
            return Err(Malformed::Key);
        }
        Ok(Self { pair, verifying: VerifyingKey { name: name.to_owned(), public } })
    }

    /// Parses a key file in the form of Go's `note`: `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and the seed>`.
    ///
    /// # Errors
    /// The text is not a key.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.trim().strip_prefix(PRIVATE_PREFIX).ok_or(Malformed::Key)?;
        let (name, seed) = parse_key(text)?;
        let key = Self::from_seed(&name, &seed)?;
        let id = format!("{name}+{:08x}+", key.verifying.key_id());
        if text.starts_with(&id) { Ok(key) } else { Err(Malformed::Key) }
    }

    /// The public key.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Signs a text. Returns the key's id and the signature, in base64.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        BASE64.encode([&self.verifying.key_id().to_be_bytes(), self.pair.sign(text.as_bytes()).as_ref()].concat())
    }

    fn signature(&self, text: &[u8]) -> Result<Signature, NoteError> {
        Signature::new(self.verifying.name.clone(), self.verifying.key_id(), self.pair.sign(text).as_ref().to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying)
    }
}

/// A statement about a tree: of which log, of which size, and with which root hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root hash.
    pub root: Hash,
}

impl Checkpoint {
    /// Signs the checkpoint with each of the keys.
    ///
    /// # Errors
    /// The origin is empty, or has control characters.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, Malformed> {
        let text = tlog_tiles::Checkpoint::new(&self.origin, self.size, self.root, "").map_err(|_| Malformed::Checkpoint)?.to_bytes();
        let signatures = keys.iter().map(|key| key.signature(&text)).collect::<Result<Vec<_>, _>>();
        let note = signatures.and_then(|signatures| Note::new(&text, &signatures)).map_err(|_| Malformed::Note)?;
        String::from_utf8(note.to_bytes()).map_err(|_| Malformed::Note)
    }
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    note: Arc<Note>,
}

impl SignedCheckpoint {
    /// Checks that the signatures of known keys are valid, and that there is at least one. Signatures of other keys are
    /// ignored. Of two signatures with one key, the first counts.
    ///
    /// # Errors
    /// A signature is not valid, or no known key has signed.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<(), Unverified> {
        let known = KnownKeys(keys);
        match self.note.verify(&known) {
            Ok(_) => Ok(()),
            Err(NoteError::InvalidSignature { name, id }) => {
                Err(Unverified::Wrong(known.find(&name, id).map_or(name, VerifyingKey::to_string)))
            }
            Err(_) => Err(Unverified::UnknownKey),
        }
    }
}

/// The known keys. The library's own list refuses a key that is given twice.
struct KnownKeys<'a>(&'a [VerifyingKey]);

impl KnownKeys<'_> {
    fn find(&self, name: &str, id: u32) -> Option<&VerifyingKey> {
        self.0.iter().find(|key| key.name == name && key.key_id() == id)
    }
}

impl Verifiers for KnownKeys<'_> {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        let key = self.find(name, id).ok_or_else(|| VerificationError::UnknownKey { name: name.to_owned(), id })?;
        Ok(key)
    }
}

impl FromStr for SignedCheckpoint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let note = Note::from_bytes(text.as_bytes()).map_err(|_| Malformed::Note)?;
        let said = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|_| Malformed::Checkpoint)?;
        let checkpoint = Checkpoint { origin: said.origin().to_owned(), size: said.size(), root: *said.hash() };
        Ok(Self { checkpoint, note: Arc::new(note) })
    }
}

/// The text between two checkpoints in a file. After an incomplete checkpoint it is written twice more, so that the
/// incomplete one does not include the next.
pub const SEPARATOR: &str = "\n";

/// Splits a text of several checkpoints, such as a file that they are appended to. A part that is not a checkpoint is
/// returned as it is.
pub fn split(text: &str) -> Vec<Result<(String, SignedCheckpoint), String>> {
    let (mut notes, mut note, mut is_signed) = (Vec::new(), String::new(), false);
    for line in text.split_inclusive('\n') {
        let is_signature = line.starts_with(SIGNATURE_PREFIX);
        // A note ends after its signatures, and never contains two empty lines in a row.
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
    use proptest::collection::vec;
    use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::sample::Index;
    use signed_note::{StandardSigner, StandardVerifier, VerifierList};

    use super::*;

    /// Two keys, whose seeds are 32 times the bytes 1 and 2, a head that both have signed, and a signature of
    /// `"text\n"` with the first. They were made before the library `signed_note` was used, and must stay valid.
    const OLD_KEYS: [&str; 2] = [
        "chat.example.org/v1/proof+f7629d01+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "chat.example.org/v1/proof+0b3cc439+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
    ];
    const OLD_HEAD: &str = "chat.example.org/v1/proof
70000
B1kWeg+Y416ALUb/fH0p0sPwOmOiVt62q7/zV6kbY7E=

\u{2014} chat.example.org/v1/proof 92KdAfWkHuVvYteqolZfzTDVW7/ed4CfGI+LXugr9vjxKV8yYLea0GcdCm3Q4Uj6J9hrapRpl2h+hpEIdc1BwDxCOgk=
\u{2014} chat.example.org/v1/proof CzzEOauAh/xknuQtL0S2WmY00Pkd2xlUJgVHV9eY2zXo6og+6amX5H1piW3V9kkNgT6yOv2MXVDNiGTFQmAyzYjhSwk=
";
    const OLD_SIGNATURE: &str = "92KdAXlOYYB7v2Z0P31BmIZJv66GLWfWwFMwNh5SVj5R8P+PawZECG2DZPdOV+RNVE34zZXaETnt/4rYnc8IX9sAjwk=";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed("chat.example.org/v1/proof", &[seed; 32]).expect("a key")
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "chat.example.org/v1/proof".into(), size: 4_711, root: Hash([7; 32]) }
    }

    fn signed(checkpoint: &Checkpoint, seeds: &[u8]) -> String {
        let keys = seeds.iter().map(|seed| key(*seed)).collect::<Vec<_>>();
        checkpoint.sign(&keys.iter().collect::<Vec<_>>()).expect("a note")
    }

    #[test]
    fn old_signatures_are_valid_and_new_ones_are_equal() {
        let keys = OLD_KEYS.map(|key| key.parse::<VerifyingKey>().expect("a key"));
        assert_eq!(keys, [1, 2].map(|seed| key(seed).verifying().clone()));
        let head = OLD_HEAD.parse::<SignedCheckpoint>().expect("a checkpoint");
        for key in &keys {
            assert_eq!(head.verify(std::slice::from_ref(key)), Ok(()));
        }
        assert_eq!(signed(&head.checkpoint, &[1, 2]), OLD_HEAD);
        assert_eq!((head.checkpoint.origin.as_str(), head.checkpoint.size), ("chat.example.org/v1/proof", 70_000));
        assert_eq!(key(1).sign("text\n"), OLD_SIGNATURE);
        assert!(keys[0].has_signed("text\n", OLD_SIGNATURE));
    }

    #[test]
    fn a_signature_is_valid_only_for_its_text_and_its_key() {
        let (key, text) = (key(7), "text\n");
        let signature = key.sign(text);
        assert!(key.verifying().has_signed(text, &signature));
        assert!(!key.verifying().has_signed("texts\n", &signature));
        assert!(!self::key(8).verifying().has_signed(text, &signature));
        assert!(!key.verifying().has_signed(text, "nonsense"));
    }

    #[test]
    fn a_checkpoint_verifies_only_with_its_keys() {
        let note = signed(&checkpoint(), &[1, 2]);
        let signed = note.parse::<SignedCheckpoint>().expect("a checkpoint");
        assert_eq!(signed.checkpoint, checkpoint());
        for keys in [vec![1], vec![2], vec![1, 2, 3]] {
            let keys = keys.into_iter().map(|seed| key(seed).verifying().clone()).collect::<Vec<_>>();
            assert_eq!(signed.verify(&keys), Ok(()));
        }
        assert_eq!(signed.verify(&[key(3).verifying().clone()]), Err(Unverified::UnknownKey));
        let other = note.replace("4711", "4712").parse::<SignedCheckpoint>().expect("a checkpoint");
        assert_eq!(other.verify(&[key(1).verifying().clone()]), Err(Unverified::Wrong(key(1).verifying().to_string())));
        let twice = [key(1).verifying().clone(), key(1).verifying().clone()];
        assert_eq!(signed.verify(&twice), Ok(()), "a key may be given twice");
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
    fn checkpoints_in_one_file_are_split() {
        let (one, two) = (signed(&checkpoint(), &[1]), signed(&Checkpoint { size: 9, ..checkpoint() }, &[1, 2]));
        for text in [format!("{one}{two}"), format!("{one}\n{two}\n"), format!("\n\n{one}\n\n{two}")] {
            let sizes = split(&text).into_iter().map(|found| found.expect("a checkpoint").1.checkpoint.size).collect::<Vec<_>>();
            assert_eq!(sizes, [4_711, 9], "{text:?}");
        }
        assert!(split("").is_empty());
    }

    #[test]
    fn an_incomplete_checkpoint_does_not_include_the_next() {
        let (one, two) = (signed(&checkpoint(), &[1]), signed(&Checkpoint { size: 9, ..checkpoint() }, &[1]));
        for cut in (1..two.len()).filter(|cut| two.is_char_boundary(*cut)) {
            let torn = format!("{}{SEPARATOR}{SEPARATOR}{SEPARATOR}{one}", &two[..cut]);
            let found = split(&torn).into_iter().flatten().map(|found| found.1.checkpoint.size).collect::<Vec<_>>();
            assert_eq!(found.last(), Some(&4_711), "cut at {cut}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_checkpoint_is_refused() {
        let good = signed(&checkpoint(), &[1]);
        for wrong in [
            good.replace("4711", "04711"),
            good.replace("4711", "-1"),
            good.replace("\n\n", "\n"),
            good.replace("\u{2014} ", "- "),
            good.replace("4711", "4711\r"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
            String::new(),
            good.replace("\n\n", "\n\u{7}\n\n"),
            format!("{good}{}", "\u{2014} a AAAAAAA=\n".repeat(100)),
            "x".repeat(1_000_001),
        ] {
            assert!(wrong.parse::<SignedCheckpoint>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(place: Index, byte: u8) {
            let note = signed(&checkpoint(), &[1]);
            let mut bytes = note.clone().into_bytes();
            let at = place.index(bytes.len());
            let was = std::mem::replace(&mut bytes[at], byte);
            let outcome = String::from_utf8(bytes).ok().and_then(|note| note.parse::<SignedCheckpoint>().ok());
            let holds = outcome.is_some_and(|signed| signed.verify(&[key(1).verifying().clone()]).is_ok());
            prop_assert_eq!(holds, was == byte);
        }

        #[test]
        fn a_key_that_the_library_accepts_is_accepted_here(name in odd_name(), id: u32, right: bool, key: [u8; 32], kind in 0..3_u8) {
            let typed = [&[kind], key.as_slice()].concat();
            let id = if right { key_id(&name, &typed) } else { id };
            let text = format!("{name}+{id:08x}+{}", BASE64.encode(typed));
            let (ours, theirs) = (text.parse::<VerifyingKey>(), StandardVerifier::new(&text));
            prop_assert!(theirs.is_err() || ours.is_ok() || !is_name(&name), "{}", text);
            // Not every 32 bytes are a point of the curve. The library checks that here, `ring` at the first signature.
            prop_assert!(ours.is_err() || (kind, id) == (ED25519_TYPE, key_id(&name, &[&[kind], key.as_slice()].concat())), "{}", text);
        }

        #[test]
        fn a_hostile_note_is_refused_or_parsed_unchanged(pieces in vec(piece(), 0..12)) {
            let text = pieces.concat();
            if let Ok(read) = text.parse::<SignedCheckpoint>() {
                prop_assert_eq!(read.note.to_bytes(), text.as_bytes());
            }
            let _ = split(&text);
        }

        #[test]
        fn no_text_makes_the_parsers_fail(text in any::<String>()) {
            let _ = (text.parse::<SignedCheckpoint>(), text.parse::<VerifyingKey>(), SigningKey::parse(&text).is_ok(), split(&text));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn keys_and_signatures_equal_those_of_the_library(name in odd_name(), seed: [u8; 32], size: u64, root: [u8; 32]) {
            let key = SigningKey::from_seed(&name, &seed);
            prop_assert_eq!(key.is_ok(), is_name(&name));
            let Ok(key) = key else { return Ok(()) };
            let vkey = key.verifying().to_string();
            let verifier = StandardVerifier::new(&vkey).expect("a key of the library");
            prop_assert_eq!((Verifier::name(&verifier), verifier.key_id()), (name.as_str(), key.verifying().key_id()));
            let private = format!("{PRIVATE_PREFIX}{name}+{:08x}+{}", verifier.key_id(), BASE64.encode([&[ED25519_TYPE], seed.as_slice()].concat()));
            prop_assert!(SigningKey::parse(&private).expect("a key").verifying() == key.verifying());

            let checkpoint = Checkpoint { origin: name, size, root: Hash(root) };
            let note = checkpoint.sign(&[&key]).expect("a note");
            let read = Note::from_bytes(note.as_bytes()).expect("a note");
            let mut theirs = Note::new(read.text(), &[]).expect("a note");
            theirs.add_sigs(&[&StandardSigner::new(&private).expect("a key of the library")]).expect("a signature");
            prop_assert_eq!(&theirs, &read, "both sign alike");
            prop_assert!(read.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok());
            let read = note.parse::<SignedCheckpoint>().expect("a checkpoint");
            prop_assert_eq!(read.verify(std::slice::from_ref(key.verifying())), Ok(()));
            prop_assert_eq!(read.checkpoint, checkpoint);
        }
    }

    /// Names of all kinds. Most of them are not valid.
    fn odd_name() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[a-z./\u{e9}\u{4e2d}\u{2014}-]{1,40}", "[a+ \n\u{0}\u{7f}\u{a0}]{0,4}", "a{250,260}"]
    }

    /// A part of a note, in its place or elsewhere.
    fn piece() -> impl Strategy<Value = String> {
        let fixed = |text: &str| Just(text.to_owned());
        prop_oneof![
            fixed("chat.example.org/v1/proof\n70000\nB1kWeg+Y416ALUb/fH0p0sPwOmOiVt62q7/zV6kbY7E=\n"),
            fixed("\n"),
            fixed(SIGNATURE_PREFIX),
            fixed("\u{2014} a AAAAAAA=\n"),
            fixed("extension\n"),
            fixed("18446744073709551616\n"),
            any::<u64>().prop_map(|size| format!("{size}\n")),
            any::<[u8; 32]>().prop_map(|root| format!("{}\n", BASE64.encode(root))),
            any::<String>(),
        ]
    }
}
