//! What is looked for, as Postgres takes it (<https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY>). Stems are
//! looked for among stems, and words as they are among words as they are: `search_vector` has both, under weights.
//!
//! Words have letters and digits only, so nothing in them is special; emoji may have anything, and are quoted.

use crate::search::{Mark, MessageQuery, Text, TextTerm, Wanted};

/// A query on `search_vector`, in three parts that must all hold: stems, words as they are, and what a message has or is. The first two are
/// for `to_tsquery`, whose dictionaries differ; the third is a `tsquery` as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lexemes {
    pub(super) stems: String,
    pub(super) words: String,
    pub(super) marks: String,
}

impl Lexemes {
    /// What must be there: an index finds it. None, where nothing must.
    pub(super) fn wanted(query: &MessageQuery) -> Option<Self> {
        Self::of(query, Wanted::Yes, " & ")
    }

    /// What must not be there: none of it may. It is no part of what is looked up, since an index cannot find what has something not.
    pub(super) fn unwanted(query: &MessageQuery) -> Option<Self> {
        Self::of(query, Wanted::No, " | ")
    }

    fn of(query: &MessageQuery, wanted: Wanted, between: &str) -> Option<Self> {
        let (mut stems, mut words) = (Vec::new(), Vec::new());
        for TextTerm { text, .. } in query.text.iter().filter(|term| term.wanted == wanted) {
            match text {
                Text::Words(sought) => stems.push(stemmed(sought)),
                Text::Exact(sought) => words.push(format!("{}:B", quoted(&sought.join(" ")))),
                Text::Prefix(sought) => words.push(prefix(sought)),
            }
        }
        let marks = query.marks.iter().filter(|(_, is)| *is == wanted).map(|(mark, _)| of_mark(mark)).collect::<Vec<_>>();
        let found = Self { stems: stems.join(between), words: words.join(between), marks: marks.join(between) };
        (found != Self::default()).then_some(found)
    }
}

/// One stem is one whatever its weight; in a row they must all be stems, since words as they are stand before the stems.
fn stemmed(words: &[String]) -> String {
    let weight = if words.len() > 1 { ":A" } else { "" };
    format!("{}{weight}", quoted(&words.join(" ")))
}

fn prefix(words: &[String]) -> String {
    let Some((last, before)) = words.split_last() else { return String::new() };
    let before = before.iter().map(|word| format!("{}:B <-> ", quoted(word))).collect::<String>();
    format!("({before}{}:*B)", quoted(last))
}

/// The words of `search_vector` that say so.
fn of_mark(mark: &Mark) -> String {
    match mark {
        Mark::Link => quoted("#link"),
        Mark::File => quoted("#file"),
        Mark::FileNamed { words, is_beginning } => named(words, *is_beginning),
        Mark::Reaction => quoted("#reaction"),
        Mark::Emoji(emoji) => quoted(&format!(":{emoji}")),
        Mark::Pinned => quoted("#pinned"),
        Mark::Thread => quoted("#thread"),
    }
}

/// A word of a file's name begins as none of a text can.
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
