//! Translates a query to Postgres
//! (<https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY>): conditions on
//! `search_vector`, whose lexemes `vector` describes. Everything is quoted.

use crate::search::vector::{self, Condition, quoted};
use crate::search::{MessageQuery, Property, Requirement, Text, TextTerm, words};

/// A part of `long_words` that a long text must have. `None` if the vector alone is exact.
type Part = Option<String>;

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lexemes {
    /// A `tsquery`.
    pub(super) query: String,
    /// The parts that a long text must have.
    pub(super) parts: Vec<String>,
}

impl Lexemes {
    /// The terms that must match, which an index can find. `None` if there are none.
    pub(super) fn wanted(query: &MessageQuery) -> Option<Self> {
        let (texts, parts): (Vec<String>, Vec<Part>) = terms(query, Requirement::Must).map(term).unzip();
        let all = texts.into_iter().chain(properties(query, Requirement::Must)).collect::<Vec<_>>();
        (!all.is_empty()).then(|| Self { query: all.join(" & "), parts: parts.into_iter().flatten().collect() })
    }

    /// The terms that must not match. They are checked on each row, because an index cannot find rows that lack
    /// something.
    pub(super) fn unwanted(query: &MessageQuery) -> Vec<Self> {
        let texts = terms(query, Requirement::MustNot).map(term);
        let all = texts.chain(properties(query, Requirement::MustNot).map(|property| (property, None)));
        all.map(|(query, part)| Self { query, parts: part.into_iter().collect() }).collect()
    }

    /// The lexemes that count for the order by relevance. `None` if the query has no words.
    pub(super) fn ranked(query: &MessageQuery) -> Option<String> {
        let each = |text: &Text| -> Vec<String> {
            match text {
                Text::Words(words) => words.iter().map(|word| in_any_form(word)).collect(),
                Text::Exact(words) => words.iter().map(|word| vector::exactly(word).loose).collect(),
                Text::Prefix(words) => beginnings(words).into_iter().map(|condition| condition.loose).collect(),
            }
        };
        let all = terms(query, Requirement::Must).flat_map(each).collect::<Vec<_>>();
        (!all.is_empty()).then(|| all.join(" & "))
    }
}

fn terms(query: &MessageQuery, wanted: Requirement) -> impl Iterator<Item = &Text> {
    query.text.iter().filter(move |term| term.wanted == wanted).map(|TextTerm { text, .. }| text)
}

fn properties(query: &MessageQuery, wanted: Requirement) -> impl Iterator<Item = String> {
    query.properties.iter().filter(move |(_, is)| *is == wanted).map(|(property, _)| of_property(property))
}

/// The condition for a term. In a long text, all its lexemes must occur, and then its words in their order.
fn term(text: &Text) -> (String, Part) {
    let conditions = match text {
        Text::Words(words) => words.iter().map(|word| vector::with_stem_of(word)).collect(),
        Text::Exact(words) => words.iter().map(|word| vector::exactly(word)).collect(),
        Text::Prefix(words) => beginnings(words),
    };
    if let (Text::Words(_), [Condition { exact, loose: _ }]) = (text, conditions.as_slice())
        && !vector::is_cut(exact)
    {
        return (exact.clone(), None);
    }
    let exact = conditions.iter().map(|condition| condition.exact.as_str()).collect::<Vec<_>>().join(" <-> ");
    let loose = conditions.iter().map(|condition| condition.loose.as_str()).collect::<Vec<_>>().join(" & ");
    (format!("(({exact}) | ({loose} & {}))", quoted(vector::LONG)), Some(vector::part_of_long_words(text)))
}

/// The last word is a beginning.
fn beginnings(words: &[String]) -> Vec<Condition> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    before.iter().map(|word| vector::with_plain_form_of(word)).chain([vector::beginning_with(last)]).collect()
}

/// The word's stem, and the word itself, which adds to the score.
fn in_any_form(word: &str) -> String {
    let (stem, folded) = (vector::with_stem_of(word).loose, vector::exactly(word).loose);
    if stem == folded { stem } else { format!("({stem} | {folded})") }
}

/// The words of `search_vector` that mean this property.
fn of_property(property: &Property) -> String {
    match property {
        Property::Link => quoted("#link"),
        Property::File => quoted("#file"),
        Property::FileNamed { words, is_beginning } => named(words, *is_beginning),
        Property::Reaction => quoted("#reaction"),
        Property::Emoji(emoji) => one_of(&emoji.with_skin_tones()),
        Property::Pinned => quoted("#pinned"),
        Property::Thread => quoted("#thread"),
    }
}

/// A reaction is a word with a colon before it.
fn one_of(emojis: &[String]) -> String {
    let all = emojis.iter().map(|emoji| quoted(&format!(":{}", words::emoji(emoji)))).collect::<Vec<_>>();
    format!("({})", all.join(" | "))
}

/// A word of a file's name has a beginning that no word of a text can have.
fn named(words: &[String], is_beginning: bool) -> String {
    let mut all = words.iter().map(|word| quoted(&format!("/{word}"))).collect::<Vec<_>>();
    if let Some(last) = all.last_mut().filter(|_| is_beginning) {
        last.push_str(":*");
    }
    format!("({})", all.join(" & "))
}
