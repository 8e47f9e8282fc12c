//! What is an emoji, and what its normal form is.

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{Emoji, EmojiName};

fn parsed(text: &str) -> Option<String> {
    Emoji::parse(text).ok().map(String::from)
}

fn expect(expected: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(parsed(text).as_deref(), Some(expected), "{text:?}");
        assert_eq!(Emoji::from((*text).to_owned()).as_str(), expected, "{text:?} as it is stored");
    }
}

#[test]
fn an_emoji_is_the_same_with_and_without_its_variation_selector() {
    expect("❤️", &["❤", "❤️", "❤\u{fe0e}", " ❤ ", "heart", ":heart:"]);
    expect("👍", &["👍", "👍\u{fe0f}", "+1", "thumbsup", ":+1:", "THUMBSUP"]);
    expect("1️⃣", &["1️⃣", "1⃣", "one"]);
    expect("❤️‍🔥", &["❤️‍🔥", "❤‍🔥", "heart_on_fire"]);
    expect("🕵🏽‍♀️", &["🕵🏽‍♀️", "🕵🏽‍♀"]);
    expect("🏳️‍🌈", &["🏳️‍🌈", "🏳‍🌈", "rainbow-flag", "rainbow_flag"]);
    expect("©️", &["©", "©️"]);
    expect("🇨🇭", &["🇨🇭", "flag-ch", "switzerland"]);
    expect("🏴󠁧󠁢󠁥󠁮󠁧󠁿", &["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "flag-england"]);
}

#[test]
fn the_short_names_of_slack_and_their_skin_tones_are_emojis() {
    expect("👍🏼", &["+1::skin-tone-3", ":+1::skin-tone-3:", "+1-skin-tone-3", "👍🏼"]);
    expect("👋🏿", &["wave::skin-tone-6"]);
    expect("🎉", &["tada", "tada::skin-tone-2", "🎉"]);
    expect("🤷‍♀️", &["woman-shrugging"]);
    expect("👩🏽‍⚕️", &["female-doctor::skin-tone-4"]);
    expect("👨‍💻", &["male-technologist"]);
    expect("🤣", &["rolling_on_the_floor_laughing", "rofl"]);
    expect("🤔", &["thinking_face", "thinking"]);
    expect("🤖", &["robot_face", "robot"]);
    expect("🤝🏻", &["handshake::skin-tone-2", "handshake::skin-tone-2-2"]);
    expect("👨‍👩‍👦", &["man-woman-boy"]);
    assert_eq!(parsed("handshake::skin-tone-2-6").map(|e| e.chars().filter(|c| *c == '🏻' || *c == '🏿').count()), Some(2));
}

#[test]
fn a_name_that_unicode_does_not_know_is_left_to_the_workspace() {
    for (name, normal) in [
        ("party_parrot", "party_parrot"),
        (":Party-Parrot:", "party-parrot"),
        ("ありか\u{3099}とう", "ありがとう"),
        ("हिन्दी", "हिन्दी"),
        ("party_parrot::skin-tone-2", "party_parrot"),
        ("skin-tone-2", "skin-tone-2"),
        ("c++", "c++"),
    ] {
        let emoji = Emoji::parse(name).expect("a name");
        assert!(emoji.is_custom(), "{name}");
        assert_eq!(emoji.as_str(), normal);
    }
    assert!(!Emoji::parse("tada").expect("an emoji").is_custom());
}

#[test]
fn a_workspace_names_its_emojis_with_letters_that_can_be_seen_and_takes_no_name_of_unicode() {
    for name in ["party_parrot", ":Party_Parrot:", "名前", "c++", "2fast"] {
        assert!(EmojiName::parse(name).is_ok(), "{name}");
    }
    let too_long = "x".repeat(Emoji::CHARS_MAX + 1);
    for name in ["tada", "+1", "❤", "man-shrugging", "flag-ch", "", "a b", "a.b", "\u{3164}", "+", too_long.as_str(), Emoji::UNKNOWN] {
        assert_eq!(EmojiName::parse(name).expect_err(name).field, "emoji_name");
    }
}

#[test]
fn any_other_text_is_no_emoji() {
    for text in [
        "",
        ":",
        "Hans Muster",
        "Hans.Muster",
        "hans@example.org",
        "👍👍",
        "👍a",
        "1\u{fe0f}\u{fe0f}!",
        "🇦",
        "🏻",
        "👩‍🚗",
        "++",
        "_",
        "\u{3164}",
        "a\u{200b}",
        "\u{202e}a",
        "\u{301}a",
        "𝐇𝐚𝐧𝐬",
        "<b>",
        "a\nb",
        "a:b",
        Emoji::UNKNOWN,
    ] {
        assert_eq!(parsed(text), None, "{text:?}");
        assert_eq!(Emoji::from(text.to_owned()).as_str(), Emoji::UNKNOWN, "{text:?}");
    }
}

#[test]
fn a_search_for_an_emoji_finds_its_skin_tones_and_a_search_for_a_tone_finds_only_that() {
    let found = |text: &str| Emoji::parse(text).expect("an emoji").with_skin_tones();
    assert_eq!(found("+1"), ["👍", "👍🏻", "👍🏼", "👍🏽", "👍🏾", "👍🏿"]);
    assert_eq!(found("👍🏼"), ["👍🏼"]);
    assert_eq!(found("❤"), ["❤️"]);
    assert_eq!(found("party_parrot"), ["party_parrot"]);
}

#[test]
fn every_emoji_of_unicode_is_its_own_normal_form() {
    for emoji in emojis::iter().flat_map(|emoji| std::iter::once(emoji).chain(emoji.skin_tones().into_iter().flatten())) {
        expect(emoji.as_str(), &[emoji.as_str()]);
        assert!(emoji.as_str().chars().count() <= Emoji::CHARS_MAX);
    }
}

proptest! {
    #[test]
    fn the_normal_form_of_a_normal_form_is_itself(text in any::<String>(), name in "[a-zA-Zé:+_-]{0,8}(::skin-tone-[1-7]){0,2}") {
        for text in [text, name] {
            let once = Emoji::from(text);
            prop_assert_eq!(Emoji::from(once.as_str().to_owned()), once);
        }
    }
}

#[test]
fn every_emoji_of_the_list_can_be_a_reaction_by_itself_and_by_its_short_names() {
    let mut seen = std::collections::BTreeSet::new();
    for known in Emoji::of_unicode() {
        assert_eq!(Emoji::parse(known.emoji).expect("an emoji").as_str(), known.emoji);
        assert!(seen.insert(known.emoji), "{} is listed twice", known.emoji);
        for name in &known.short_names {
            assert_eq!(Emoji::parse(name).expect("a short name").as_str(), known.emoji, "{name}");
        }
        let toned = Emoji::parse(known.emoji).expect("an emoji").with_skin_tones().len() > 1;
        assert_eq!(toned, known.has_skin_tones, "{}", known.emoji);
    }
    assert!(seen.len() > 1_500 && seen.contains("🎉"), "{}", seen.len());
}
