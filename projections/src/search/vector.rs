//! What a search in Postgres finds a message by: a `tsvector` with its words and its marks
//! (<https://www.postgresql.org/docs/current/datatype-textsearch.html>), made here and stored as it is.
//!
//! Each word has its three forms ([`super::words`]) at the same position. The weight says which forms a lexeme is:
//!
//! | lexeme | weight | the word's |
//! |---|---|---|
//! | `word` | C | folded, plain form and stem: most words |
//! | `word` | D | plain form and stem |
//! | `word` | A | stem alone |
//! | `"word` | B | folded form, if the stem differs |
//! | `"word` | D | plain form, if both others differ |
//!
//! A mark (`#pinned`) says something else about the message, and begins as no word can.
//!
//! A `tsvector` is not exact for a long text: it keeps 255 positions of a lexeme, none beyond 16,383, and no lexeme over
//! 2,046 bytes. Such a message has the mark [`LONG`], and its words are stored as text ([`Indexed::long_words`]), in
//! which a search looks for what the vector cannot show.

use std::borrow::Cow;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

use super::Text;
use super::words::{self, Word};

/// The mark of a message whose vector is not exact.
pub(crate) const LONG: &str = "#long";

/// The longest lexeme, in bytes. A longer word is cut. Postgres allows 2,046.
const LEXEME_BYTES_MAX: usize = 2_000;
/// The last position that a `tsvector` keeps.
const POSITION_MAX: u16 = 16_383;
/// The most positions of one lexeme that a `tsvector` keeps.
const POSITIONS_MAX: usize = 255;

/// The types `tsvector` and `tsvector[]`.
const TSVECTOR: (Oid, Oid) = (Oid(3614), Oid(3643));

/// A `tsvector` in its binary form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchVector(Vec<u8>);

/// What a message is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// The vector.
    pub(crate) vector: SearchVector,
    /// The words of a long text in all forms: folded between spaces, stems between slashes, and plain between bars.
    pub(crate) long_words: Option<String>,
}

/// The form of a word that a lexeme is. The values are Postgres' weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Plain = 0,
    All = 1,
    Folded = 2,
    Stem = 3,
}

/// A lexeme at a position. The position 0 means that it has none.
struct Entry<'a> {
    lexeme: Cow<'a, str>,
    position: u16,
    form: Form,
}

/// Makes the vector of a message with this text and these marks.
pub(crate) fn index(text: &str, marks: &[String]) -> Indexed {
    let words = words::words(text);
    let mut entries = Vec::with_capacity(2 * words.len() + marks.len() + 1);
    for (number, word) in (1..).zip(&words) {
        add(&mut entries, &word.folded, u16::try_from(number).ok().filter(|number| *number <= POSITION_MAX).unwrap_or(0));
    }
    // A stable sort: the positions of a lexeme stay in order.
    entries.sort_by(|a, b| a.lexeme.cmp(&b.lexeme));
    let is_long = entries.iter().any(|entry| entry.position == 0 || entry.lexeme.len() == LEXEME_BYTES_MAX)
        || entries.windows(POSITIONS_MAX + 1).any(|some| some[0].lexeme == some[POSITIONS_MAX].lexeme);
    entries.extend(marks.iter().map(|mark| Entry { lexeme: cut(Cow::Borrowed(mark)), position: 0, form: Form::Plain }));
    if is_long {
        entries.push(Entry { lexeme: Cow::Borrowed(LONG), position: 0, form: Form::Plain });
    }
    entries.sort_by(|a, b| a.lexeme.cmp(&b.lexeme));
    Indexed { vector: SearchVector(encoded(&entries)), long_words: is_long.then(|| long_words(&words)) }
}

/// Adds the forms of a word.
fn add<'a>(entries: &mut Vec<Entry<'a>>, folded: &'a str, position: u16) {
    let plain = words::plain(folded);
    let stem = match &plain {
        &Cow::Borrowed(plain) => words::stem(plain),
        Cow::Owned(plain) => Cow::Owned(words::stem(plain).into_owned()),
    };
    let mut push = |lexeme, form| entries.push(Entry { lexeme: cut(lexeme), position, form });
    if stem == folded {
        return push(stem, Form::All);
    }
    push(Cow::Owned(distinct(folded)), Form::Folded);
    let is_stem = plain == stem;
    if !is_stem && plain != folded {
        push(Cow::Owned(distinct(&plain)), Form::Plain);
    }
    push(stem, if is_stem { Form::Plain } else { Form::Stem });
}

/// The lexeme of a form that is not the stem.
fn distinct(word: &str) -> String {
    format!("\"{word}")
}

/// Cuts a lexeme that is too long to exactly the most bytes that are kept, so that it can be recognised: a character
/// that does not fit is filled up.
fn cut(lexeme: Cow<'_, str>) -> Cow<'_, str> {
    if lexeme.len() < LEXEME_BYTES_MAX {
        return lexeme;
    }
    let mut short = lexeme[..lexeme.floor_char_boundary(LEXEME_BYTES_MAX)].to_owned();
    short.extend(std::iter::repeat_n('.', LEXEME_BYTES_MAX - short.len()));
    Cow::Owned(short)
}

/// The binary form (`tsvectorsend` in `src/backend/utils/adt/tsvector.c` of Postgres): the number of lexemes, and each
/// with a zero byte, the number of its positions, and these with the weight in the highest two bits.
fn encoded(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    let mut lexemes = 0_i32;
    for same in entries.chunk_by(|a, b| a.lexeme == b.lexeme) {
        lexemes += 1;
        bytes.extend_from_slice(same[0].lexeme.as_bytes());
        bytes.push(0);
        let count_at = bytes.len();
        bytes.extend_from_slice(&[0, 0]);
        let (mut last, mut count) = (0, 0_u16);
        for entry in same.iter().filter(|entry| entry.position > 0) {
            // Two forms of a word that are cut may be equal.
            if entry.position > last && usize::from(count) < POSITIONS_MAX {
                last = entry.position;
                count += 1;
                bytes.extend_from_slice(&((entry.form as u16) << 14 | entry.position).to_be_bytes());
            }
        }
        bytes[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
    }
    bytes[..4].copy_from_slice(&lexemes.to_be_bytes());
    bytes
}

fn long_words(words: &[Word]) -> String {
    let mut text = String::from(" ");
    for word in words {
        text.extend([&word.folded, " "]);
    }
    text.push_str("\n/");
    for word in words {
        text.extend([&words::stem_of(&word.folded), "/"]);
    }
    text.push_str("\n|");
    for word in words {
        text.extend([&words::plain(&word.folded), "|"]);
    }
    text
}

/// The part of [`Indexed::long_words`] that a text must have to match.
pub(crate) fn part_of_long_words(sought: &Text) -> String {
    match sought {
        Text::Words(words) => format!("/{}/", words.iter().map(|word| words::stem_of(word)).collect::<Vec<_>>().join("/")),
        Text::Exact(words) => format!(" {} ", words.join(" ")),
        Text::Prefix(words) => format!("|{}", words.iter().map(|word| words::plain(word)).collect::<Vec<_>>().join("|")),
    }
}

/// A condition on the forms of one word, as a part of a `tsquery`: exact for short texts, and for long ones without
/// positions.
pub(crate) struct Condition {
    /// For texts whose vector is exact.
    pub(crate) exact: String,
    /// For long texts: the lexeme alone.
    pub(crate) loose: String,
}

/// The words with this word's stem.
pub(crate) fn with_stem_of(folded: &str) -> Condition {
    let stem = quoted(&cut(Cow::Owned(words::stem_of(folded))));
    Condition { loose: stem.clone(), exact: stem }
}

/// This very word.
pub(crate) fn exactly(folded: &str) -> Condition {
    let is_stem = words::stem_of(folded) == folded;
    let lexeme = if is_stem { Cow::Borrowed(folded) } else { Cow::Owned(distinct(folded)) };
    let loose = quoted(&cut(lexeme));
    Condition { exact: format!("{loose}:{}", if is_stem { "C" } else { "B" }), loose }
}

/// The words with this word's plain form.
pub(crate) fn with_plain_form_of(folded: &str) -> Condition {
    let plain = words::plain(folded);
    if words::stem(&plain) == plain {
        let loose = quoted(&cut(plain));
        return Condition { exact: format!("{loose}:CD"), loose };
    }
    let loose = quoted(&cut(Cow::Owned(distinct(&plain))));
    Condition { exact: loose.clone(), loose }
}

/// The words whose plain form begins with this word's plain form.
pub(crate) fn beginning_with(folded: &str) -> Condition {
    let plain = words::plain(folded);
    let begins = &plain[..plain.floor_char_boundary(LEXEME_BYTES_MAX - 2)];
    let (stem, other) = (quoted(begins), quoted(&distinct(begins)));
    Condition { exact: format!("({other}:* | {stem}:*CD)"), loose: format!("({other}:* | {stem}:*)") }
}

/// Whether a quoted lexeme may be a part of the word only.
pub(crate) fn is_cut(quoted: &str) -> bool {
    quoted.len() >= LEXEME_BYTES_MAX
}

/// A lexeme in a `tsquery`.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

impl SearchVector {
    /// The binary form.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Type<Postgres> for SearchVector {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TSVECTOR.0)
    }
}

impl PgHasArrayType for SearchVector {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TSVECTOR.1)
    }
}

impl Encode<'_, Postgres> for SearchVector {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests;
