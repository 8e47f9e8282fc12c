//! The emojis that Unicode knows, by their sequence and by their short names. The tables are those of the crate
//! `emojis`, and the names that Slack uses differently.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use emojis::{Emoji, Group};

/// Every emoji in every skin tone, by its sequence without variation selectors.
static BY_SEQUENCE: LazyLock<BTreeMap<String, &'static Emoji>> = LazyLock::new(|| {
    let tones = |emoji: &'static Emoji| emoji.skin_tones().into_iter().flatten();
    emojis::iter().flat_map(|emoji| std::iter::once(emoji).chain(tones(emoji))).map(|emoji| (bare(emoji.as_str()), emoji)).collect()
});

/// Every emoji without a skin tone, by its name in Unicode (CLDR), written as a short name.
static BY_NAME: LazyLock<BTreeMap<String, &'static Emoji>> =
    LazyLock::new(|| emojis::iter().map(|emoji| (as_short_name(emoji.name()), emoji)).collect());

/// Short names of Slack that are neither those of `emojis` nor names of Unicode, or that mean another emoji there.
const OF_SLACK: &[(&str, &str)] = &[
    ("admission_tickets", "🎟️"),
    ("barely_sunny", "🌥️"),
    ("doctor", "🧑‍⚕️"),
    ("face_palm", "🤦"),
    ("face_with_cowboy_hat", "🤠"),
    ("face_with_finger_covering_closed_lips", "🤫"),
    ("female-doctor", "👩‍⚕️"),
    ("first_place_medal", "🥇"),
    ("grinning_face_with_one_large_and_one_small_eye", "🤪"),
    ("grinning_face_with_star_eyes", "🤩"),
    ("hand_with_index_and_middle_fingers_crossed", "🤞"),
    ("heavy_heart_exclamation_mark_ornament", "❣️"),
    ("hugging_face", "🤗"),
    ("i_love_you_hand_sign", "🤟"),
    ("knife_fork_plate", "🍽️"),
    ("lightning", "🌩️"),
    ("lightning_cloud", "🌩️"),
    ("lower_left_ballpoint_pen", "🖊️"),
    ("male-doctor", "👨‍⚕️"),
    ("man_and_woman_holding_hands", "👫"),
    ("mostly_sunny", "🌤️"),
    ("mother_christmas", "🤶"),
    ("partly_sunny_rain", "🌦️"),
    ("racing_motorcycle", "🏍️"),
    ("rain_cloud", "🌧️"),
    ("rainbow-flag", "🏳️‍🌈"),
    ("raised_hand_with_fingers_splayed", "🖐️"),
    ("reversed_hand_with_middle_finger_extended", "🖕"),
    ("robot_face", "🤖"),
    ("rolled_up_newspaper", "🗞️"),
    ("second_place_medal", "🥈"),
    ("serious_face_with_symbols_covering_mouth", "🤬"),
    ("shocked_face_with_exploding_head", "🤯"),
    ("sign_of_the_horns", "🤘"),
    ("simple_smile", "🙂"),
    ("sleuth_or_spy", "🕵️"),
    ("smiling_face_with_3_hearts", "🥰"),
    ("smiling_face_with_smiling_eyes_and_hand_covering_mouth", "🤭"),
    ("snow_capped_mountain", "🏔️"),
    ("snow_cloud", "🌨️"),
    ("snowman", "☃️"),
    ("snowman_without_snow", "⛄"),
    ("spiral_calendar_pad", "🗓️"),
    ("spiral_note_pad", "🗒️"),
    ("spock-hand", "🖖"),
    ("sports_medal", "🏅"),
    ("sun_behind_cloud", "🌥️"),
    ("sun_behind_rain_cloud", "🌦️"),
    ("sun_small_cloud", "🌤️"),
    ("the_horns", "🤘"),
    ("third_place_medal", "🥉"),
    ("three_button_mouse", "🖱️"),
    ("thunder_cloud_and_rain", "⛈️"),
    ("umbrella", "☂️"),
    ("umbrella_with_rain_drops", "☔"),
    ("waving_white_flag", "🏳️"),
    ("white_frowning_face", "☹️"),
];

/// The short names that mean this emoji. Slack gives some of them to another one.
pub(super) fn short_names(emoji: &'static Emoji) -> Vec<&'static str> {
    emoji.shortcodes().filter(|name| of_short_name(name) == Some(emoji)).collect()
}

/// The name of the emoji's group in Unicode.
pub(super) fn group(emoji: &Emoji) -> &'static str {
    match emoji.group() {
        Group::SmileysAndEmotion => "smileys_and_emotion",
        Group::PeopleAndBody => "people_and_body",
        Group::AnimalsAndNature => "animals_and_nature",
        Group::FoodAndDrink => "food_and_drink",
        Group::TravelAndPlaces => "travel_and_places",
        Group::Activities => "activities",
        Group::Objects => "objects",
        Group::Symbols => "symbols",
        Group::Flags => "flags",
    }
}

/// The emoji of a sequence, with or without its variation selectors.
pub(super) fn of_unicode(text: &str) -> Option<&'static Emoji> {
    BY_SEQUENCE.get(&bare(text)).copied()
}

/// The emoji of a short name.
pub(super) fn of_short_name(name: &str) -> Option<&'static Emoji> {
    let slack = OF_SLACK.binary_search_by_key(&name, |(name, _)| name).ok().and_then(|at| of_unicode(OF_SLACK[at].1));
    let underscored = || name.replace('-', "_");
    slack
        .or_else(|| emojis::get_by_shortcode(name))
        .or_else(|| flag(name.strip_prefix("flag-")?))
        .or_else(|| emojis::get_by_shortcode(&underscored()))
        .or_else(|| BY_NAME.get(&underscored()).copied())
        .or_else(|| BY_NAME.get(&format!("woman_{}", name.strip_prefix("female-")?.replace('-', "_"))).copied())
        .or_else(|| BY_NAME.get(&format!("man_{}", name.strip_prefix("male-")?.replace('-', "_"))).copied())
        .or_else(|| BY_NAME.get(&format!("family_{}", underscored())).copied())
}

/// The emoji with the skin tones that Slack numbers from 2 to 6. An emoji without that skin tone stays as it is.
pub(super) fn toned(emoji: &'static Emoji, tones: &[u32]) -> &'static Emoji {
    let as_modifier = |tone: &u32| (2..=6).contains(tone).then(|| char::from_u32(0x1f3f9 + tone)).flatten();
    let mut wanted = tones.iter().filter_map(as_modifier).collect::<Vec<char>>();
    // Two people of the same skin tone have one tone together in some emojis.
    wanted.dedup();
    if wanted.is_empty() {
        return emoji;
    }
    let has_them = |toned: &&'static Emoji| {
        let has = toned.as_str().chars().filter(|c| ('\u{1f3fb}'..='\u{1f3ff}').contains(c)).collect::<Vec<char>>();
        has == wanted || (wanted.len() == 1 && !has.is_empty() && has.iter().all(|tone| *tone == wanted[0]))
    };
    emoji.skin_tones().and_then(|mut all| all.find(has_them)).unwrap_or(emoji)
}

/// The flag of a country, by its two letters.
fn flag(country: &str) -> Option<&'static Emoji> {
    let letters = country.bytes().map(|c| c.is_ascii_lowercase().then(|| char::from_u32(0x1f1e6 + u32::from(c - b'a')))?);
    of_unicode(&letters.collect::<Option<String>>()?)
}

/// The sequence without variation selectors: they say how to show the emoji, and not which one it is.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}')).collect()
}

/// `"rolling on the floor laughing"` is `rolling_on_the_floor_laughing`.
fn as_short_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_slack_are_in_order_and_mean_emojis() {
        assert!(OF_SLACK.is_sorted_by_key(|(name, _)| name));
        for (name, emoji) in OF_SLACK {
            assert_eq!(of_unicode(emoji).map(Emoji::as_str), Some(*emoji), "{name}");
        }
    }

    /// A new version of Unicode gives meanings to names that were none. Read models then differ from a rebuild: raise
    /// the version of the relational projection (`projections/src/relational/mod.rs`) and this number together.
    #[test]
    fn the_tables_are_those_of_unicode_18() {
        assert_eq!((emojis::UNICODE_VERSION.major(), emojis::UNICODE_VERSION.minor()), (18, 0));
        assert_eq!(BY_SEQUENCE.len(), emojis::iter().map(|emoji| emoji.skin_tones().map_or(1, Iterator::count)).sum::<usize>());
    }
}
