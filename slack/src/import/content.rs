//! The content of a message: its text, or a substitute for it, and its files.

use domain::formatting::{FileLink, FormattedContent};
use domain::text::MessageBody;
use serde_json::Value;

use super::markup::{Names, translate};
use super::model::{SlackAttachment, SlackFile, SlackMessage, some};
use super::names::line;
use super::report::Report;

/// The longest address of a file that is kept.
const URL_CHARS_MAX: usize = 2_000;
/// The longest name of a file that is kept.
const FILE_NAME_CHARS_MAX: usize = 255;
/// How deep nested blocks are read.
const BLOCK_DEPTH_MAX: usize = 16;

/// The text, and the references in it.
pub(super) fn content(message: &SlackMessage, names: &impl Names, report: &mut Report, place: &str) -> (MessageBody, FormattedContent) {
    let files = file_links(message, report, place);
    let text = text(message, &files, names, report, place);
    let body = fitted(&text, report, place);
    let formatted = FormattedContent { files, ..FormattedContent::of(body.as_str()) };
    (body, formatted)
}

fn text(message: &SlackMessage, files: &[FileLink], names: &impl Names, report: &mut Report, place: &str) -> String {
    if let Some(text) = some(message.text.as_ref()).or_else(|| message.comment.as_ref().and_then(|c| some(c.comment.as_ref()))) {
        let mut text = translate(text, names, report, place);
        for attachment in &message.attachments {
            let attached = translate(&attached(attachment), names, report, place);
            if is_preview(attachment) {
                report.skip("preview of a link", || format!("{place}: {attached}"));
            } else if !attached.is_empty() && !text.contains(&attached) {
                report.turned("attachment into lines of the text", || format!("{place}: {attached}"));
                text = format!("{text}\n{attached}");
            }
        }
        return text;
    }
    stand_in(message, files, names, report, place)
}

/// The text of a message that has none.
fn stand_in(message: &SlackMessage, files: &[FileLink], names: &impl Names, report: &mut Report, place: &str) -> String {
    let attachments = message.attachments.iter().map(attached).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
    let blocks = message.blocks.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).map(|blocks| block_text(&blocks, 0));
    let blocks = blocks.unwrap_or_default();
    let named = files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join("\n");
    if !blocks.trim().is_empty() {
        report.turned("blocks into text", || format!("{place}: {blocks}"));
        translate(&blocks, names, report, place)
    } else if !attachments.is_empty() {
        report.turned("attachment into a text", || format!("{place}: {attachments}"));
        translate(&attachments, names, report, place)
    } else if !named.is_empty() {
        report.turned("file without a text into its name", || format!("{place}: {named}"));
        named
    } else {
        String::new()
    }
}

/// The text within the limits of a message.
fn fitted(text: &str, report: &mut Report, place: &str) -> MessageBody {
    let plain = text.replace('\0', "");
    if plain.len() < text.len() {
        report.turned("text with U+0000 into one without", || place.into());
    }
    if let Ok(body) = MessageBody::parse(&plain) {
        return body;
    }
    if plain.trim().chars().all(char::is_control) {
        report.turned("message without a text into \"(empty message)\"", || place.into());
        return MessageBody::cut("(empty message)");
    }
    report.turned("text that is too long into its beginning", || format!("{place}: {} characters", plain.chars().count()));
    MessageBody::cut(plain.trim())
}

/// Whether Slack made the attachment as a preview of a link in the text.
fn is_preview(attachment: &SlackAttachment) -> bool {
    attachment.from_url.is_some() || attachment.original_url.is_some()
}

/// The text of an attachment, in Slack's markup.
fn attached(attachment: &SlackAttachment) -> String {
    let title = match (some(attachment.title.as_ref()), some(attachment.title_link.as_ref())) {
        (Some(title), Some(link)) if !title.contains(['<', '>']) => Some(format!("<{link}|{title}>")),
        (title, link) => title.or(link).map(str::to_owned),
    };
    let pretext = some(attachment.pretext.as_ref()).map(str::to_owned);
    let text = some(attachment.text.as_ref()).map(str::to_owned);
    let fields = attachment.fields.iter().filter_map(|field| match (some(field.title.as_ref()), some(field.value.as_ref())) {
        (Some(title), Some(value)) => Some(format!("{title}: {value}")),
        (title, value) => title.or(value).map(str::to_owned),
    });
    let lines = pretext.into_iter().chain(title).chain(text).chain(fields).collect::<Vec<_>>();
    if !lines.is_empty() {
        return lines.join("\n");
    }
    some(attachment.fallback.as_ref()).or(some(attachment.image_url.as_ref())).unwrap_or_default().to_owned()
}

/// The text of blocks, in Slack's markup: <https://docs.slack.dev/reference/block-kit/blocks>.
fn block_text(block: &Value, depth: usize) -> String {
    if depth > BLOCK_DEPTH_MAX {
        return String::new();
    }
    let inner = |key: &str, between: &str| {
        let parts = block[key].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|part| block_text(part, depth + 1));
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
    };
    let said = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
    if let Value::Array(blocks) = block {
        let blocks = blocks.iter().map(|block| block_text(block, depth + 1));
        return blocks.filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n");
    }
    match block["type"].as_str().unwrap_or_default() {
        "user" => format!("<@{}>", said("user_id")),
        "channel" => format!("<#{}>", said("channel_id")),
        "usergroup" => format!("<!subteam^{}>", said("usergroup_id")),
        "broadcast" => format!("<!{}>", said("range")),
        "emoji" => format!(":{}:", said("name")),
        "date" => said("fallback"),
        "link" if block["text"].is_string() => format!("<{}|{}>", said("url"), said("text")),
        "link" => format!("<{}>", said("url")),
        "rich_text_list" => format!("• {}", inner("elements", "\n• ")),
        "rich_text_preformatted" => format!("```{}```", inner("elements", "")),
        "rich_text_quote" => format!("> {}", inner("elements", "").replace('\n', "\n> ")),
        "rich_text_section" => inner("elements", ""),
        "rich_text" | "context" => inner("elements", "\n"),
        "image" => block["title"]["text"].as_str().or(block["alt_text"].as_str()).unwrap_or_default().to_owned(),
        "section" => [block_text(&block["text"], depth + 1), inner("fields", "\n")].join("\n").trim().to_owned(),
        "header" => block_text(&block["text"], depth + 1),
        _ => said("text"),
    }
}

fn file_links(message: &SlackMessage, report: &mut Report, place: &str) -> Vec<FileLink> {
    let files = message.files.iter().chain(&message.file);
    let links = files.filter_map(|file| file_link(file, report, place)).take(FormattedContent::REFERENCES_MAX).collect::<Vec<_>>();
    report.read.file_links += links.len() as u64;
    links
}

fn file_link(file: &SlackFile, report: &mut Report, place: &str) -> Option<FileLink> {
    let names = [&file.name, &file.title, &file.id].into_iter().find_map(|name| some(name.as_ref()));
    let url =
        [&file.permalink, &file.url_private, &file.url].into_iter().find_map(|url| some(url.as_ref())).filter(|url| url.contains("://"));
    let name = line(names.or(url)?, FILE_NAME_CHARS_MAX);
    let without_key = url.map(|url| without_key(url, report, place)).filter(|url| url.chars().count() <= URL_CHARS_MAX);
    let mime_type = some(file.mimetype.as_ref()).map(|mime| line(mime, FILE_NAME_CHARS_MAX));
    let size = file.size.and_then(|size| u64::try_from(size).ok());
    (!name.is_empty()).then_some(FileLink { name, url: without_key, mime_type, size })
}

/// Addresses in an export contain a key (`t=xoxe-…`) that opens every file of the team. It must not be kept in the log
/// for ever.
fn without_key(url: &str, report: &mut Report, place: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return url.into() };
    let kept = query.split('&').filter(|part| !part.starts_with("t=xox")).collect::<Vec<_>>().join("&");
    if kept.len() == query.len() {
        return url.into();
    }
    report.turned("address of a file with a key into one without", || format!("{place}: {address}"));
    if kept.is_empty() { address.into() } else { format!("{address}?{kept}") }
}

#[cfg(test)]
mod tests {
    use domain::ids::{ChannelId, UserId};

    use super::*;

    struct Nobody;

    impl Names for Nobody {
        fn user(&self, _: &str) -> Option<UserId> {
            None
        }

        fn channel(&self, _: &str) -> Option<ChannelId> {
            None
        }
    }

    fn said(json: &str) -> (String, FormattedContent, Report) {
        let mut report = Report::default();
        let (body, formatted) = content(&serde_json::from_str(json).expect("a message"), &Nobody, &mut report, "here");
        (body.as_str().to_owned(), formatted, report)
    }

    #[test]
    fn an_attachment_stands_in_for_a_text_and_is_added_to_one() {
        let bot = r#""attachments":[{"pretext":"1 new commit","title":"ed1","title_link":"https://x.example/ed1","fields":[{"title":"by","value":"Ann"}]}]"#;
        assert_eq!(said(&["{", bot, "}"].concat()).0, "1 new commit\n<https://x.example/ed1|ed1>\nby: Ann");
        assert_eq!(said(&[r#"{"text":"Look","#, bot, "}"].concat()).0, "Look\n1 new commit\n<https://x.example/ed1|ed1>\nby: Ann");
        let (text, _, report) = said(r#"{"text":"<https://x.example>","attachments":[{"from_url":"https://x.example","title":"X"}]}"#);
        assert_eq!(text, "<https://x.example>");
        assert_eq!(report.skipped["preview of a link"].count, 1);
    }

    #[test]
    fn blocks_stand_in_for_a_text() {
        let blocks = r#"{"text":"","blocks":[{"type":"header","text":{"type":"plain_text","text":"Harvest"}},
            {"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"see "},{"type":"link","url":"https://x.example","text":"plan"},
            {"type":"emoji","name":"apple"}]},{"type":"rich_text_list","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a"}]},
            {"type":"rich_text_section","elements":[{"type":"user","user_id":"U9"}]}]}]},{"type":"section","fields":[{"type":"mrkdwn","text":"*b*"}]}]}"#;
        assert_eq!(said(blocks).0, "Harvest\nsee <https://x.example|plan>:apple:\n• a\n• @U9\n*b*");
        assert_eq!(said(r#"{"blocks":"nonsense"}"#).0, "(empty message)");
    }

    #[test]
    fn files_are_named_and_lose_the_key_in_their_address() {
        let (text, formatted, report) = said(
            r#"{"files":[{"name":"a.pdf","mimetype":"application/pdf","size":12,"url_private":"https://f.example/a.pdf?t=xoxe-1-2"}]}"#,
        );
        assert_eq!(text, "a.pdf");
        assert_eq!(formatted.files[0].url.as_deref(), Some("https://f.example/a.pdf"));
        assert_eq!(formatted.files[0].size, Some(12));
        assert_eq!(report.turned_into["address of a file with a key into one without"].count, 1);
        let (text, formatted, _) = said(r#"{"text":"look","file":"F1"}"#);
        assert_eq!((text.as_str(), formatted.files[0].name.as_str()), ("look", "F1"));
    }

    #[test]
    fn a_text_is_shortened_cleaned_or_replaced_and_never_lost() {
        let long = "ä".repeat(MessageBody::CHARS_MAX + 5);
        let (text, _, report) = said(&format!(r#"{{"text":"{long}"}}"#));
        assert_eq!(text.chars().count(), MessageBody::CHARS_MAX);
        assert_eq!(report.turned_into.len(), 1);
        assert_eq!(said(r#"{"text":"a\u0000b"}"#).0, "ab");
        assert_eq!(said(r#"{"text":"  \n "}"#).0, "(empty message)");
        assert_eq!(said("{}").0, "(empty message)");
        assert_eq!(said(r#"{"text":"\u0007"}"#).0, "(empty message)");
    }
}
