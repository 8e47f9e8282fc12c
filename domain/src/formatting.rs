//! The references in a message's text: users, channels, broadcasts, links and files. The text is parsed once, when it
//! is written.
//!
//! The markup is Slack's: `<@USER>`, `<#CHANNEL>`, `<!here>`, `<!channel>`, `<!everyone>`, `<https://…|label>`. Web
//! addresses without brackets count too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{ChannelId, UserId};

/// The kind of a broadcast, which says which members it notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Broadcast {
    /// Members who are present.
    Here,
    /// All members of the channel.
    Channel,
    /// All members of the workspace.
    Everyone,
}

/// A link in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The address.
    pub url: String,
    /// The text that clients show in place of the address, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A file of a message that is stored on another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLink {
    /// The file's name.
    pub name: String,
    /// Its address. An old export may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// The references in a text, each once, in order of appearance. The seed's `formatted_content`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormattedContent {
    /// The mentioned users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// The mentioned channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelId>,
    /// The broadcasts in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broadcasts: Vec<Broadcast>,
    /// The links in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Files that are stored on another server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileLink>,
    /// The name that a bot posts under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_name: Option<String>,
}

impl FormattedContent {
    /// The most references of one kind that are kept.
    pub const REFERENCES_MAX: usize = 500;

    /// Whether there are no references.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Finds the references in `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut content = Self::default();
        let mut rest = text;
        while let Some((before, inside, after)) = next_bracket(rest) {
            content.bare_links(before);
            content.reference(inside);
            rest = after;
        }
        content.bare_links(rest);
        content
    }

    fn reference(&mut self, inside: &str) {
        let (target, label) = match inside.split_once('|') {
            Some((target, label)) => (target, Some(label)),
            None => (inside, None),
        };
        if let Some(id) = target.strip_prefix('@').and_then(|id| id.parse::<Uuid>().ok()) {
            push_once(&mut self.mentions, UserId(id));
        } else if let Some(id) = target.strip_prefix('#').and_then(|id| id.parse::<Uuid>().ok()) {
            push_once(&mut self.channels, ChannelId(id));
        } else if let Some(broadcast) = target.strip_prefix('!').and_then(broadcast) {
            push_once(&mut self.broadcasts, broadcast);
        } else if is_address(target) {
            push_once(&mut self.links, Link { url: target.into(), label: label.map(str::to_owned) });
        }
    }

    fn bare_links(&mut self, text: &str) {
        if !text.contains("://") {
            return;
        }
        for word in text.split_whitespace() {
            let word = word
                .trim_matches(|c: char| matches!(c, '(' | ')' | '[' | ']' | '"' | '\'' | ',' | '.' | ';' | '!' | '?' | '*' | '_' | '`'));
            if word.starts_with("http://") || word.starts_with("https://") {
                push_once(&mut self.links, Link { url: word.into(), label: None });
            }
        }
    }
}

/// The text before the next `<…>`, the text inside it, and the text after it. `None` if no `>` closes a `<`.
fn next_bracket(text: &str) -> Option<(&str, &str, &str)> {
    let (opened, after) = text.split_once('>')?;
    let (before, inside) = opened.rsplit_once('<').unwrap_or((opened, ""));
    Some((before, inside, after))
}

fn broadcast(name: &str) -> Option<Broadcast> {
    match name {
        "here" => Some(Broadcast::Here),
        "channel" => Some(Broadcast::Channel),
        "everyone" => Some(Broadcast::Everyone),
        _ => None,
    }
}

fn is_address(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) && !target.contains(char::is_whitespace)
}

fn push_once<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.len() < FormattedContent::REFERENCES_MAX && !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_channels_broadcasts_and_links_are_found_once_each() {
        let ann = UserId(Uuid::from_u128(1));
        let general = ChannelId(Uuid::from_u128(2));
        let text = format!(
            "1 < 2 > 0 <@{ann}> and <@{ann}> see <#{general}|general> <!here> <https://example.org|here> or https://example.org/a."
        );
        let content = FormattedContent::of(&text);
        assert_eq!(content.mentions, [ann]);
        assert_eq!(content.channels, [general]);
        assert_eq!(content.broadcasts, [Broadcast::Here]);
        assert_eq!(content.links.iter().map(|l| l.url.as_str()).collect::<Vec<_>>(), ["https://example.org", "https://example.org/a"]);
    }

    #[test]
    fn plain_text_and_broken_markup_refer_to_nothing() {
        for text in ["a < b", "<@nobody>", "<!pizza>", "x <", "<script>alert(1)</script>"] {
            assert!(FormattedContent::of(text).is_empty(), "{text}");
        }
    }
}
