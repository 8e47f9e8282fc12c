//! Nothing that stands in a message is missed: each word, phrase and beginning of a text finds it, with each backend,
//! in every script, up to the longest message.

use std::fmt::Write;

use projections::search::words;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::fixture::{Backend, Fixture, escaped, texts};
use super::over_every_backend;

over_every_backend!(
    the_very_word_that_was_written_is_found,
    words_are_found_in_long_messages,
    the_exact_form_comes_before_a_form_without_accents,
    names_and_emoji_are_found_in_every_unicode_form,
    each_word_phrase_and_beginning_of_any_text_finds_it,
);

async fn the_very_word_that_was_written_is_found(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for (text, queries) in [
        ("Merhaba İstanbul", &["İstanbul", "istanbul", "\"İstanbul\"", "İst*"][..]),
        ("Η ΟΔΟΣ μας", &["ΟΔΟΣ", "οδος", "οδός", "οδ*"][..]),
        ("die Hauptstraße hier", &["HAUPTSTRASSE", "hauptstraße", "hauptstraß*"][..]),
        ("un cafe\u{301} noir", &["café", "cafe\u{301}", "cafe", "\"un café\"", "caf*"][..]),
        ("\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}", &["한국", "\u{1112}\u{1161}\u{11AB}", "국*"][..]),
        ("ฉันชอบกินข้าวผัด", &["ข้าวผัด", "กิน", "\"ชอบกิน\""][..]),
        ("ຂ້ອຍຮັກພາສາລາວ", &["ພາສາ"][..]),
        ("ខ្ញុំស្រលាញ់ភាសាខ្មែរ", &["ភាសា"][..]),
        ("မြန်မာဘာသာစကား", &["ဘာသာ"][..]),
        ("हिन्दी में लिखो", &["हिन्दी", "हिन्*"][..]),
        ("ＦＵＬＬ ｗｉｄｔｈ", &["full", "ｆｕｌｌ", "\"ｗｉｄｔｈ\""][..]),
        ("ship it 🎉 ❤\u{FE0F}", &["🎉", "❤", "❤\u{FE0F}", "\"it 🎉 ❤\""][..]),
        ("Łódź, smørrebrød", &["lodz", "smorrebrod", "Łódź", "smorre*"][..]),
    ] {
        fixture.say(text).await;
        for query in queries {
            assert_eq!(fixture.find(query).await, [text], "{query}");
        }
    }
    assert_eq!(fixture.find("\"cafe\"").await, [""; 0], "a quoted word matches exactly");
}

async fn words_are_found_in_long_messages(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let between = ('一'..).filter(|c| *c != '的').take(400).collect::<Vec<_>>();
    let often = between.iter().fold(String::new(), |text, c| text + &format!("的{c}")) + "苹果的味道";
    let mut lines = "log out\n".repeat(400);
    write!(lines, "log_x and logs running").expect("a text");
    let many = ('一'..='鿿').chain('가'..='힣').take(39_000).collect::<String>() + " hay needles 的苹果";
    let token = format!("{} end", "abcdefghi0".repeat(3_000));
    for text in [&often, &lines, &many, &token] {
        fixture.say(text).await;
    }
    let only = |text: &String| vec![text.clone()];
    assert_eq!(fixture.find("苹果的味道").await, only(&often));
    assert_eq!(fixture.find("\"果的味\"").await, only(&often));
    assert_eq!(fixture.find("果味").await, [""; 0]);
    assert_eq!(fixture.find("log_x").await, only(&lines));
    assert_eq!(fixture.find("\"and logs\"").await, only(&lines));
    assert_eq!(fixture.find("logs-run*").await, only(&lines));
    assert_eq!(fixture.find("x_log").await, [""; 0]);
    assert_eq!(fixture.find("needle").await, only(&many));
    assert_eq!(fixture.find("\"hay needles\"").await, only(&many));
    assert_eq!(fixture.find("hay_need*").await, only(&many));
    assert_eq!(fixture.find("needles的苹").await, only(&many));
    assert_eq!(fixture.find("힢힣").await.len(), usize::from(many.contains("힢힣")));
    assert_eq!(fixture.find("\"needles hay\"").await, [""; 0]);
    assert_eq!(fixture.find("hay -\"hay needles\"").await, [""; 0]);
    assert_eq!(fixture.find("苹果 -\"needles 的\"").await, only(&often));
    assert_eq!(fixture.find("abcdefghi0abc*").await, only(&token));
    assert_eq!(fixture.find(&format!("{}*", "abcdefghi0".repeat(40))).await, only(&token));
    assert_eq!(fixture.find(&format!("{}b*", "abcdefghi0".repeat(40))).await, [""; 0]);
    // A mark changes nothing about the words.
    let message = fixture.say(&("x1 ".repeat(300) + "the tail")).await;
    fixture.team.member.put_empty(&format!("/v1/messages/{message}/pin")).await.expect(200);
    assert_eq!(fixture.find("\"the tail\" is:pinned").await.len(), 1);
    let path = format!("/v1/messages/{message}");
    fixture.team.owner.patch(&path, json!({"content": "short now"})).await.expect(200);
    assert_eq!(fixture.find("\"the tail\"").await, [""; 0]);
    assert_eq!(fixture.find("\"short now\" is:pinned").await, ["short now"]);
}

async fn the_exact_form_comes_before_a_form_without_accents(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for text in ["my resume", "my résumé", "a Müller", "a Muller"] {
        fixture.say(text).await;
    }
    for (query, first, second) in [
        ("resume", "my resume", "my résumé"),
        ("résumé", "my résumé", "my resume"),
        ("müller", "a Müller", "a Muller"),
        ("muller", "a Muller", "a Müller"),
    ] {
        assert_eq!(texts(&fixture.search(&fixture.team.owner, query, "").await), [first, second], "{query}");
    }
    assert_eq!(fixture.find("\"résumé\"").await, ["my résumé"]);
}

async fn names_and_emoji_are_found_in_every_unicode_form(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    team.member.patch("/v1/users/me", json!({"display_name": "Zoe\u{308} Gonza\u{301}lez"})).await.expect(200);
    let channel = team.channel(&team.owner, "public", "café", &[]).await;
    team.message(&team.owner, channel, "in the café").await;
    let hearts = fixture.say("hearts").await;
    team.guest.put_empty(&format!("/v1/messages/{hearts}/reactions/{}", escaped("❤\u{FE0F}"))).await.expect(200);
    for query in ["in:#café", "in:#cafe\u{301}", "in:CAFÉ"] {
        assert_eq!(fixture.find(query).await, ["in the café"], "{query}");
    }
    for query in ["has:❤", "has:❤\u{FE0F}"] {
        assert_eq!(fixture.find(query).await, ["hearts"], "{query}");
    }
    let head = fixture.settle().await;
    for name in ["Zoë", "zoe\u{308}", "zoe", "gonzález", "gonzalez", "zoë gon"] {
        let found = team.owner.get_at(head, &team.path(&format!("/search/people?q={}", escaped(name)))).await.expect(200);
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{name}");
    }
}

/// Logs, code, Chinese, Thai, accents, emoji, and everything together.
fn any_text() -> impl Strategy<Value = String> {
    let short = prop_oneof![
        Just("(log|error|INFO|WARN)(_[a-z]{1,3}|: [0-9]{1,3}|\n){1,3}"),
        Just("(fn|let|foo_bar|x[0-9])(\\.|::|\\(|\\) |; ){1,2}"),
        Just("[的是不我一有苹果味道]{1,6}"),
        Just("(กิน|ข้าว|น้ำ|ผัด){1,4}"),
        Just("(résumés?|Straße|İSTANBUL|ΟΔΟΣ|cafe\u{301}|Łódź|हिन्दी) "),
        Just("(running|runs|ran|the|News|flies) "),
        Just("(🎉|❤\u{FE0F}|👍🏽| ){1,3}"),
        Just("[a-zа-я가-나\u{300}-\u{303}]{1,8} "),
    ];
    let piece = short.prop_flat_map(|regex| proptest::string::string_regex(regex).expect("a regex"));
    let times = prop_oneof![8 => Just(1_usize), 1 => Just(90)];
    (proptest::collection::vec(piece, 1..12), times).prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

/// Whether a plain scan finds the words in a text.
fn scan(text: &str, sought: &[String], form: fn(&str) -> String, is_beginning: bool) -> bool {
    let found = words::folded(text).iter().map(|word| form(word)).collect::<Vec<_>>();
    let sought = sought.iter().map(|word| form(word)).collect::<Vec<_>>();
    found.windows(sought.len()).any(|row| {
        let mut pairs = row.iter().zip(&sought).enumerate();
        pairs.all(|(n, (word, sought))| word == sought || (is_beginning && n + 1 == row.len() && word.starts_with(sought)))
    })
}

async fn each_word_phrase_and_beginning_of_any_text_finds_it(backend: Backend) {
    const TEXTS: usize = 40;
    let fixture = Fixture::start(backend).await;
    let mut runner = TestRunner::deterministic();
    let mut said = Vec::new();
    while said.len() < TEXTS {
        let text = any_text().new_tree(&mut runner).expect("a text").current().trim().to_owned();
        if !words::words(&text).is_empty() && !said.contains(&text) {
            fixture.say(&text).await;
            said.push(text);
        }
    }
    let expect = |sought: &[String], form: fn(&str) -> String, is_beginning: bool| {
        said.iter().rev().filter(|text| scan(text, sought, form, is_beginning)).cloned().collect::<Vec<_>>()
    };
    for text in &said {
        let all = words::words(text);
        let (from, length) = (0..all.len(), 1..5_usize).new_tree(&mut runner).expect("a place").current();
        let row = &all[from..all.len().min(from + length)];
        let sought = row.iter().map(|word| word.folded.clone()).collect::<Vec<_>>();
        let phrase = sought.join(" ");
        let found = fixture.find(&format!("\"{phrase}\"")).await;
        assert!(found.contains(text) && found == expect(&sought, str::to_owned, false), "{phrase:?} in {text:?}: {found:?}");

        let found = fixture.find(&phrase.replace(' ', "_")).await;
        assert!(found.contains(text) && found == expect(&sought, words::stem_of, false), "{phrase} in {text:?}: {found:?}");

        let last = sought.last().map_or("", String::as_str);
        let begin = last.chars().take(2.max(last.chars().count() / 2)).collect::<String>();
        if begin.chars().count() >= 2 || !begin.is_ascii() {
            let mut sought = sought.clone();
            sought.pop();
            sought.push(begin);
            let beginning = sought.join("_");
            let found = fixture.find(&format!("{beginning}*")).await;
            let plain: fn(&str) -> String = |word| words::plain(word).into_owned();
            assert!(found.contains(text) && found == expect(&sought, plain, true), "{beginning}* in {text:?}: {found:?}");
        }
    }
}
