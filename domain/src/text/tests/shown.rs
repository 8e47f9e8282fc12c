//! Texts that people see: display names and the like, messages, addresses and passwords.

use super::{accepts, refuses};
use crate::text::*;

const INVISIBLE: [&str; 22] = [
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{200e}",
    "\u{200f}",
    "\u{202a}",
    "\u{202e}",
    "\u{2028}",
    "\u{2029}",
    "\u{2060}",
    "\u{2066}",
    "\u{2069}",
    "\u{3164}",
    "\u{115f}",
    "\u{ffa0}",
    "\u{feff}",
    "\u{ad}",
    "\u{34f}",
    "\u{2800}",
    "\u{fe0f}",
    "\u{e0041}",
    "\u{fff9}",
];

#[test]
fn a_text_that_cannot_be_seen_is_refused_everywhere() {
    for c in INVISIBLE {
        for text in [c.to_owned(), c.repeat(3), format!(" {c}\u{a0}\t")] {
            refuses(DisplayName::parse, &[&text]);
            refuses(ChannelDisplayName::parse, &[&text]);
            refuses(WorkspaceName::parse, &[&text]);
            refuses(Title::parse, &[&text]);
            refuses(StatusText::parse, &[&text]);
            refuses(Topic::parse, &[&text]);
            refuses(Purpose::parse, &[&text]);
            refuses(Description::parse, &[&text]);
            refuses(Bio::parse, &[&text]);
            refuses(Reason::parse, &[&text]);
            refuses(MessageBody::parse, &[&text]);
        }
    }
}

#[test]
fn a_name_that_is_shown_has_no_characters_that_cannot_be_seen() {
    for c in INVISIBLE {
        // White space at both ends is taken off before.
        let ends = [format!("Ann{c}"), format!("{c}Ann")].into_iter().filter(|_| !c.contains(char::is_whitespace));
        for text in ends.chain([format!("A{c}nn")]) {
            refuses(DisplayName::parse, &[&text]);
            refuses(Title::parse, &[&text]);
            refuses(WorkspaceName::parse, &[&text]);
            accepts(MessageBody::parse, &[&text]);
        }
        assert_eq!(one_line_of(&format!("An{c}n")).replace(' ', ""), "Ann", "{c:?}");
    }
}

#[test]
fn emoji_and_scripts_keep_the_joiners_that_they_need() {
    let names = [
        "Ann 👩‍💻",
        "👨‍👩‍👧‍👦",
        "❤️",
        "🏳️‍🌈",
        "1️⃣",
        "👍🏽",
        "👩🏽‍🚀",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "🇨🇭",
        "می\u{200c}خواهم",
        "ක්\u{200d}ෂ",
        "葛\u{e0100}城",
        "ᠮᠣᠩᠭᠣᠯ\u{180b}",
        "Ann · Design",
        "½ ™ №",
        "محمـــد",
        "שָׁלוֹם",
        "Zoë ♥",
        "Ｔａｒｏ",
    ];
    accepts(DisplayName::parse, &names);
    accepts(StatusText::parse, &names);
    for name in names {
        assert_eq!(one_line_of(name), name);
    }
}

#[test]
fn a_nickname_has_one_plain_space_between_words() {
    for text in ["Ann  Arbor", "Ann\u{a0}Arbor", " Ann \u{3000} Arbor\u{2003}", "Ann Arbor\n"] {
        assert_eq!(DisplayName::parse(text).map(|name| name.to_string()), Ok("Ann Arbor".into()), "{text:?}");
    }
    assert_eq!(DisplayName::parse("Zoe\u{308}").map(|name| name.to_string()), Ok("Zoë".into()));
}

#[test]
fn an_address_is_bare() {
    refuses(
        Email::parse,
        &[
            "<ann@example.org>",
            "a b@example.org",
            "Ann<ann@example.org>",
            "Ann <ann@example.org>",
            "ann\u{200b}@example.org",
            "ann@exam\u{200b}ple.org",
            "\u{202e}ann@example.org",
            "ann@example.org\u{2060}",
            "mailto:ann@example.org",
            "ann@example.org>",
            "ann@example.org;bob@example.org",
            "ann@example.org,bob@example.org",
            "ann@bob@example.org",
            "ann@(work)example.org",
            "ann@exa\u{2028}mple.org",
            "ann\u{3164}@example.org",
            "\"@example.org",
            "ann@exam\u{a0}ple.org",
        ],
    );
    accepts(
        Email::parse,
        &["ann+tag@example.org", "o'hara@example.org", "\"a<b\"@example.org", "ann@[127.0.0.1]", "安@例え.jp", "a..b@example.org"],
    );
    assert_eq!(Email::parse("<ann@example.org>").map_err(|refused| refused.field), Err("email"));
}

#[test]
fn spellings_of_a_host_are_one_address() {
    let forms = |text: &str| Email::forms_of(text);
    for (one, other) in [
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@BÜCHER.example", "Ann@XN--BCHER-KVA.example"),
        ("ann@bu\u{308}cher.example", "ann@bücher.example"),
        ("ann@例え.jp", "ann@xn--r8jz45g.jp"),
        ("jose\u{301}@example.org", "JOSÉ@example.org"),
        ("ann@ｅxample.org", "ann@example.org"),
    ] {
        assert!(!forms(one).is_disjoint(&forms(other)), "{one} {other}");
        assert_eq!(Email::parse(one).map(|e| e.folded()), Email::parse(other).map(|e| e.folded()), "{one} {other}");
    }
    assert_eq!(forms("Ann@Example.org"), ["ann@example.org".to_owned()].into());
    assert!(forms("ann@xn--bcher-kva.example").contains("ann@xn--bcher-kva.example"), "the form of earlier releases");
    assert!(forms("ann@bücher.example").contains("ann@bücher.example"), "the form of earlier releases");
    assert!(forms("ann@bücher.example").is_disjoint(&forms("ann@bucher.example")));
    assert_eq!(Email::parse("ann@xn--zzzzzz.org").map(|e| e.folded()), Ok("ann@xn--zzzzzz.org".into()));
}

#[test]
fn a_password_is_the_same_however_it_is_typed() {
    let typed = "Cafe\u{301} über Wasser";
    assert_eq!(opaque(typed), opaque("Café über\u{a0}Wasser"));
    assert!(spellings("Café im Tal").contains(&"Cafe\u{301} im Tal".to_owned()));
    assert_eq!(spellings("correct horse"), ["correct horse"]);
    assert!(is_typed("Käse ❤️ 👩‍💻 · ½"));
    for text in ["a\tb", "a\u{200b}b", "a\u{202e}b", "a\u{0}b"] {
        assert!(!is_typed(text), "{text:?}");
    }
}
