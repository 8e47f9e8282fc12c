//! The words of a text, for every backend, for highlights, and for the names of people, channels and files.
//!
//! A word is a run of letters, digits and their combining marks. Any other character ends a word, so `foo_bar.rs` is
//! three words, and a search for it is a search for the three in a row. Two kinds of text have no spaces between words,
//! and only a dictionary could split them: there, each character is a word, with its combining marks. These are the
//! scripts of East Asia (Han, kana, hangul) and of South-East Asia (Thai, Lao, Khmer, Burmese and others with the line
//! breaking class SA of <https://www.unicode.org/reports/tr14/>). A search for several characters in a row finds exactly
//! the texts that contain them. An emoji is a word too.
//!
//! A word has three forms:
//!
//! 1. **folded** ([`Word::folded`]): full case folding and NFC (The Unicode Standard, D145), without invisible
//!    characters and variation selectors. Quoted phrases compare this form.
//! 2. **plain** ([`plain`]): without accents, vowel points and skin tones, and with compatible characters as one (`ﬁ`,
//!    full-width letters). Beginnings of words compare this form.
//! 3. **stem** ([`stem`]): the stem of the plain form, by Snowball's English. Words without quotes compare this form.
//!
//! If two words have the same folded form, they have the same plain form, and so on. So the very word that was written
//! is found in every way.
//!
//! Names in markup (`<@user>`, `<#channel>`) contain identifiers that nobody types: they are not words.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, Emoji, GeneralCategory, GeneralCategoryGroup, LineBreak};
use icu_properties::{CodePointMapData, CodePointSetData};
use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

/// Characters of East Asia that are words of their own, as inclusive ranges: Han, kana, bopomofo, hangul, Yi.
const IDEOGRAPHS: [(char, char); 19] = [
    ('\u{1100}', '\u{11FF}'),
    ('\u{2E80}', '\u{2FDF}'),
    ('\u{3005}', '\u{3007}'),
    ('\u{3021}', '\u{3029}'),
    ('\u{3031}', '\u{3035}'),
    ('\u{3038}', '\u{303C}'),
    ('\u{3041}', '\u{309A}'),
    ('\u{309D}', '\u{309F}'),
    ('\u{30A1}', '\u{30FA}'),
    ('\u{30FC}', '\u{31BF}'),
    ('\u{31F0}', '\u{31FF}'),
    ('\u{3400}', '\u{4DBF}'),
    ('\u{4E00}', '\u{A4CF}'),
    ('\u{A960}', '\u{A97F}'),
    ('\u{AC00}', '\u{D7FF}'),
    ('\u{F900}', '\u{FAFF}'),
    ('\u{FF66}', '\u{FFDC}'),
    ('\u{1B000}', '\u{1B16F}'),
    ('\u{20000}', '\u{3FFFF}'),
];

/// Marks that the plain form leaves out: accents, the points of Hebrew and Arabic, and Arabic's tatweel. Marks of other
/// scripts are letters in all but name.
const ACCENTS: [(char, char); 20] = [
    ('\u{300}', '\u{36F}'),
    ('\u{483}', '\u{487}'),
    ('\u{591}', '\u{5BD}'),
    ('\u{5BF}', '\u{5BF}'),
    ('\u{5C1}', '\u{5C2}'),
    ('\u{5C4}', '\u{5C5}'),
    ('\u{5C7}', '\u{5C7}'),
    ('\u{610}', '\u{61A}'),
    ('\u{640}', '\u{640}'),
    ('\u{64B}', '\u{65F}'),
    ('\u{670}', '\u{670}'),
    ('\u{6D6}', '\u{6DC}'),
    ('\u{6DF}', '\u{6E4}'),
    ('\u{6E7}', '\u{6E8}'),
    ('\u{6EA}', '\u{6ED}'),
    ('\u{8D3}', '\u{8FF}'),
    ('\u{1AB0}', '\u{1AFF}'),
    ('\u{1DC0}', '\u{1DFF}'),
    ('\u{20D0}', '\u{20FF}'),
    ('\u{FE20}', '\u{FE2F}'),
];

/// Letters that people type without their stroke, although Unicode does not decompose them.
const STROKES: [(char, &str); 11] = [
    ('ß', "ss"),
    ('æ', "ae"),
    ('ð', "d"),
    ('ø', "o"),
    ('þ', "th"),
    ('đ', "d"),
    ('ħ', "h"),
    ('ı', "i"),
    ('ł', "l"),
    ('œ', "oe"),
    ('ŧ', "t"),
];

/// Characters that are their own folded and plain form, however they are normalised, as inclusive ranges. Most texts in
/// Chinese, Japanese and Korean consist of them.
const UNCHANGING: [(char, char); 4] =
    [('\u{3041}', '\u{3096}'), ('\u{30A1}', '\u{30FA}'), ('\u{4E00}', '\u{9FFF}'), ('\u{AC00}', '\u{D7A3}')];

/// The tones of skin.
const SKIN_TONES: (char, char) = ('\u{1F3FB}', '\u{1F3FF}');
/// The letters of flags of regions. They are invisible, and distinguish England from Scotland.
const TAGS: (char, char) = ('\u{E0020}', '\u{E007F}');

/// The plain form may be this much longer than the folded one. A few characters stand for whole phrases, and a text of
/// them would not fit into an index.
const PLAIN_BYTES_MORE: usize = 16;

/// How many stems each thread remembers. A text has mostly common words, and a stem takes longer than the rest.
const STEMS_MAX: usize = 8_192;
/// The longest word whose stem is remembered, in bytes.
const STEMMED_BYTES_MAX: usize = 24;

/// The length of the identifier in a mention, in bytes.
const IDENTIFIER_BYTES: usize = 36;

thread_local! {
    /// The stems of words. `None` if a word is its own stem.
    static STEMS: RefCell<HashMap<String, Option<String>>> = RefCell::default();
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The folded form.
    pub folded: String,
    /// Its first byte in the text.
    pub from: usize,
    /// The byte after its last.
    pub to: usize,
}

/// The role of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is part of a word.
    Part,
    /// It is a word of its own.
    Whole,
    /// It belongs to the character before it: a combining mark, or an invisible character.
    Extension,
    /// It separates words.
    Separator,
}

/// The role of a character.
#[must_use]
pub fn kind(c: char) -> Kind {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() { Kind::Part } else { Kind::Separator };
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    if GeneralCategoryGroup::Mark.contains(category) {
        return Kind::Extension;
    }
    if category == GeneralCategory::Format {
        return if c == '\u{200B}' { Kind::Separator } else { Kind::Extension };
    }
    if is_in(&IDEOGRAPHS, c) {
        return Kind::Whole;
    }
    // Characters that a later version of Unicode assigns are probably letters.
    let letters = GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Number);
    if letters.contains(category) || category == GeneralCategory::Unassigned {
        let is_complex = CodePointMapData::<LineBreak>::new().get(c) == LineBreak::ComplexContext;
        return if is_complex { Kind::Whole } else { Kind::Part };
    }
    if CodePointSetData::new::<Emoji>().contains(c) { Kind::Whole } else { Kind::Separator }
}

/// The words of a text, in order.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut begun = None;
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at < skip_to {
            continue;
        }
        match kind(c) {
            Kind::Part => {
                begun.get_or_insert(at);
            }
            // After a separator there is nothing to extend.
            Kind::Extension => {}
            Kind::Whole => {
                words.extend(begun.take().and_then(|from| word(text, from, at)));
                skip_to = at + character_bytes(&text[at..]);
                words.extend(word(text, at, skip_to));
            }
            Kind::Separator => {
                words.extend(begun.take().and_then(|from| word(text, from, at)));
                skip_to = at + name_bytes(&text[at..]);
            }
        }
    }
    words.extend(begun.and_then(|from| word(text, from, text.len())));
    words
}

/// The folded words of a text, without their places.
#[must_use]
pub fn folded(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.folded).collect()
}

/// The folded words of a text, separated by single spaces.
#[must_use]
pub fn normalised(text: &str) -> String {
    folded(text).join(" ")
}

/// The plain form of a folded word.
#[must_use]
pub fn plain(folded: &str) -> Cow<'_, str> {
    if folded.is_ascii() || is_unchanging(folded) {
        return Cow::Borrowed(folded);
    }
    let mut plain = String::with_capacity(folded.len());
    for c in DecomposingNormalizerBorrowed::new_nfkd().normalize(folded).chars() {
        let is_left_out = is_in(&ACCENTS, c) || is_in(&[SKIN_TONES], c) || kind(c) == Kind::Separator;
        match STROKES.iter().find(|(stroked, _)| *stroked == c) {
            _ if is_left_out => {}
            Some((_, letters)) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    let plain = fold(&plain);
    let fits = !plain.is_empty() && plain.len() <= 2 * folded.len() + PLAIN_BYTES_MORE;
    if fits { Cow::Owned(plain) } else { Cow::Borrowed(folded) }
}

/// The stem of a plain word. A word with a digit or with a letter outside the English alphabet is its own stem.
#[must_use]
pub fn stem(plain: &str) -> Cow<'_, str> {
    if !plain.bytes().all(|b| b.is_ascii_lowercase()) {
        return Cow::Borrowed(plain);
    }
    STEMS.with_borrow_mut(|stems| match stems.get(plain) {
        Some(None) => Cow::Borrowed(plain),
        Some(Some(known)) => Cow::Owned(known.clone()),
        None => {
            let stem = Stemmer::create(Algorithm::English).stem(plain);
            let stem = if stem.is_empty() || stem == plain { None } else { Some(stem.into_owned()) };
            if stems.len() >= STEMS_MAX {
                stems.clear();
            }
            if plain.len() <= STEMMED_BYTES_MAX {
                stems.insert(plain.to_owned(), stem.clone());
            }
            stem.map_or(Cow::Borrowed(plain), Cow::Owned)
        }
    })
}

/// The stem of a folded word.
#[must_use]
pub fn stem_of(folded: &str) -> String {
    stem(&plain(folded)).into_owned()
}

/// The name of a person or a channel as names are compared: in NFC, without case.
pub(crate) fn name(name: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(name).to_lowercase()
}

/// The name of a person as it may be stored: in NFC and in NFD, without case.
pub(crate) fn stored_names(name: &str) -> [String; 2] {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(name).to_lowercase();
    [self::name(name), decomposed]
}

/// An emoji without variation selectors: `❤` and `❤️` are one.
pub(crate) fn emoji(emoji: &str) -> String {
    emoji.chars().filter(|c| !matches!(c, '\u{FE0E}' | '\u{FE0F}')).collect()
}

/// The names that an emoji is found by: without variation selectors, and without a tone of skin.
pub(crate) fn emoji_names(emoji: &str) -> Vec<String> {
    let exact = self::emoji(emoji);
    let toneless = exact.split("::skin-tone-").next().unwrap_or_default();
    let toneless = toneless.chars().filter(|c| !is_in(&[SKIN_TONES], *c)).collect::<String>();
    if toneless.is_empty() || toneless == exact { vec![exact] } else { vec![exact, toneless] }
}

/// The word between these bytes. `None` if nothing of it is visible.
fn word(text: &str, from: usize, to: usize) -> Option<Word> {
    let folded = folded_word(&text[from..to]);
    (!folded.is_empty()).then_some(Word { folded, from, to })
}

fn folded_word(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    if is_unchanging(text) {
        return text.to_owned();
    }
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let visible = |c: &char| !ignorable.contains(*c) || is_in(&[TAGS], *c);
    if text.chars().all(|c| visible(&c)) { fold(text) } else { fold(&text.chars().filter(visible).collect::<String>()) }
}

/// Canonical caseless matching (The Unicode Standard, D145), composed.
fn fold(text: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    let folded = CaseMapper::new().fold_string(&decomposed);
    ComposingNormalizerBorrowed::new_nfc().normalize(&folded).into_owned()
}

/// Whether the word is one character that no form changes.
fn is_unchanging(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| is_in(&UNCHANGING, c)) && chars.next().is_none()
}

/// The length in bytes of the first character with everything that belongs to it.
fn character_bytes(text: &str) -> usize {
    let cluster = text.graphemes(true).next().map_or(0, str::len);
    let more = text[cluster..].chars().take_while(|c| kind(*c) == Kind::Extension).map(char::len_utf8);
    cluster + more.sum::<usize>()
}

fn is_in(ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&c))
}

/// The length in bytes of a name in markup at this place: `<@` or `<#` and an identifier. 0 if there is none.
fn name_bytes(text: &str) -> usize {
    let identifier = text.strip_prefix("<@").or_else(|| text.strip_prefix("<#")).and_then(|rest| rest.as_bytes().get(..IDENTIFIER_BYTES));
    let is_identifier = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if identifier.is_some_and(is_identifier) { 2 + IDENTIFIER_BYTES } else { 0 }
}

#[cfg(test)]
mod tests;
