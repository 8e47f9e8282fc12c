//! Value types of text. A text is parsed once, when it enters the server, and is valid from then on. The limits are
//! those of the seed's columns.
//!
//! Reading an event does not check again, so accepted texts stay readable when a limit changes.

mod addresses;
mod characters;
mod emoji;
mod identifiers;
mod lines;
mod passwords;
mod twins;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use characters::{is_visible, nfc};
pub use emoji::{Emoji, EmojiName, UnicodeEmoji};
pub use lines::one_line_of;
pub use passwords::{DECOMPOSED_MAX, is_typed, opaque, spellings};
pub use twins::keys as twins_of;

/// The error that a text is invalid: the field, and how to correct it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidText {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong, and what is valid. The words follow the field's name.
    pub reason: String,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $field:literal, max_chars: $max:literal, rule: $rule:expr $(, form: $form:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most characters (Unicode scalar values) that it may have.
            pub const CHARS_MAX: usize = $max;

            /// Parses the text. White space at both ends is removed.
            ///
            /// # Errors
            /// The text breaks a rule of this type.
            pub fn parse(text: &str) -> Result<Self, InvalidText> {
                $(let text = &$form(text);)?
                parse($field, Self::CHARS_MAX, $rule, text).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(
    /// A mail address. Two addresses are compared without case, and without regard to the spelling of the host
    /// ([`Email::folded`]).
    Email, "email", max_chars: 255, rule: email
);
text!(
    /// The name that others mention: letters of any script, digits, `.`, `_` and `-`. Two names are compared without
    /// case ([`Username::folded`]), and by how they look ([`Username::twins`]).
    Username, "username", max_chars: 100, rule: username, form: identifiers::plain
);
text!(
    /// The name that clients show.
    DisplayName, "display_name", max_chars: 200, rule: lines::check, form: lines::nickname
);
text!(
    /// A job title.
    Title, "title", max_chars: 200, rule: lines::check, form: nfc
);
text!(
    /// A department.
    Department, "department", max_chars: 100, rule: lines::check, form: nfc
);
text!(
    /// A telephone number, in any notation.
    Phone, "phone", max_chars: 50, rule: lines::check, form: nfc
);
text!(
    /// A few lines in which users describe themselves.
    Bio, "bio", max_chars: 10000, rule: visible
);
text!(
    /// Pronouns.
    Pronouns, "pronouns", max_chars: 50, rule: lines::check, form: nfc
);
text!(
    /// A name of the time zone database, such as `Europe/Zurich`.
    Timezone, "timezone", max_chars: 50, rule: timezone
);
text!(
    /// A language tag (BCP 47), such as `en` or `de-CH`.
    Language, "language", max_chars: 10, rule: language
);
text!(
    /// The address of a picture, with `http` or `https`.
    AvatarUrl, "avatar_url", max_chars: 2000, rule: web_address
);
text!(
    /// A workspace's name.
    WorkspaceName, "name", max_chars: 200, rule: lines::check, form: lines::nickname
);
text!(
    /// A workspace's domain, such as `acme.example.org`: lower case.
    WorkspaceDomain, "domain", max_chars: 100, rule: domain
);
text!(
    /// A channel's name: lower case letters of any script, digits, `-`, `_` and `.`, without spaces.
    ChannelName, "name", max_chars: 100, rule: channel_name, form: identifiers::plain
);
text!(
    /// The channel's name that clients show.
    ChannelDisplayName, "display_name", max_chars: 200, rule: lines::check, form: lines::nickname
);
text!(
    /// The present subject of the conversation.
    Topic, "topic", max_chars: 500, rule: visible
);
text!(
    /// The purpose of the channel.
    Purpose, "purpose", max_chars: 10000, rule: visible
);
text!(
    /// A description.
    Description, "description", max_chars: 10000, rule: visible
);
text!(
    /// The text of a message.
    MessageBody, "content", max_chars: 40000, rule: visible
);
text!(
    /// The sender's own identifier for a message. A second post with the same one is a repetition of the first.
    ClientMsgId, "client_msg_id", max_chars: 100, rule: one_line
);
text!(
    /// A user's present activity.
    StatusText, "text", max_chars: 200, rule: lines::check, form: nfc
);
text!(
    /// A reason that a user or an operator gives.
    Reason, "reason", max_chars: 1000, rule: visible
);

impl MessageBody {
    /// The text that replaces a purged text.
    #[must_use]
    pub fn purged() -> Self {
        Self(String::new())
    }
}

impl ClientMsgId {
    /// The form that is kept: a keyed hash (HMAC) of the identifier, in hexadecimal digits.
    #[must_use]
    pub fn kept(hash: &str) -> Self {
        Self(format!("hmac:{hash}"))
    }
}

impl Email {
    /// The address that replaces an erased address of an invitation, which belongs to no user.
    #[must_use]
    pub fn erased() -> Self {
        Self("erased@erased.invalid".into())
    }

    /// The form that addresses are compared in: lower case, with the host in letters.
    #[must_use]
    pub fn folded(&self) -> String {
        addresses::folded(&self.0)
    }

    /// The forms of an address that is looked for or claimed: with the host in letters, and in Punycode. Two addresses
    /// that share one are the same address. The text need not be a valid address.
    #[must_use]
    pub fn forms_of(text: &str) -> BTreeSet<String> {
        BTreeSet::from([addresses::folded(text.trim()), addresses::folded_ascii(text.trim())])
    }
}

impl Username {
    /// The name that replaces an erased name where no reader sees it.
    #[must_use]
    pub fn erased() -> Self {
        Self("erased".into())
    }

    /// The form that names are compared in.
    #[must_use]
    pub fn folded(&self) -> String {
        Self::folded_of(&self.0)
    }

    /// The form of a name that is looked for. The text need not be a valid name.
    #[must_use]
    pub fn folded_of(text: &str) -> String {
        folded_name(text)
    }

    /// The keys of its look: readers cannot tell two names apart that share one.
    #[must_use]
    pub fn twins(&self) -> BTreeSet<String> {
        twins::keys(&self.0)
    }

    /// A name from elsewhere, without the characters that a username may not have. It may be empty, or reserved.
    #[must_use]
    pub fn cleaned(text: &str) -> String {
        identifiers::cleaned(text)
    }
}

impl ChannelName {
    /// The form that names are compared in.
    #[must_use]
    pub fn folded(&self) -> String {
        folded_name(&self.0)
    }

    /// The keys of its look: readers cannot tell two names apart that share one.
    #[must_use]
    pub fn twins(&self) -> BTreeSet<String> {
        twins::keys(&self.0)
    }

    /// A name from elsewhere in lower case, without the characters that a channel's name may not have. It may be empty.
    #[must_use]
    pub fn cleaned(text: &str) -> String {
        identifiers::cleaned(&identifiers::plain(text).to_lowercase())
    }
}

/// A name without case, in the form that names are kept in.
fn folded_name(text: &str) -> String {
    identifiers::plain(&identifiers::plain(text.trim()).to_lowercase())
}

impl DisplayName {
    /// The name that replaces an erased name where no reader sees it.
    #[must_use]
    pub fn erased() -> Self {
        Self("erased".into())
    }
}

impl MessageBody {
    /// The text of a system message or of an imported message, cut to the limit.
    #[must_use]
    pub fn cut(text: &str) -> Self {
        let kept = text.chars().filter(|c| *c != '\0').take(Self::CHARS_MAX).collect();
        Self(kept)
    }
}

type Rule = fn(&str) -> Result<(), &'static str>;

fn parse(field: &'static str, chars_max: usize, rule: Rule, text: &str) -> Result<String, InvalidText> {
    let text = text.trim();
    let refuse = |reason: String| Err(InvalidText { field, reason });
    if text.is_empty() {
        return refuse("may not be empty".into());
    }
    let chars = text.chars().count();
    if chars > chars_max {
        return refuse(format!("may have at most {chars_max} characters; this has {chars}"));
    }
    if text.contains('\0') {
        return refuse("may not contain the character U+0000".into());
    }
    match rule(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(reason) => refuse(reason.into()),
    }
}

fn visible(text: &str) -> Result<(), &'static str> {
    ensure(text.chars().any(is_visible), "must have a character that can be seen")
}

fn one_line(text: &str) -> Result<(), &'static str> {
    ensure(!text.chars().any(char::is_control), "must be one line without control characters")
}

fn email(text: &str) -> Result<(), &'static str> {
    ensure(
        addresses::is_address(text),
        "must be an address such as ann@example.org, without a name, brackets, spaces or characters that cannot be seen",
    )
}

fn username(text: &str) -> Result<(), &'static str> {
    let chars = text.chars().collect::<Vec<_>>();
    match identifiers::check(&chars).and_then(|()| identifiers::check_direction(&chars)) {
        Ok(()) if twins::is_reserved(text) => Err("is, or looks like, a name that this server keeps for itself; choose another"),
        Ok(()) => Ok(()),
        Err(identifiers::Fault::Character) => Err("may have letters, digits, '.', '_' and '-' only"),
        Err(identifiers::Fault::Direction) => Err("may not mix letters from right to left with letters from left to right"),
    }
}

fn channel_name(text: &str) -> Result<(), &'static str> {
    let chars = text.chars().collect::<Vec<_>>();
    let fine = identifiers::check(&chars).is_ok() && !chars.iter().any(|c| c.is_uppercase());
    ensure(fine, "may have lower case letters, digits, '.', '_' and '-' only")
}

fn domain(text: &str) -> Result<(), &'static str> {
    let label = |l: &str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-');
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    ensure(text.chars().all(fine) && text.split('.').all(label), "must be a domain in lower case, such as acme.example.org")
}

fn timezone(text: &str) -> Result<(), &'static str> {
    ensure(text.parse::<chrono_tz::Tz>().is_ok(), "must be a name of the time zone database, such as Europe/Zurich")
}

fn language(text: &str) -> Result<(), &'static str> {
    ensure(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "must be a language tag, such as en or de-CH")
}

fn web_address(text: &str) -> Result<(), &'static str> {
    let scheme = text.starts_with("https://") || text.starts_with("http://");
    ensure(scheme && !text.chars().any(|c| c.is_whitespace() || c.is_control()), "must be an http or https address")
}

fn ensure(fine: bool, reason: &'static str) -> Result<(), &'static str> {
    if fine { Ok(()) } else { Err(reason) }
}

#[cfg(test)]
mod tests;
