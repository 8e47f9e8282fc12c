use proptest::prelude::*;

use super::*;

/// The plain form of the only word.
fn plain_of(text: &str) -> String {
    let found = folded(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    plain(&found[0]).into_owned()
}

fn decomposed(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned()
}

#[test]
fn words_are_runs_of_letters_and_digits_in_lower_case() {
    assert_eq!(folded("Don't PANIC, foo_bar.rs v1.2 (é!)"), ["don", "t", "panic", "foo", "bar", "rs", "v1", "2", "é"]);
    assert_eq!(folded(" \t—… $€ \u{301}\u{200D} ㅤ"), [""; 0]);
    let text = "Älter & älter";
    assert_eq!(words(text).iter().map(|w| &text[w.from..w.to]).collect::<Vec<_>>(), ["Älter", "älter"]);
}

#[test]
fn characters_of_scripts_without_spaces_are_words_of_their_own() {
    assert_eq!(folded("全文検索ok、テスト。한국어"), ["全", "文", "検", "索", "ok", "テ", "ス", "ト", "한", "국", "어"]);
    assert_eq!(folded("กินน้ำ"), ["กิ", "น", "น้ำ"], "Thai");
    assert_eq!(folded("ພາສາ"), ["ພ", "າ", "ສ", "າ"], "Lao");
    assert_eq!(folded("ភាសា").concat(), "ភាសា", "Khmer");
    assert!(folded("ភាសា").len() > 1);
    assert_eq!(folded("ကာလ"), ["ကာ", "လ"], "Burmese: no mark is lost");
    assert_eq!(folded("ราคา 25 บาท")[4], "25");
}

#[test]
fn marks_stay_inside_the_words_of_scripts_with_spaces() {
    assert_eq!(folded("हिन्दी में"), ["हिन्दी", "में"]);
    assert_eq!(folded("தமிழ், বাংলা"), ["தமிழ்", "বাংলা"]);
    assert_eq!(folded("می\u{200C}خواهم"), ["میخواهم"], "an invisible character separates nothing");
}

#[test]
fn composed_and_decomposed_words_are_equal() {
    for text in ["café", "한국어", "Ångström", "ガギ", "Việt", "ΐ", "έ", "क़लम", "ヴ"] {
        assert_eq!(folded(&decomposed(text)), folded(text), "{text}");
    }
    assert_eq!(folded(&decomposed("a ≠ b")), ["a", "b"]);
}

#[test]
fn case_is_folded_as_unicode_says() {
    for (upper, lower) in [("ΟΔΟΣ", "οδος"), ("STRASSE", "straße"), ("ЁЖ", "ёж"), ("ԲԱՐԵՒ", "բարեւ"), ("ꭰ", "Ꭰ"), ("ﬃ", "FFI"), ("K", "K")]
    {
        assert_eq!(folded(upper), folded(lower), "{upper}");
    }
    assert_eq!(folded("İstanbul"), ["i\u{307}stanbul"]);
    assert_eq!(plain_of("İstanbul"), plain_of("ISTANBUL"));
    assert_eq!(plain_of("ısı"), "isi");
}

#[test]
fn the_plain_form_has_no_accents() {
    for (text, expected) in [
        ("Résumé", "resume"),
        ("Łódź", "lodz"),
        ("smørrebrød", "smorrebrod"),
        ("Đặng", "dang"),
        ("Αθήνα", "αθηνα"),
        ("ёлка", "елка"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("ＡＢＣ１", "abc1"),
        ("ﬁx", "fix"),
        ("H₂O", "h2o"),
        ("ﾃﾞ", "デ"),
        ("が", "が"),
        ("𝐛𝐨𝐥𝐝", "bold"),
        ("हिन्दी", "हिन्दी"),
    ] {
        assert_eq!(plain_of(text), expected, "{text}");
    }
    assert_eq!(stem_of("résumés"), stem_of("resume"));
}

#[test]
fn a_variation_selector_makes_no_other_emoji() {
    assert_eq!(folded("I ❤️ it, ❤"), ["i", "❤", "it", "❤"]);
    assert_eq!(folded("🎉🎉 👩‍💻"), ["🎉", "🎉", "👩💻"]);
    assert_eq!(plain_of("👍🏽"), "👍");
    assert_eq!(emoji_names("❤️"), ["❤"]);
    assert_eq!(emoji_names("+1::skin-tone-3"), ["+1::skin-tone-3", "+1"]);
    assert_eq!(emoji_names("👍🏽"), ["👍🏽", "👍"]);
}

#[test]
fn names_in_markup_are_not_words_but_their_labels_are() {
    let id = "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b";
    assert_eq!(
        folded(&format!("hi <@{id}>, see <#{id}|general> <!here> <@ann> <https://example.org/a|here>")),
        ["hi", "see", "general", "here", "ann", "https", "example", "org", "a", "here"]
    );
}

#[test]
fn the_ranges_are_in_order_and_the_unchanging_characters_do_not_change() {
    for ranges in [&IDEOGRAPHS[..], &ACCENTS[..], &UNCHANGING[..]] {
        assert!(ranges.iter().all(|(from, to)| from <= to));
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
    for c in UNCHANGING.into_iter().flat_map(|(from, to)| from..=to).map(String::from) {
        let compatible = DecomposingNormalizerBorrowed::new_nfkd().normalize(&c).into_owned();
        assert!(fold(&c) == c && fold(&compatible) == c, "{c}");
    }
}

#[test]
fn every_letter_is_a_word_that_is_found_in_upper_and_in_lower_case() {
    for c in ('\u{80}'..='\u{1FFFF}').filter(|c| c.is_alphanumeric() && !is_in(&UNCHANGING, *c)) {
        let found = folded(&c.to_string());
        assert!(found.len() <= 1, "{c}: {found:?}");
        // The i without a dot is another letter, and a letter of its own in upper case.
        if c.is_alphabetic() && !matches!(c, 'ı') && found.len() == 1 && !plain(&found[0]).is_empty() {
            assert_eq!(folded(&c.to_uppercase().to_string()).concat(), found.concat(), "{c}");
        }
    }
}

proptest! {
    #[test]
    fn a_word_is_split_and_folded_into_itself(text in r"(\PC|[a-zA-Z0-9]|é|ก็|한|全| ){0,40}") {
        for word in words(&text) {
            prop_assert_eq!(folded(&text[word.from..word.to]), vec![word.folded.clone()]);
            prop_assert!(!plain(&word.folded).is_empty() && !stem_of(&word.folded).is_empty());
            prop_assert!(!word.folded.contains([' ', '/', '|', '\n', '"']) && !plain(&word.folded).contains([' ', '/', '|', '\n', '"']));
        }
    }

    #[test]
    fn normal_forms_have_the_same_words(text in r"(\PC|[a-zA-Z]|é|ก็|한|全| ){0,40}") {
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned();
        prop_assert_eq!(folded(&decomposed(&text)), folded(&composed));
    }
}
