//! The text of attachments: what a program adds to its message, the preview of a link, and a message that somebody
//! shares.

use super::blocks::{quoted, text_of, text_of_quoted};
use super::model::{SlackAttachment, some};

/// What Slack writes in place of a text that stands in blocks.
const PLACEHOLDERS: [&str; 3] =
    ["[no preview available]", "This content can't be displayed.", "This message contains interactive elements."];

/// Whether Slack wrote the text because the words stand elsewhere.
pub(super) fn is_placeholder(text: &str) -> bool {
    PLACEHOLDERS.contains(&text.trim())
}

/// Whether Slack made the attachment as a preview of a link in the text. The words of a shared message are no preview.
pub(super) fn is_preview(attachment: &SlackAttachment) -> bool {
    !is_share(attachment) && (attachment.from_url.is_some() || attachment.original_url.is_some())
}

fn is_share(attachment: &SlackAttachment) -> bool {
    attachment.is_share || attachment.is_msg_unfurl || attachment.message_blocks.is_some()
}

/// The words of an attachment without what is put around them, by which a copy of them in the text is recognised.
pub(super) fn words(attachment: &SlackAttachment) -> String {
    let text = some(attachment.text.as_ref()).filter(|text| !is_placeholder(text)).map(str::to_owned);
    // The text of a shared message is often written twice, in `text` and in blocks.
    let quoted = || Some(text_of_quoted(attachment.message_blocks.as_deref())).filter(|text| !text.trim().is_empty());
    lines(attachment, text.or_else(quoted))
}

/// The text of an attachment, in Slack's markup. A shared message is quoted, after the name of its author.
pub(super) fn attached(attachment: &SlackAttachment) -> String {
    let words = words(attachment);
    let author = [&attachment.author_name, &attachment.author_subname].into_iter().find_map(|name| some(name.as_ref()));
    match author {
        Some(author) if words.is_empty() => author.to_owned(),
        _ if words.is_empty() || !is_share(attachment) => words,
        Some(author) if !author.contains(['<', '>']) => quoted(&format!("{author}: {words}")),
        _ => quoted(&words),
    }
}

fn lines(attachment: &SlackAttachment, text: Option<String>) -> String {
    let title = match (some(attachment.title.as_ref()), some(attachment.title_link.as_ref())) {
        (Some(title), Some(link)) if !title.contains(['<', '>']) => Some(format!("<{link}|{title}>")),
        (title, link) => title.or(link).map(str::to_owned),
    };
    let pretext = some(attachment.pretext.as_ref()).map(str::to_owned);
    let fields = attachment.fields.iter().filter_map(|field| match (some(field.title.as_ref()), some(field.value.as_ref())) {
        (Some(title), Some(value)) => Some(format!("{title}: {value}")),
        (title, value) => title.or(value).map(str::to_owned),
    });
    let mut lines = pretext.into_iter().chain(title).chain(text).chain(fields).collect::<Vec<_>>();
    let blocks = text_of(attachment.blocks.as_deref());
    if !blocks.is_empty() && !lines.iter().any(|line| line.contains(&blocks)) {
        lines.push(blocks);
    }
    if lines.is_empty() {
        let files = attachment.files.iter().filter_map(|file| [&file.name, &file.title].into_iter().find_map(|name| some(name.as_ref())));
        lines.extend(files.map(str::to_owned));
    }
    if !lines.is_empty() {
        return lines.join("\n");
    }
    let fallback = some(attachment.fallback.as_ref()).filter(|text| !is_placeholder(text));
    fallback.or(some(attachment.image_url.as_ref())).unwrap_or_default().to_owned()
}
