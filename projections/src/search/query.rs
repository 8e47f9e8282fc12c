//! The search language: words, `"exact phrases"`, `wor*`, filters such as `from:@ann`, and `-` before anything that
//! must not match. It is parsed here into a plain value; names are looked up later.
//!
//! Not here: input, output, the clock. The caller passes the time zone and the current time ([`Clock`]).

mod dates;
mod local_days;
mod parse;
#[cfg(test)]
mod tests;

use super::{Property, Requirement, Span};
pub use dates::{Clock, Zone};

/// The most characters of a query.
pub const QUERY_CHARS_MAX: usize = 500;
/// The most words, phrases and filters of a query.
pub const TERMS_MAX: usize = 30;
/// The fewest characters before a `*`. A single character matches too many words.
pub const PREFIX_CHARS_MIN: usize = 2;

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Words and phrases. All of them must match.
    pub text: Vec<Term<Text>>,
    /// Filters. Of several filters for authors, one must match; the same for channels. Of the other filters, all must
    /// match.
    pub filters: Vec<Term<Filter>>,
}

/// A part of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Term<T> {
    /// The term.
    pub what: T,
    /// Whether it must match, or (after a `-`) must not.
    pub wanted: Requirement,
    /// Its place in the query's text.
    pub at: Place,
}

/// Words to search for, in lower case, split as in [`super::words`]. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// Words in this order, next to each other, in any English form (`run`, `runs`, `running`). Mostly there is one
    /// word.
    Words(Vec<String>),
    /// Words in this order, next to each other, in their exact form.
    Exact(Vec<String>),
    /// Words in this order, next to each other, in their exact form, except that the last one is a prefix.
    Prefix(Vec<String>),
}

/// A condition on a message apart from its words.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Written by this person.
    From(Person),
    /// It mentions the person, or another person wrote it in a direct conversation with this one.
    To(Person),
    /// Posted in this channel or conversation.
    In(Room),
    /// Sent within one of these spans. They are in order and apart. None: at no time.
    During(Vec<Span>),
    /// It has this property.
    Property(Property),
}

/// A person in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// The user that searches.
    Me,
    /// The person with this user name, in lower case.
    Named(String),
}

/// A channel or conversation in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// The channel of that name, in lower case.
    Channel(String),
    /// The direct conversation with this person.
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

/// A query that cannot be understood, with the place of the error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct QueryMistake {
    /// The error.
    pub mistake: Mistake,
    /// Its place.
    pub at: Place,
}

/// An error in a query. The text says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The query is empty.
    #[error("the search is empty: write a word, or a filter such as from:@ann")]
    Empty,
    /// The query is too long.
    #[error("a search may have at most {QUERY_CHARS_MAX} characters")]
    TooLong,
    /// The query has too many parts.
    #[error("a search may have at most {TERMS_MAX} words, phrases and filters")]
    TooManyTerms,
    /// A quotation has no end.
    #[error("the quotation has no end: add a \"")]
    OpenQuote,
    /// A phrase without a word, or a `*` alone.
    #[error("this has no word: a word has letters or digits")]
    NoWord,
    /// Too few characters stand before a `*`.
    #[error("write at least {PREFIX_CHARS_MIN} letters or digits before the *")]
    ShortPrefix,
    /// A filter without a value.
    #[error("{0}: needs a value right after the colon, without a space")]
    NoValue(&'static str),
    /// There is no such filter.
    #[error("there is no filter {0}: (there are {filters})", filters = parse::names())]
    UnknownFilter(String),
    /// A filter that allows only some values.
    #[error("{filter}: allows only {known}")]
    UnknownValue {
        /// The filter.
        filter: &'static str,
        /// The allowed values.
        known: &'static str,
    },
    /// Not a day, month or year.
    #[error("write a day (2024-03-05, today, yesterday), a month (2024-03, march) or a year (2024)")]
    NoDate,
    /// No person with this name exists, or the user may not know of them.
    #[error("nobody here has the username {0}")]
    UnknownPerson(String),
    /// No channel with this name exists, or the user may not read it. The answer does not show which.
    #[error("there is no channel {0}, or you may not read it")]
    UnknownChannel(String),
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// The query cannot be understood. The error gives the place.
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

    /// Its words, without the kind of match.
    pub(super) fn into_words(self) -> Vec<String> {
        match self {
            Self::Words(words) | Self::Exact(words) | Self::Prefix(words) => words,
        }
    }
}

impl Mistake {
    /// This error, at a place.
    #[must_use]
    pub fn at(self, at: Place) -> QueryMistake {
        QueryMistake { mistake: self, at }
    }
}
