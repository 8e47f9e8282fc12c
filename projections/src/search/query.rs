//! The language that people search in: words, `"exact phrases"`, `wor*`, filters such as `from:@ann`, and `-` before anything that must
//! not be. Parsed here into a plain value; what names mean is looked up later.
//!
//! Not here: input, output, the clock. What `today` means is passed in ([`Clock`]).

mod dates;
mod parse;
#[cfg(test)]
mod tests;

use super::{Mark, Span, Wanted};
pub use dates::{Clock, Zone};

/// The most characters of a query.
pub const QUERY_CHARS_MAX: usize = 500;
/// The most words, phrases and filters of a query.
pub const TERMS_MAX: usize = 30;
/// The fewest characters before a `*`: one alone begins so many words that it says nothing.
pub const PREFIX_CHARS_MIN: usize = 2;

/// What somebody looks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Words and phrases. All of them must hold.
    pub text: Vec<Term<Text>>,
    /// Filters. Of those that name authors, or channels, one of each kind must hold; of the others all.
    pub filters: Vec<Term<Filter>>,
}

/// A part of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Term<T> {
    /// What it says.
    pub what: T,
    /// Whether it must be so, or (after a `-`) must not.
    pub wanted: Wanted,
    /// Where it stands.
    pub at: Place,
}

/// Words that are looked for, in lower case, as [`super::words`] parts them. Never none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// Next to each other in this order, in any form that English gives them (`run`, `runs`, `running`). Mostly there is one word.
    Words(Vec<String>),
    /// Next to each other in this order, as they are.
    Exact(Vec<String>),
    /// Next to each other in this order, as they are, but that the last one goes on anyhow.
    Prefix(Vec<String>),
}

/// What a message is to be apart from its words.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Written by them.
    From(Person),
    /// It mentions them, or is in a direct conversation with them and written by somebody else.
    To(Person),
    /// Said there.
    In(Room),
    /// Sent within that time.
    During(Span),
    /// It has or is that.
    Mark(Mark),
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// Who asks.
    Me,
    /// Whoever has that username, in lower case.
    Named(String),
}

/// Somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// The channel of that name, in lower case.
    Channel(String),
    /// The direct conversation with them.
    With(Person),
}

/// A part of a query's text, in characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// How many characters stand before it.
    pub offset: usize,
    /// How many characters it has.
    pub length: usize,
}

/// A query that cannot be understood, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct QueryMistake {
    /// What is wrong.
    pub mistake: Mistake,
    /// Where.
    pub at: Place,
}

/// What is wrong with a query, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It says nothing.
    #[error("there is nothing to look for: write a word, or a filter such as from:@ann")]
    Empty,
    /// It is too long.
    #[error("a search may have at most {QUERY_CHARS_MAX} characters")]
    TooLong,
    /// It has too many parts.
    #[error("a search may have at most {TERMS_MAX} words, phrases and filters")]
    TooManyTerms,
    /// A quotation does not end.
    #[error("the quotation does not end: put a \" behind it")]
    OpenQuote,
    /// A phrase without a word, or a `*` alone.
    #[error("nothing here can be looked for: words have letters or digits")]
    NoWord,
    /// Too little stands before a `*`.
    #[error("write at least {PREFIX_CHARS_MIN} letters or digits before the *")]
    ShortPrefix,
    /// A filter without a value.
    #[error("{0}: needs something behind the colon, without a space")]
    NoValue(&'static str),
    /// There is no such filter.
    #[error("there is no filter {0}: (there are {filters})", filters = parse::names())]
    UnknownFilter(String),
    /// A filter that knows some words only.
    #[error("{filter}: knows {known} only")]
    UnknownValue {
        /// The filter.
        filter: &'static str,
        /// What it knows.
        known: &'static str,
    },
    /// No day, month or year.
    #[error("write a day (2024-03-05, today, yesterday), a month (2024-03, march) or a year (2024)")]
    NoDate,
    /// Nobody of that name, as far as the asker may know.
    #[error("nobody here has the username {0}")]
    UnknownPerson(String),
    /// No channel of that name, as far as the asker may know: one that they may not read is no different from one that is not there.
    #[error("there is no channel {0}, or you may not read it")]
    UnknownChannel(String),
}

impl Query {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// Says what cannot be understood, and where.
    pub fn parse(text: &str, clock: &Clock) -> Result<Self, QueryMistake> {
        parse::parse(text, clock)
    }
}

impl Text {
    /// Its words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        match self {
            Self::Words(words) | Self::Exact(words) | Self::Prefix(words) => words,
        }
    }

    /// Its words, and nothing else of it.
    pub(super) fn into_words(self) -> Vec<String> {
        match self {
            Self::Words(words) | Self::Exact(words) | Self::Prefix(words) => words,
        }
    }
}

impl Mistake {
    /// The mistake at that place.
    #[must_use]
    pub fn at(self, at: Place) -> QueryMistake {
        QueryMistake { mistake: self, at }
    }
}
