//! What a word is, for every backend and for highlights: a run of letters and digits. Case does not count. Any other
//! character ends a word, so `foo_bar.rs` is three words, and a search for it is a search for the three in a row.
//!
//! Chinese, Japanese and Korean are written without spaces (Korean attaches particles to words), and only a dictionary
//! can tell where a word ends. So each of their characters is a word of its own. A search for several characters in a
//! row finds exactly the texts that contain them. The longer the search, the fewer texts match, as with words.
//!
//! Names in markup (`<@user>`, `<#channel>`) contain identifiers that nobody types: they are not words.
//!
//! SQL has the same rule, as `search_words` (migrations). A test compares the two, character by character.

/// Characters that are words of their own, as inclusive ranges: Han, kana, bopomofo, hangul.
pub const IDEOGRAPHS: [(char, char); 18] = [
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
    ('\u{4E00}', '\u{9FFF}'),
    ('\u{A960}', '\u{A97F}'),
    ('\u{AC00}', '\u{D7FF}'),
    ('\u{F900}', '\u{FAFF}'),
    ('\u{FF66}', '\u{FFDC}'),
    ('\u{20000}', '\u{3FFFF}'),
];

/// Characters beyond ASCII that separate words, as inclusive ranges: punctuation, symbols, emoji, invisible characters.
pub const SEPARATORS: [(char, char); 27] = [
    ('\u{80}', '\u{A9}'),
    ('\u{AB}', '\u{B4}'),
    ('\u{B6}', '\u{B9}'),
    ('\u{BB}', '\u{BF}'),
    ('\u{D7}', '\u{D7}'),
    ('\u{F7}', '\u{F7}'),
    ('\u{2000}', '\u{2BFF}'),
    ('\u{2E00}', '\u{2E7F}'),
    ('\u{2FE0}', '\u{3004}'),
    ('\u{3008}', '\u{3020}'),
    ('\u{302A}', '\u{3030}'),
    ('\u{3036}', '\u{3037}'),
    ('\u{303D}', '\u{3040}'),
    ('\u{309B}', '\u{309C}'),
    ('\u{30A0}', '\u{30A0}'),
    ('\u{30FB}', '\u{30FB}'),
    ('\u{31C0}', '\u{31EF}'),
    ('\u{4DC0}', '\u{4DFF}'),
    ('\u{E000}', '\u{F8FF}'),
    ('\u{FE00}', '\u{FE6F}'),
    ('\u{FEFF}', '\u{FF0F}'),
    ('\u{FF1A}', '\u{FF20}'),
    ('\u{FF3B}', '\u{FF40}'),
    ('\u{FF5B}', '\u{FF65}'),
    ('\u{FFDD}', '\u{FFFF}'),
    ('\u{1D000}', '\u{1FFFF}'),
    ('\u{E0000}', '\u{10FFFF}'),
];

/// The length of the identifier in a mention, in bytes.
const IDENTIFIER_BYTES: usize = 36;

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word in lower case.
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
    /// It separates words.
    Separator,
}

/// The role of a character.
#[must_use]
pub fn kind(c: char) -> Kind {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() { Kind::Part } else { Kind::Separator };
    }
    let is_in = |ranges: &[(char, char)]| ranges.iter().any(|(from, to)| (*from..=*to).contains(&c));
    match () {
        () if is_in(&IDEOGRAPHS) => Kind::Whole,
        () if is_in(&SEPARATORS) => Kind::Separator,
        () => Kind::Part,
    }
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
        let kind = kind(c);
        if kind == Kind::Part {
            begun.get_or_insert(at);
            continue;
        }
        words.extend(begun.take().map(|from| word(text, from, at)));
        match kind {
            Kind::Whole => words.push(word(text, at, at + c.len_utf8())),
            Kind::Separator => skip_to = at + name_bytes(&text[at..]),
            Kind::Part => {}
        }
    }
    words.extend(begun.map(|from| word(text, from, text.len())));
    words
}

/// The words of a text in lower case, without their places.
#[must_use]
pub fn folded(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.folded).collect()
}

/// The words of a text in lower case, separated by single spaces. A backend can index it by splitting at spaces alone.
#[must_use]
pub fn normalised(text: &str) -> String {
    folded(text).join(" ")
}

fn word(text: &str, from: usize, to: usize) -> Word {
    Word { folded: text[from..to].to_lowercase(), from, to }
}

/// The length in bytes of a name in markup at this place: `<@` or `<#` and an identifier. 0 if there is none.
fn name_bytes(text: &str) -> usize {
    let identifier = text.strip_prefix("<@").or_else(|| text.strip_prefix("<#")).and_then(|rest| rest.as_bytes().get(..IDENTIFIER_BYTES));
    let is_identifier = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if identifier.is_some_and(is_identifier) { 2 + IDENTIFIER_BYTES } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(folded("Don't PANIC, foo_bar.rs v1.2 (é!)"), ["don", "t", "panic", "foo", "bar", "rs", "v1", "2", "é"]);
        assert_eq!(folded(" \t—…🎉 "), [""; 0]);
        let text = "Älter & älter";
        assert_eq!(words(text).iter().map(|w| &text[w.from..w.to]).collect::<Vec<_>>(), ["Älter", "älter"]);
    }

    #[test]
    fn characters_of_scripts_without_spaces_are_words_of_their_own() {
        assert_eq!(folded("全文検索ok、テスト。한국어"), ["全", "文", "検", "索", "ok", "テ", "ス", "ト", "한", "국", "어"]);
    }

    #[test]
    fn names_in_markup_are_not_words_but_their_labels_are() {
        let id = "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b";
        assert_eq!(
            folded(&format!("hi <@{id}>, see <#{id}|general> <!here> <@ann> <https://example.org/a|here>")),
            ["hi", "see", "general", "here", "ann", "https", "example", "org", "a", "here"]
        );
    }

    #[test]
    fn no_range_overlaps_another_and_each_is_in_order() {
        let mut ranges = IDEOGRAPHS.into_iter().chain(SEPARATORS).collect::<Vec<_>>();
        ranges.sort_unstable();
        assert!(ranges.iter().all(|(from, to)| from <= to));
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
