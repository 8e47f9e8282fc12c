//! The names of emojis: what they may consist of, and the skin tones that Slack appends to them.

use crate::text::characters::{is_mark, nfc};

/// The text before the numbers of the skin tones, as Slack writes it.
const SKIN_TONE: &str = "skin-tone-";

/// Letters that cannot be seen: the fillers of Hangul.
const INVISIBLE: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// The form in which names are compared: lower case and composed (NFC). `None` if the text has characters that no name
/// can have.
pub(super) fn normal(text: &str) -> Option<String> {
    let name = nfc(&text.to_lowercase()).into_owned();
    name.chars().all(|c| c == ':' || is_fine(c)).then_some(name)
}

/// Whether the text is a name: letters and digits of any script without upper case, `_`, `-` and `+`, of which at
/// least one is a letter or a digit.
pub(super) fn is_name(name: &str) -> bool {
    let begins_with_a_mark = name.starts_with(is_mark);
    !begins_with_a_mark && name.contains(char::is_alphanumeric) && name.chars().all(is_fine)
}

fn is_fine(c: char) -> bool {
    let is_letter = (c.is_alphanumeric() || is_mark(c)) && !c.is_uppercase() && !INVISIBLE.contains(&c);
    is_letter || matches!(c, '_' | '-' | '+')
}

/// Splits `+1::skin-tone-3` into the name and the skin tones. Release 0.1.0 wrote `+1-skin-tone-3` for imported ones.
pub(super) fn split_tones(name: &str) -> (&str, Vec<u32>) {
    let (mut base, mut found) = (name, Vec::new());
    while let Some((before, tones)) = base.rsplit_once(SKIN_TONE)
        && let Some(before) = before.strip_suffix("::").or_else(|| before.strip_suffix('-')).filter(|before| !before.is_empty())
        && let Ok(tones) = tones.split('-').map(str::parse).collect::<Result<Vec<u32>, _>>()
    {
        (base, found) = (before, tones);
    }
    (base, found)
}
