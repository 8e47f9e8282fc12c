//! The rule of texts that are shown in one line, such as display names: every character can be seen, and none changes
//! the direction or the width of what follows. Joiners and selectors may stand where emoji and scripts need them.
//!
//! Spaces are as in the nickname profile of PRECIS (RFC 8266). The form is C and not KC, because these names are not
//! compared, and `½`, `™` and full-width letters are what people wrote.

use icu_properties::props::{Emoji, EmojiModifier, ExtendedPictographic, GeneralCategoryGroup, Script};

use super::characters::{is, is_in, is_invisible, is_unknown, is_visible, nfc, script};
use super::identifiers::joins;

/// The form that a nickname is kept in: normal form C, and one plain space for each run of spaces.
pub(super) fn nickname(text: &str) -> String {
    let spaced = text.chars().map(|c| if is_space(c) { ' ' } else { c }).collect::<String>();
    let words = spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    nfc(&words).into_owned()
}

/// Whether the character is a space of any width, but no tab and no line break.
pub(super) fn is_space(c: char) -> bool {
    is_in(GeneralCategoryGroup::SpaceSeparator, c)
}

/// Checks that a text has a character that can be seen, and none that is refused in a line.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if !text.chars().any(is_visible) {
        return Err("must have a character that can be seen");
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters");
    }
    let chars = text.chars().collect::<Vec<_>>();
    let fine = (0..chars.len()).all(|at| is_allowed(&chars, at));
    if fine {
        Ok(())
    } else {
        Err("may not have characters that cannot be seen or that change the direction of the text; type it instead of pasting it")
    }
}

/// Whether the character at this place may stand in a line.
pub(super) fn is_allowed(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let before = at.checked_sub(1).map(|before| chars[before]);
    match c {
        '\u{200c}' => joins(chars, at),
        '\u{200d}' => joins(chars, at) || joins_emoji(before, chars.get(at + 1).copied()),
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(is::<Emoji>),
        '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}' => before.is_some_and(|c| script(c) == Script::Han),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => before.is_some_and(|c| script(c) == Script::Mongolian),
        '\u{e0020}'..='\u{e007f}' => before.is_some_and(|c| is_tag(c) || is_emoji(c)),
        _ => !c.is_control() && !is_invisible(c) && !is_unknown(c),
    }
}

/// Whether a joiner makes one emoji of two, as in 👩‍💻.
fn joins_emoji(before: Option<char>, after: Option<char>) -> bool {
    before.is_some_and(|c| c == '\u{fe0f}' || is_emoji(c)) && after.is_some_and(is::<ExtendedPictographic>)
}

fn is_emoji(c: char) -> bool {
    is::<ExtendedPictographic>(c) || is::<EmojiModifier>(c)
}

/// Whether the character is a letter of a flag such as 🏴󠁧󠁢󠁳󠁣󠁴󠁿.
fn is_tag(c: char) -> bool {
    ('\u{e0020}'..='\u{e007e}').contains(&c)
}

/// The text without the characters that are refused in a line, for texts from elsewhere.
#[must_use]
pub fn one_line_of(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c });
    let mut chars = spaced.collect::<Vec<_>>();
    loop {
        let kept = (0..chars.len()).filter(|at| is_allowed(&chars, *at)).map(|at| chars[at]).collect::<Vec<_>>();
        if kept.len() == chars.len() {
            return kept.into_iter().collect::<String>().trim().to_owned();
        }
        chars = kept;
    }
}
