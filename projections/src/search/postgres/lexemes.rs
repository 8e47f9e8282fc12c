//! Translates search terms to Postgres
//! (<https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY>). Stems are searched among
//! stems, and exact words among exact words: `search_vector` has both, with different weights.
//!
//! Words have letters and digits only, so they need no escaping. Emoji may contain anything, and are quoted.

use crate::search::{MessageQuery, Property, Requirement, Text, TextTerm};

/// A query on `search_vector` in three parts that must all match: stems, exact words, and the properties of a message.
/// The first two are for `to_tsquery` with different dictionaries; the third is a `tsquery` itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lexemes {
    pub(super) stems: String,
    pub(super) words: String,
    pub(super) properties: String,
}

impl Lexemes {
    /// The terms that must match, which an index can find. `None` if there are none.
    pub(super) fn wanted(query: &MessageQuery) -> Option<Self> {
        Self::of(query, Requirement::Must, " & ")
    }

    /// The terms that must not match. They are checked on each row, because an index cannot find rows that lack
    /// something. `None` if there are none.
    pub(super) fn unwanted(query: &MessageQuery) -> Option<Self> {
        Self::of(query, Requirement::MustNot, " | ")
    }

    fn of(query: &MessageQuery, wanted: Requirement, between: &str) -> Option<Self> {
        let (mut stems, mut words) = (Vec::new(), Vec::new());
        for TextTerm { text, .. } in query.text.iter().filter(|term| term.wanted == wanted) {
            match text {
                Text::Words(sought) => stems.push(stemmed(sought)),
                Text::Exact(sought) => words.push(format!("{}:B", quoted(&sought.join(" ")))),
                Text::Prefix(sought) => words.push(prefix(sought)),
            }
        }
        let properties =
            query.properties.iter().filter(|(_, is)| *is == wanted).map(|(property, _)| of_property(property)).collect::<Vec<_>>();
        let found = Self { stems: stems.join(between), words: words.join(between), properties: properties.join(between) };
        (found != Self::default()).then_some(found)
    }
}

/// A single stem may have any weight. In a phrase, all must have the weight of stems, because exact words also stand in
/// `search_vector`, before the stems.
fn stemmed(words: &[String]) -> String {
    let weight = if words.len() > 1 { ":A" } else { "" };
    format!("{}{weight}", quoted(&words.join(" ")))
}

fn prefix(words: &[String]) -> String {
    let Some((last, before)) = words.split_last() else { return String::new() };
    let before = before.iter().map(|word| format!("{}:B <-> ", quoted(word))).collect::<String>();
    format!("({before}{}:*B)", quoted(last))
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
    let all = emojis.iter().map(|emoji| quoted(&format!(":{emoji}"))).collect::<Vec<_>>();
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

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
