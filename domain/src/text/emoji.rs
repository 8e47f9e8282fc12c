//! Emojis: the ones that Unicode knows, and the names of a workspace's own. Each has one normal form, so that `❤`, `❤️`
//! and `:heart:` are one reaction (docs/decisions/0034-a-reaction-is-an-emoji.md).

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::InvalidText;

mod names;
mod tables;

/// An emoji in its normal form: the fully qualified sequence of Unicode (UTS #51), or the name of an emoji of a
/// workspace, without colons.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Emoji(String);

impl Emoji {
    /// The most characters (Unicode scalar values) that it may have.
    pub const CHARS_MAX: usize = 100;

    /// The name that replaces a stored text that is no emoji. Earlier releases accepted any text as a reaction. No
    /// workspace can give this name to an emoji.
    pub const UNKNOWN: &str = "not-an-emoji";

    /// Parses an emoji, its short name (with or without colons, and with a skin tone as Slack writes it:
    /// `:+1::skin-tone-3:`), or the name of an emoji of a workspace. The workspace must still be asked whether it has
    /// an emoji of that name ([`Emoji::is_custom`]).
    ///
    /// # Errors
    /// The text is none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let refuse = |reason: String| Err(InvalidText { field: "emoji", reason });
        let text = text.trim();
        if text.is_empty() {
            return refuse("may not be empty".into());
        }
        let chars = text.chars().count();
        if chars > Self::CHARS_MAX {
            return refuse(format!("may have at most {} characters; this has {chars}", Self::CHARS_MAX));
        }
        match normal(text) {
            Some(emoji) if emoji != Self::UNKNOWN => Ok(Self(emoji)),
            _ => refuse("must be an emoji, its short name such as :tada:, or the name of an emoji of the workspace".into()),
        }
    }

    /// Parses the emoji of a reaction to remove. A text that is no emoji means the old reactions that were none: they
    /// all have one name.
    #[must_use]
    pub fn to_remove(text: &str) -> Self {
        Self::from(text.to_owned())
    }

    /// The emoji.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a name that only a workspace can give a meaning to.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        tables::of_unicode(&self.0).is_none()
    }

    /// The emojis of Unicode, in its order, without skin tones.
    pub fn of_unicode() -> impl Iterator<Item = UnicodeEmoji> {
        emojis::iter().map(|emoji| UnicodeEmoji {
            emoji: emoji.as_str(),
            name: emoji.name(),
            group: tables::group(emoji),
            short_names: tables::short_names(emoji),
            has_skin_tones: emoji.skin_tones().is_some(),
        })
    }

    /// The emojis that a search for this one finds: itself, and if it has no skin tone, the same with each skin tone.
    #[must_use]
    pub fn with_skin_tones(&self) -> Vec<String> {
        let toned = tables::of_unicode(&self.0).filter(|found| found.skin_tone() == Some(emojis::SkinTone::Default));
        match toned.and_then(emojis::Emoji::skin_tones) {
            Some(tones) => tones.map(|tone| tone.as_str().to_owned()).collect(),
            None => vec![self.0.clone()],
        }
    }
}

/// An emoji that Unicode knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnicodeEmoji {
    /// The emoji in its normal form.
    pub emoji: &'static str,
    /// Its name in Unicode (CLDR).
    pub name: &'static str,
    /// The group of Unicode that it belongs to, such as `animals_and_nature`.
    pub group: &'static str,
    /// Its short names, without colons. The first is the usual one. An emoji may have none.
    pub short_names: Vec<&'static str>,
    /// Whether it can have a skin tone.
    pub has_skin_tones: bool,
}

/// Stored texts of every earlier release have a normal form, too. The events stay as they are.
impl From<String> for Emoji {
    fn from(stored: String) -> Self {
        Self(normal(stored.trim()).unwrap_or_else(|| Self::UNKNOWN.into()))
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> Self {
        emoji.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Emoji {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The name of an emoji of a workspace, in its normal form and without colons.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmojiName(String);

impl EmojiName {
    /// Parses a name: letters and digits of any script in lower case, `_`, `-` and `+`. Colons around it are removed.
    ///
    /// # Errors
    /// The text is no such name, or the short name of an emoji of Unicode.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let refuse = |reason: &str| Err(InvalidText { field: "emoji_name", reason: reason.into() });
        match Emoji::parse(text) {
            Ok(emoji) if emoji.is_custom() => Ok(Self(emoji.0)),
            Ok(emoji) => refuse(&format!("may not be {emoji} or one of its short names: every workspace has that emoji already")),
            Err(_) => refuse("may have lower case letters, digits, '_', '-' and '+' only, and needs a letter or a digit"),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EmojiName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmojiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The normal form of an emoji, a short name or a workspace's name. `None` if the text is none of these.
fn normal(text: &str) -> Option<String> {
    if let Some(emoji) = tables::of_unicode(text) {
        return Some(emoji.as_str().to_owned());
    }
    let name = names::normal(text.trim_matches(':'))?;
    let (base, tones) = names::split_tones(&name);
    match tables::of_short_name(base) {
        Some(emoji) => Some(tables::toned(emoji, &tones).as_str().to_owned()),
        None => names::is_name(base).then(|| base.to_owned()),
    }
}

#[cfg(test)]
mod tests;
