//! The references in a message's text: users, channels, broadcasts, links and files. The text is parsed once, when it
//! is written.
//!
//! The markup is Slack's: `<@USER>`, `<#CHANNEL>`, `<!here>`, `<!channel>`, `<!everyone>`, `<https://…|label>`. Web
//! addresses without brackets count too.
//!
//! Text in `code`, or in a code block between ```` ``` ````, is text: it mentions nobody and no channel. Addresses in it
//! are links all the same, so that a search for links finds them.

use std::ops::Range;

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

/// The fewest backticks that open a block of code.
const BLOCK: usize = 3;

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
        let (mut content, mut code) = (Self::default(), code_spans(text).into_iter().peekable());
        let mut rest = text;
        while let Some((before, inside, after)) = next_bracket(rest) {
            content.bare_links(before);
            let place = text.len() - after.len() - '>'.len_utf8() - inside.len();
            while code.next_if(|span| span.end <= place).is_some() {}
            let is_code = code.peek().is_some_and(|span| span.contains(&place));
            content.reference(inside, is_code);
            rest = after;
        }
        content.bare_links(rest);
        content
    }

    fn reference(&mut self, inside: &str, is_code: bool) {
        let (target, label) = match inside.split_once('|') {
            Some((target, label)) => (target, Some(label)),
            None => (inside, None),
        };
        if is_address(target) {
            push_once(&mut self.links, Link { url: target.into(), label: label.map(str::to_owned) });
        }
        if is_code {
            return;
        }
        if let Some(id) = target.strip_prefix('@').and_then(|id| id.parse::<Uuid>().ok()) {
            push_once(&mut self.mentions, UserId(id));
        } else if let Some(id) = target.strip_prefix('#').and_then(|id| id.parse::<Uuid>().ok()) {
            push_once(&mut self.channels, ChannelId(id));
        } else if let Some(broadcast) = target.strip_prefix('!').and_then(broadcast) {
            push_once(&mut self.broadcasts, broadcast);
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

/// The places of the text that are code, without their backticks, in order.
///
/// Three or more backticks open a block, which the same number closes. A block that begins a line and is not closed
/// reaches to the end of the text. One or two backticks open code that the same number closes in the same line. Any
/// other backtick is text.
fn code_spans(text: &str) -> Vec<Range<usize>> {
    let runs = backticks(text);
    let (mut spans, mut at) = (Vec::new(), 0);
    while let Some(opening) = runs.get(at) {
        let is_in_line = |next: &usize| opening.len() >= BLOCK || is_one_line(text, runs[next - 1].end, runs[*next].start);
        let mut candidates = (at + 1..runs.len()).take_while(is_in_line);
        match candidates.find(|next| runs[*next].len() == opening.len()) {
            Some(closing) => {
                spans.push(opening.end..runs[closing].start);
                at = closing + 1;
            }
            None if opening.len() >= BLOCK && begins_a_line(text, opening.start) => {
                spans.push(opening.end..text.len());
                return spans;
            }
            None => at += 1,
        }
    }
    spans
}

/// The places of all backticks. Neighbours are one run.
fn backticks(text: &str) -> Vec<Range<usize>> {
    let mut runs = Vec::<Range<usize>>::new();
    for (at, tick) in text.match_indices('`') {
        let end = at + tick.len();
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end = end,
            None => runs.push(at..end),
        }
    }
    runs
}

fn is_one_line(text: &str, from: usize, to: usize) -> bool {
    text.get(from..to).is_some_and(|between| !between.contains('\n'))
}

fn begins_a_line(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.rsplit('\n').next().is_none_or(|line| line.trim().is_empty()))
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

    /// Whether the text mentions Ann, whose mention stands at each `ANN`.
    fn mentions_ann(text: &str) -> bool {
        let content = FormattedContent::of(&text.replace("ANN", &format!("<@{}>", Uuid::from_u128(1))));
        !content.mentions.is_empty()
    }

    #[test]
    fn a_mention_in_code_is_text() {
        let in_code = [
            "`ANN`",
            "run `greet ANN now` please",
            "``a ` b ANN``",
            "```ANN```",
            "```\nlet a = 1;\nANN\n```\nafter",
            "```rust\n// `ANN`\n\nANN\n```",
            "see ```one\n\nANN``` there",
            "````\n```\nANN\n```\n````",
            "before\n```\nANN is never closed",
            "`a` and `b ANN`",
        ];
        for text in in_code {
            assert!(!mentions_ann(text), "{text}");
        }
    }

    #[test]
    fn a_mention_beside_code_counts() {
        let beside = [
            "`code` ANN",
            "ANN `code`",
            "`a` ANN `b`",
            "```\ncode\n```\nANN",
            "don`t wake ANN",
            "one ` here\nANN and one ` there",
            "``not closed` ANN",
            "a ``` in the middle ANN",
            "`` ANN",
            "`ANN` and ANN",
        ];
        for text in beside {
            assert!(mentions_ann(text), "{text}");
        }
    }

    #[test]
    fn code_has_links_and_no_other_reference() {
        let general = ChannelId(Uuid::from_u128(2));
        let content = FormattedContent::of(&format!("`<!channel> <#{general}> <https://a.example>` and `https://b.example`"));
        assert_eq!(content.links.iter().map(|l| l.url.as_str()).collect::<Vec<_>>(), ["https://a.example", "https://b.example"]);
        assert_eq!(FormattedContent { links: Vec::new(), ..content }, FormattedContent::default());
    }

    #[test]
    fn many_backticks_are_read_in_reasonable_time() {
        let text = (1..250).map(|n| "`".repeat(n % 40 + 1)).collect::<Vec<_>>().join("x");
        assert!(code_spans(&text).len() < text.len());
        assert!(code_spans(&"` ".repeat(20_000)).len() == 10_000);
    }

    #[test]
    fn plain_text_and_broken_markup_refer_to_nothing() {
        for text in ["a < b", "<@nobody>", "<!pizza>", "x <", "<script>alert(1)</script>"] {
            assert!(FormattedContent::of(text).is_empty(), "{text}");
        }
    }
}
