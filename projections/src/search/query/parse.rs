//! Parses a query from left to right, term by term.

use domain::text::Emoji;

use super::dates::{self, Clock};
use super::{Filter, Mistake, PREFIX_CHARS_MIN, Person, Place, QUERY_CHARS_MAX, Query, QueryMistake, Room, TERMS_MAX, Term, Text};
use crate::search::{Property, Requirement, words};

/// The function that parses a filter's value. It gets the filter's name.
type Reader = fn(&'static str, &str, &Clock) -> Result<Filter, Mistake>;

const FILTERS: [(&str, Reader); 9] = [
    ("from", |filter, value, _| person(filter, value).map(Filter::From)),
    ("to", |filter, value, _| person(filter, value).map(Filter::To)),
    ("in", |filter, value, _| room(filter, value).map(Filter::In)),
    ("before", |_, value, clock| dates::before(value, clock)),
    ("after", |_, value, clock| dates::after(value, clock)),
    ("on", |_, value, clock| dates::during(value, clock)),
    ("during", |_, value, clock| dates::during(value, clock)),
    ("has", |filter, value, _| has(filter, value).map(Filter::Property)),
    ("is", |filter, value, _| is(filter, value).map(Filter::Property)),
];

/// The names of the filters, for an error message.
pub(super) fn names() -> String {
    FILTERS.map(|(name, _)| format!("{name}:")).join(", ")
}

pub(super) fn parse(text: &str, clock: &Clock) -> Result<Query, QueryMistake> {
    // Control characters become spaces: pasted lines are searched for their words, and no name contains an invisible
    // character.
    let chars = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<Vec<_>>();
    let whole = Place { offset: 0, length: chars.len() };
    if chars.len() > QUERY_CHARS_MAX {
        return Err(Mistake::TooLong.at(Place { offset: QUERY_CHARS_MAX, length: chars.len() - QUERY_CHARS_MAX }));
    }
    let (mut query, mut input) = (Query::default(), Input { chars: &chars, at: 0 });
    while input.skip_space() {
        input.term(&mut query, clock)?;
        if query.text.len() + query.filters.len() > TERMS_MAX {
            return Err(Mistake::TooManyTerms.at(whole));
        }
    }
    if query == Query::default() { Err(Mistake::Empty.at(whole)) } else { Ok(query) }
}

struct Input<'a> {
    chars: &'a [char],
    at: usize,
}

impl Input<'_> {
    /// Skips spaces. Returns whether any text is left.
    fn skip_space(&mut self) -> bool {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.peek().is_some()
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn term(&mut self, query: &mut Query, clock: &Clock) -> Result<(), QueryMistake> {
        let offset = self.at;
        let wanted = self.wanted();
        if self.peek().is_some_and(is_quote) {
            let phrase = words::folded(&self.quotation()?);
            let at = self.since(offset);
            let what = if phrase.is_empty() { Err(Mistake::NoWord.at(at)) } else { Ok(Text::Exact(phrase)) };
            query.text.push(Term { what: what?, wanted, at });
            return Ok(());
        }
        let word = self.word();
        if let Some((filter, read, value)) = self.filter(&word, offset)? {
            let at = self.since(offset);
            let what = if value.is_empty() { Err(Mistake::NoValue(filter)) } else { read(filter, &value, clock) };
            query.filters.push(Term { what: what.map_err(|mistake| mistake.at(at))?, wanted, at });
            return Ok(());
        }
        let at = self.since(offset);
        query.text.extend(unquoted(&word).map_err(|mistake| mistake.at(at))?.map(|what| Term { what, wanted, at }));
        Ok(())
    }

    /// A `-` right before a term means that it must not match.
    fn wanted(&mut self) -> Requirement {
        let next = self.chars.get(self.at + 1);
        if self.peek() == Some('-') && next.is_some_and(|c| !c.is_whitespace() && *c != '-') {
            self.at += 1;
            return Requirement::MustNot;
        }
        Requirement::Must
    }

    /// Reads up to the next space or quotation mark.
    fn word(&mut self) -> String {
        let begin = self.at;
        while self.peek().is_some_and(|c| !c.is_whitespace() && !is_quote(c)) {
            self.at += 1;
        }
        self.chars[begin..self.at].iter().collect()
    }

    /// Reads up to the closing quotation mark.
    fn quotation(&mut self) -> Result<String, QueryMistake> {
        let begin = self.at;
        let inside = self.chars[begin + 1..].iter().take_while(|c| !is_quote(**c)).collect::<String>();
        let end = begin + 1 + inside.chars().count();
        self.at = self.chars.len().min(end + 1);
        if end < self.chars.len() { Ok(inside) } else { Err(Mistake::OpenQuote.at(self.since(begin))) }
    }

    /// Reads a word as a filter with its value, which may be quoted.
    fn filter(&mut self, word: &str, offset: usize) -> Result<Option<(&'static str, Reader, String)>, QueryMistake> {
        let Some((name, value)) = word.split_once(':') else { return Ok(None) };
        let folded = name.to_lowercase();
        let Some((filter, read)) = FILTERS.into_iter().find(|(filter, _)| *filter == folded) else {
            // `12:30` and `https://…` are words; `form:@ann` is a misspelled filter.
            let is_meant = value.starts_with(['@', '#']) && !name.is_empty() && name.chars().all(char::is_alphabetic);
            return if is_meant { Err(Mistake::UnknownFilter(folded).at(self.since(offset))) } else { Ok(None) };
        };
        let is_quoted = matches!(value, "" | "@" | "#") && self.peek().is_some_and(is_quote);
        let quoted = if is_quoted { self.quotation()? } else { String::new() };
        Ok(Some((filter, read, format!("{value}{}", quoted.trim()))))
    }

    fn since(&self, offset: usize) -> Place {
        Place { offset, length: self.at - offset }
    }
}

/// Phones type their own quotation marks.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„')
}

/// A word that is not a filter. `None` if it has only dashes and dots.
fn unquoted(word: &str) -> Result<Option<Text>, Mistake> {
    let found = words::folded(word);
    match word.strip_suffix('*') {
        None if found.is_empty() => Ok(None),
        None => Ok(Some(Text::Words(found))),
        Some(_) if found.is_empty() => Err(Mistake::NoWord),
        Some(before) if !before.ends_with(|c| words::kind(c) != words::Kind::Separator) => Ok(Some(Text::Words(found))),
        Some(_) if is_short(&found) => Err(Mistake::ShortPrefix),
        Some(_) => Ok(Some(Text::Prefix(found))),
    }
}

fn is_short(prefix: &[String]) -> bool {
    prefix.last().is_some_and(|last| last.is_ascii() && last.len() < PREFIX_CHARS_MIN)
}

fn person(filter: &'static str, value: &str) -> Result<Person, Mistake> {
    let name = words::name(value.strip_prefix('@').unwrap_or(value));
    match name.as_str() {
        "" => Err(Mistake::NoValue(filter)),
        "me" => Ok(Person::Me),
        _ => Ok(Person::Named(name)),
    }
}

fn room(filter: &'static str, value: &str) -> Result<Room, Mistake> {
    if value.starts_with('@') {
        return person(filter, value).map(Room::With);
    }
    let name = words::name(value.strip_prefix('#').unwrap_or(value));
    if name.is_empty() { Err(Mistake::NoValue(filter)) } else { Ok(Room::Channel(name)) }
}

fn has(filter: &'static str, value: &str) -> Result<Property, Mistake> {
    match value.to_lowercase().as_str() {
        "link" | "links" => return Ok(Property::Link),
        "file" | "files" => return Ok(Property::File),
        "reaction" | "reactions" => return Ok(Property::Reaction),
        _ => {}
    }
    let is_named = value.len() > 2 && value.starts_with(':') && value.ends_with(':');
    if let Some(emoji) = Emoji::parse(value).ok().filter(|_| is_named || !value.is_ascii()) {
        return Ok(Property::Emoji(emoji));
    }
    Err(Mistake::UnknownValue { filter, known: "link, file, reaction and an emoji (has::tada:)" })
}

fn is(filter: &'static str, value: &str) -> Result<Property, Mistake> {
    match value.to_lowercase().as_str() {
        "pinned" => Ok(Property::Pinned),
        "thread" => Ok(Property::Thread),
        _ => Err(Mistake::UnknownValue { filter, known: "pinned and thread" }),
    }
}
