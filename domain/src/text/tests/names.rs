//! Names of people and channels: the letters that they may have, how they look, and the names that nobody may take.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{accepts, refuses};
use crate::text::{ChannelName, Username};

/// A word in each of many scripts, without upper case.
const WORDS: [&str; 62] = [
    "hello",
    "größe",
    "naïve",
    "ærø",
    "łódź",
    "ığdır",
    "việtnam",
    "привет",
    "їжак",
    "ғылым",
    "γειά",
    "λόγος",
    "գիրք",
    "և",
    "გამარჯობა",
    "שלום",
    "שָׁלוֹם",
    "مرحبا",
    "سَلَام",
    "گفتگو",
    "اردو",
    "پښتو",
    "ئۇيغۇر",
    "ܫܠܡܐ",
    "ދިވެހި",
    "हिन्दी",
    "मराठी",
    "नमस्ते",
    "বাংলা",
    "ਪੰਜਾਬੀ",
    "ગુજરાતી",
    "ଓଡ଼ିଆ",
    "தமிழ்",
    "తెలుగు",
    "ಕನ್ನಡ",
    "മലയാളം",
    "සිංහල",
    "ข่าว",
    "น้ำ",
    "ลำดับ",
    "ລາວ",
    "ນ້ຳ",
    "ໜ້າ",
    "བོད་ཡིག",
    "မြန်မာ",
    "ខ្មែរ",
    "ភាសាខ្មែរ",
    "አማርኛ",
    "ᏣᎳᎩ",
    "ᐃᓄᒃᑎᑐᑦ",
    "ᠮᠣᠩᠭᠣᠯ",
    "한국어",
    "ㅋㅋ",
    "ひらがな",
    "カタカナ",
    "ラーメン",
    "々",
    "漢字",
    "普通话",
    "𞤀𞤣𞤤𞤢𞤥",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "ꦧꦱꦗꦮ",
];

#[test]
fn letters_and_marks_of_all_scripts_are_names_and_stay_as_they_are() {
    for word in WORDS {
        let username = Username::parse(word).unwrap_or_else(|refused| panic!("{word}: {refused}"));
        assert_eq!(username.as_str(), &*super::nfc(word), "{word}");
        if !word.chars().any(char::is_uppercase) {
            let channel = ChannelName::parse(word).unwrap_or_else(|refused| panic!("{word}: {refused}"));
            assert_eq!(channel.as_str(), &*super::nfc(word), "{word}");
        }
    }
}

#[test]
fn a_name_from_an_archive_keeps_the_letters_of_its_script() {
    for word in WORDS {
        assert_eq!(Username::cleaned(word), super::nfc(word), "{word}");
        assert_eq!(ChannelName::cleaned(word), super::nfc(word).to_lowercase(), "{word}");
    }
    for (name, cleaned) in [
        ("#हिन्दी समाचार!", "हिन्दी-समाचार"),
        ("@ข่าว", "ข่าว"),
        ("a\u{200b}b", "a-b"),
        ("\u{301}", ""),
        ("e\u{301}cole", "école"),
        ("Ｔeam", "team"),
        ("a \u{301}b", "a-b"),
        ("\u{3164}", ""),
        ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ("\u{200c}\u{200c}\u{200d}x\u{200c}", "x"),
    ] {
        assert_eq!(ChannelName::cleaned(name), cleaned, "{name:?}");
    }
}

#[test]
fn a_name_has_one_spelling() {
    for (written, kept) in
        [("cafe\u{301}", "café"), ("한국어", "한국어"), ("ｐａｘｏ", "paxo"), ("𝐩𝐚𝐱𝐨", "paxo"), ("ﾗｰﾒﾝ", "ラーメン"), ("ﬁn", "fin")]
    {
        assert_eq!(Username::parse(written).map(|name| name.to_string()), Ok(kept.into()), "{written:?}");
        assert_eq!(ChannelName::parse(written).map(|name| name.to_string()), Ok(kept.into()), "{written:?}");
    }
    assert_eq!(Username::parse("CAFE\u{301}").map(|name| name.folded()), Ok("café".into()));
}

#[test]
fn what_cannot_be_seen_is_no_name() {
    let invisible = [
        "\u{3164}",
        "\u{ffa0}",
        "\u{115f}",
        "\u{1160}",
        "\u{200b}",
        "\u{200d}",
        "\u{202e}",
        "\u{feff}",
        "\u{ad}",
        "\u{34f}",
        "\u{17b4}",
        "\u{180e}",
        "\u{2060}",
        "\u{2800}",
        "\u{fe0f}",
        "\u{e0001}",
        "\u{13441}",
        "\u{13442}",
        "\u{16fe4}",
        "\u{1d159}",
        "\u{2066}",
        "\u{61c}",
        "\u{e000}",
        "\u{378}",
        "\u{ffff}",
    ];
    for c in invisible {
        for name in [c.to_owned(), format!("ann{c}"), format!("{c}ann"), format!("a{c}nn")] {
            assert!(Username::parse(&name).is_err(), "{name:?}");
            assert!(ChannelName::parse(&name).is_err(), "{name:?}");
        }
    }
}

#[test]
fn a_separator_of_lines_is_no_part_of_a_name() {
    refuses(Username::parse, &["\u{2028}", "a\u{2028}nn", "a\u{2029}nn"]);
    refuses(ChannelName::parse, &["\u{2028}", "a\u{2029}nn"]);
}

#[test]
fn a_mark_belongs_to_a_letter_of_its_script() {
    refuses(Username::parse, &["\u{301}a", "a.\u{301}", "ann\u{94d}", "пар\u{e31}", "-\u{93f}", "a\u{20dd}"]);
    refuses(ChannelName::parse, &["\u{301}a", "ann\u{94d}", "_\u{93f}"]);
    accepts(Username::parse, &["a\u{301}\u{323}", "x\u{304}", "क\u{94d}\u{200d}ष"]);
}

#[test]
fn signs_that_are_no_letters_are_refused() {
    refuses(Username::parse, &["a♥", "🦀", "a/b", "a|b", "½", "a\u{b7}b", "٣۳", "♀", "a\u{200c}b", "\u{640}"]);
    accepts(Username::parse, &["col\u{b7}lega", "محمد٣", "ナ\u{30fb}カ"]);
}

#[test]
fn a_username_has_one_direction() {
    accepts(Username::parse, &["שלום", "שלום2", "محمد_علي", "محمد٣"]);
    refuses(Username::parse, &["ann-שלום", "שלום-ann", "2שלום", "محمد_", "محمد٣2"]);
    accepts(ChannelName::parse, &["פרויקט-api", "api-פרויקט"]);
}

fn are_twins(a: &str, b: &str) -> bool {
    let [a, b] = [a, b].map(|name| Username::parse(name).expect("a name").twins());
    !a.is_disjoint(&b)
}

#[test]
fn names_that_look_alike_are_twins() {
    for (name, twin) in [
        ("paxo", "рахо"),
        ("paxo", "pахo"),
        ("paxo", "PАXО"),
        ("paxo", "ｐａｘｏ"),
        ("paxo", "𝐩𝐚𝐱𝐨"),
        ("paxo", "𝓹𝓪𝔁𝓸"),
        ("paul", "pauI"),
        ("paul", "pau1"),
        ("scope", "ѕсоре"),
        ("alpha", "ɑlphɑ"),
        ("omikron", "οmikrοn"),
        ("modern", "rnodern"),
        ("bob-a", "bob\u{2010}a"),
        ("strasse", "STRASSE"),
        ("οδος", "ΟΔΟΣ"),
        ("οδος", "οδοσ"),
        ("straße", "STRASSE"),
        ("ali", "ali\u{307}"),
        ("istanbul", "İstanbul"),
        ("ırmak", "irmak"),
        ("andré", "andre\u{301}\u{301}"),
    ] {
        let Ok(twin) = Username::parse(twin) else { continue };
        assert!(are_twins(name, twin.as_str()), "{name} {twin}");
    }
    for (one, other) in [("paxo", "paxa"), ("ann", "anne"), ("ann", "änn"), ("安", "安安"), ("пахарь", "paxar"), ("person2", "person3")]
    {
        assert!(!are_twins(one, other), "{one} {other}");
    }
}

#[test]
fn reserved_names_are_refused_in_every_look() {
    refuses(
        Username::parse,
        &[
            "me",
            "ME",
            "here",
            "Here",
            "channel",
            "everyone",
            "all",
            "aII",
            "ALL",
            "system",
            "backscroll",
            "erased",
            "mе",
            "hеrе",
            "ｈｅｒｅ",
            "𝐞𝐯𝐞𝐫𝐲𝐨𝐧𝐞",
            "ѕуѕtеm",
            "ｍｅ",
        ],
    );
    accepts(Username::parse, &["here2", "mel", "channels", "allison", "emma", "owner", "admin", "slackbot", "systems", "her"]);
    accepts(ChannelName::parse, &["all", "here", "everyone", "general"]);
    assert!(Username::parse("here").is_err_and(|refused| refused.field == "username" && refused.reason.contains("choose another")));
}

proptest! {
    #[test]
    fn every_cleaned_name_is_accepted_or_empty_or_another_rule_refuses_it(text in any::<String>()) {
        let cleaned = ChannelName::cleaned(&text).chars().take(100).collect::<String>();
        prop_assert!(cleaned.is_empty() || ChannelName::parse(&cleaned).is_ok(), "{:?} of {:?}", cleaned, text);
        let cleaned = Username::cleaned(&text).chars().take(100).collect::<String>();
        if let Err(refused) = Username::parse(&cleaned) {
            prop_assert!(cleaned.is_empty() || !refused.reason.starts_with("may have letters"), "{:?} of {:?}", cleaned, text);
        }
    }

    #[test]
    fn a_name_is_its_own_twin_in_every_case(name in "[a-zA-Z0-9éßÖжЖσΣИй]{1,12}") {
        if let Ok(parsed) = Username::parse(&name) {
            for other in [name.to_uppercase(), name.to_lowercase()] {
                prop_assert!(are_twins(&name, &other), "{} {}", name, other);
            }
            prop_assert_eq!(Username::parse(parsed.as_str()), Ok(parsed.clone()));
            prop_assert_eq!(Username::folded_of(&parsed.folded()), parsed.folded());
        }
    }
}
