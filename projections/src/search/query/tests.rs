//! Tests of the search language.

use domain::text::Emoji;
use proptest::prelude::*;

use super::*;

/// Monday, 2 March 2026, half past midnight in Zurich; still 1 March in London.
fn clock() -> Clock {
    Clock { now: "2026-03-01T23:30:00Z".parse().expect("a time"), zone: Zone::Europe__Zurich }
}

fn parse(text: &str) -> Query {
    Query::parse(text, &clock()).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"))
}

fn mistake(text: &str) -> (Mistake, (usize, usize)) {
    let QueryMistake { mistake, at } = Query::parse(text, &clock()).expect_err(text);
    (mistake, (at.offset, at.length))
}

fn texts(text: &str) -> Vec<(Text, Requirement)> {
    parse(text).text.into_iter().map(|term| (term.what, term.wanted)).collect()
}

fn filter(text: &str) -> Filter {
    let filters = parse(text).filters;
    assert_eq!(filters.len(), 1, "{text}");
    filters[0].what.clone()
}

fn during(text: &str) -> (String, String) {
    let Filter::During(spans) = filter(text) else { panic!("{text} is no time") };
    let [span] = spans[..] else { panic!("{text} is not one span") };
    let told = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or("…".into(), |at| at.format("%Y-%m-%dT%H:%M").to_string());
    (told(span.from), told(span.to))
}

fn emoji(text: &str) -> Emoji {
    Emoji::parse(text).expect("an emoji")
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn words_phrases_and_prefixes_are_distinguished() {
    use Requirement::{Must, MustNot};
    let found = texts(r#"Deploy "to Production" -not roll* -"on friday" foo_bar.rs"#);
    let expected = [
        (Text::Words(own(&["deploy"])), Must),
        (Text::Exact(own(&["to", "production"])), Must),
        (Text::Words(own(&["not"])), MustNot),
        (Text::Prefix(own(&["roll"])), Must),
        (Text::Exact(own(&["on", "friday"])), MustNot),
        (Text::Words(own(&["foo", "bar", "rs"])), Must),
    ];
    assert_eq!(found, expected);
}

#[test]
fn text_that_only_looks_like_a_filter_is_words() {
    assert_eq!(texts("12:30")[0].0, Text::Words(own(&["12", "30"])));
    assert_eq!(texts("https://example.org/a")[0].0, Text::Words(own(&["https", "example", "org", "a"])));
    assert_eq!(texts("note: this"), texts("note this"));
    assert_eq!(texts("a - b & c"), texts("a b c"));
    assert_eq!(texts("say“hello there”"), texts(r#"say "hello there""#));
}

#[test]
fn each_filter_is_understood_with_and_without_its_sign() {
    let ann = || Person::Named("ann".into());
    assert_eq!(filter("from:@Ann"), Filter::From(ann()));
    assert_eq!(filter("FROM:ann"), Filter::From(ann()));
    assert_eq!(filter("from:me"), Filter::From(Person::Me));
    assert_eq!(filter("to:me"), Filter::To(Person::Me));
    assert_eq!(filter("in:#General"), Filter::In(Room::Channel("general".into())));
    assert_eq!(filter("in:general"), Filter::In(Room::Channel("general".into())));
    assert_eq!(filter("in:@ann"), Filter::In(Room::With(ann())));
    assert_eq!(filter(r#"in:"general""#), Filter::In(Room::Channel("general".into())));
    for (text, property) in [
        ("has:link", Property::Link),
        ("has:files", Property::File),
        ("has:reaction", Property::Reaction),
        ("has::tada:", Property::Emoji(emoji("🎉"))),
        ("has:🎉", Property::Emoji(emoji("🎉"))),
        ("has::+1:", Property::Emoji(emoji("👍"))),
        ("has::+1::skin-tone-3:", Property::Emoji(emoji("👍🏼"))),
        ("has:❤", Property::Emoji(emoji("❤️"))),
        ("has::heart:", Property::Emoji(emoji("❤️"))),
        ("has::party_parrot:", Property::Emoji(emoji("party_parrot"))),
        ("is:pinned", Property::Pinned),
        ("is:thread", Property::Thread),
    ] {
        assert_eq!(filter(text), Filter::Property(property), "{text}");
    }
}

#[test]
fn every_filter_can_be_negated() {
    for text in ["from:me", "to:me", "in:general", "before:2024", "after:2024", "on:today", "during:march", "has:link", "is:pinned"] {
        let query = parse(&format!("-{text}"));
        assert_eq!(
            (query.filters[0].wanted, query.filters[0].at),
            (Requirement::MustNot, Place { offset: 0, length: text.len() + 1 }),
            "{text}"
        );
    }
}

#[test]
fn days_begin_in_the_users_time_zone() {
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(during("on:today"), pair("2026-03-01T23:00", "2026-03-02T23:00"));
    assert_eq!(during("on:yesterday"), pair("2026-02-28T23:00", "2026-03-01T23:00"));
    assert_eq!(during("on:2024-03-05"), pair("2024-03-04T23:00", "2024-03-05T23:00"));
    assert_eq!(during("during:2024-03"), pair("2024-02-29T23:00", "2024-03-31T22:00"));
    assert_eq!(during("during:2024"), pair("2023-12-31T23:00", "2024-12-31T23:00"));
    assert_eq!(during("during:march"), pair("2026-02-28T23:00", "2026-03-31T22:00"));
    assert_eq!(during("during:Dec"), pair("2025-11-30T23:00", "2025-12-31T23:00"));
    assert_eq!(during("before:2024-03-05"), pair("…", "2024-03-04T23:00"));
    assert_eq!(during("after:2024-03-05"), pair("2024-03-05T23:00", "…"));
}

#[test]
fn a_day_begins_later_where_clocks_skip_midnight() {
    for (zone, on, sent) in [
        (Zone::America__Santiago, "2024-09-08", "2024-09-08T04:30:00Z"),
        (Zone::Asia__Beirut, "2024-03-31", "2024-03-30T22:30:00Z"),
        (Zone::Africa__Cairo, "2024-04-26", "2024-04-25T22:30:00Z"),
        (Zone::America__Havana, "2024-03-10", "2024-03-10T05:30:00Z"),
        (Zone::America__Sao_Paulo, "2018-11-04", "2018-11-04T03:30:00Z"),
    ] {
        let (clock, sent) = (Clock { zone, ..clock() }, sent.parse().expect("a time"));
        let contains = |filter: &str| {
            let query = Query::parse(&format!("{filter}:{on}"), &clock).expect("a day");
            let Filter::During(spans) = query.filters[0].what.clone() else { panic!("{filter} is no time") };
            spans.iter().any(|span| span.contains(sent))
        };
        assert_eq!(["on", "during", "before", "after"].map(contains), [true, true, false, false], "{zone}");
    }
}

#[test]
fn a_day_that_does_not_exist_is_at_no_time() {
    let clock = Clock { zone: Zone::Pacific__Apia, ..clock() };
    let filter = |text: &str| Query::parse(text, &clock).expect("a day").filters[0].what.clone();
    assert_eq!(filter("on:2011-12-30"), Filter::During(vec![]));
    assert_ne!(filter("on:2011-12-29"), Filter::During(vec![]));
    assert_ne!(filter("on:2011-12-31"), Filter::During(vec![]));
}

#[test]
fn a_mistake_is_named_with_its_place() {
    assert_eq!(mistake(""), (Mistake::Empty, (0, 0)));
    assert_eq!(mistake(" … "), (Mistake::Empty, (0, 3)));
    assert_eq!(mistake(r#"änd "open"#), (Mistake::OpenQuote, (4, 5)));
    assert_eq!(mistake(r#"a """#), (Mistake::NoWord, (2, 2)));
    assert_eq!(mistake("a *"), (Mistake::NoWord, (2, 1)));
    assert_eq!(mistake("a b*"), (Mistake::ShortPrefix, (2, 2)));
    assert_eq!(mistake("ok from: ann"), (Mistake::NoValue("from"), (3, 5)));
    assert_eq!(mistake("ok from:@"), (Mistake::NoValue("from"), (3, 6)));
    assert_eq!(mistake("form:@ann"), (Mistake::UnknownFilter("form".into()), (0, 9)));
    assert!(matches!(mistake("x has:cheese"), (Mistake::UnknownValue { filter: "has", .. }, (2, 10))));
    assert!(matches!(mistake("is:late"), (Mistake::UnknownValue { filter: "is", .. }, (0, 7))));
    for date in ["2024-13", "2024-02-30", "24", "soon", "2024-1-1-1", "-5", "99999"] {
        assert_eq!(mistake(&format!("on:{date}")), (Mistake::NoDate, (0, 3 + date.len())), "{date}");
    }
    assert_eq!(mistake(&"x".repeat(501)), (Mistake::TooLong, (500, 1)));
    assert_eq!(mistake(&"x ".repeat(31)), (Mistake::TooManyTerms, (0, 62)));
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_with_a_place_inside_it(text in r#"([a-z]{1,3}|["“:@#*-]|from:|on:|has:|[ 0-9]|\PC){0,20}"#) {
        let chars = text.chars().count();
        match Query::parse(&text, &clock()) {
            Ok(query) => {
                prop_assert!(query.text.iter().all(|term| !term.what.words().is_empty()));
                prop_assert!(query.text.iter().all(|term| term.at.offset + term.at.length <= chars));
            }
            Err(mistake) => prop_assert!(mistake.at.offset + mistake.at.length <= chars),
        }
    }
}
