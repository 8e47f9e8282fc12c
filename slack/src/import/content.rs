//! The content of a message: its text, or a substitute for it, and its files.

use domain::formatting::{FileLink, FormattedContent};
use domain::text::MessageBody;

use super::attachments::{attached, is_placeholder, is_preview, words};
use super::markup::{Names, translate};
use super::model::{SlackFile, SlackMessage, some};
use super::names::line;
use super::report::Report;
use super::{blocks, kinds};

/// The longest address of a file that is kept.
const URL_CHARS_MAX: usize = 2_000;
/// The longest name of a file that is kept.
const FILE_NAME_CHARS_MAX: usize = 255;

/// The text, and the references in it.
pub(super) fn content(message: &SlackMessage, names: &impl Names, report: &mut Report, place: &str) -> (MessageBody, FormattedContent) {
    let files = file_links(message, report, place);
    let text = text(message, &files, names, report, place);
    let body = fitted(&text, report, place);
    let formatted = FormattedContent { files, ..FormattedContent::of(body.as_str()) };
    (body, formatted)
}

fn text(message: &SlackMessage, files: &[FileLink], names: &impl Names, report: &mut Report, place: &str) -> String {
    let own = some(message.text.as_ref()).filter(|text| !is_placeholder(text));
    if let Some(text) = own.or_else(|| message.comment.as_ref().and_then(|c| some(c.comment.as_ref()))) {
        let mut text = translate(text, names, report, place);
        for attachment in &message.attachments {
            let words = translate(&words(attachment), names, &mut Report::default(), place);
            let attached = translate(&attached(attachment), names, report, place);
            let is_there = [&words, &attached].into_iter().any(|said| !said.is_empty() && text.contains(said.as_str()));
            if is_preview(attachment) {
                report.skip("preview of a link", || format!("{place}: {attached}"));
            } else if !attached.is_empty() && !is_there {
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
    let blocks = blocks::text_of(message.blocks.as_deref());
    let named = files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join("\n");
    if !blocks.is_empty() {
        report.turned("blocks into text", || format!("{place}: {blocks}"));
        let both = if attachments.is_empty() || blocks.contains(&attachments) { blocks } else { format!("{blocks}\n{attachments}") };
        translate(&both, names, report, place)
    } else if !attachments.is_empty() {
        report.turned("attachment into a text", || format!("{place}: {attachments}"));
        translate(&attachments, names, report, place)
    } else if !named.is_empty() {
        report.turned("file without a text into its name", || format!("{place}: {named}"));
        named
    } else if let Some(said) = message.subtype.as_deref().filter(|subtype| kinds::is_of_the_system(subtype)) {
        report.turned("system message without a text into its kind", || format!("{place}: {said}"));
        said.replace('_', " ")
    } else {
        message.text.clone().unwrap_or_default()
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
    // A text of characters that nobody can see is refused too.
    if plain.trim().chars().count() <= MessageBody::CHARS_MAX {
        report.turned("message without a text into \"(empty message)\"", || place.into());
        return MessageBody::cut("(empty message)");
    }
    report.turned("text that is too long into its beginning", || format!("{place}: {} characters", plain.chars().count()));
    MessageBody::cut(plain.trim())
}

fn file_links(message: &SlackMessage, report: &mut Report, place: &str) -> Vec<FileLink> {
    let of_attachments = message.attachments.iter().flat_map(|attachment| &attachment.files);
    let files = message.files.iter().chain(&message.file).chain(of_attachments);
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
        assert_eq!(said(r#"{"blocks":7}"#).0, "(empty message)");
    }

    #[test]
    fn the_text_of_an_attachment_is_found_wherever_it_stands() {
        let rich = |text: &str| {
            format!(
                r#"[{{"type":"rich_text","elements":[{{"type":"rich_text_section","elements":[{{"type":"text","text":"{text}"}}]}}]}}]"#
            )
        };
        for (attachment, text) in [
            (format!(r#"{{"blocks":{},"fallback":"[no preview available]","id":1}}"#, rich("in a block")), "in a block"),
            (format!(r#"{{"blocks":{},"text":"above"}}"#, rich("in a block")), "above\nin a block"),
            (r#"{"blocks":[{"type":"table","rows":[[{"type":"raw_text","text":"a"},{"type":"raw_text","text":"b"}]]}]}"#.into(), "a | b"),
            (r#"{"fields":[{"title":"Tree","value":"oak"},{"value":"7"},{"title":"late"},null]}"#.into(), "Tree: oak\n7\nlate"),
            (r#"{"title":"Only a title"}"#.into(), "Only a title"),
            (r#"{"fallback":"only a fallback"}"#.into(), "only a fallback"),
            (r#"{"image_url":"https://x.example/a.png"}"#.into(), "https://x.example/a.png"),
            (r#"{"files":[{"name":"a.pdf"}]}"#.into(), "a.pdf"),
            (r#"{"author_name":"Ann"}"#.into(), "Ann"),
        ] {
            let message = |text: &str| said(&format!(r#"{{"text":"{text}","attachments":[{attachment}]}}"#)).0;
            assert_eq!(message(""), text, "{attachment}");
            assert_eq!(message("Look"), format!("Look\n{text}"), "{attachment}");
        }
    }

    #[test]
    fn a_shared_message_is_quoted() {
        let shared =
            r#""is_share":true,"is_msg_unfurl":true,"from_url":"https://orchard.slack.example/archives/C1/p1","author_name":"Bob""#;
        let in_blocks = r#""message_blocks":[{"team":"T1","channel":"C1","ts":"1.2","message":{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"frost\ntonight"}]}]}]}}]"#;
        for (attachment, text) in [
            (format!(r#"{{{shared},"text":"frost\ntonight","fallback":"[January 1st] bob: frost"}}"#), "> Bob: frost\n> tonight"),
            (format!(r#"{{{shared},{in_blocks},"text":"frost\ntonight"}}"#), "> Bob: frost\n> tonight"),
            (format!(r#"{{{shared},{in_blocks}}}"#), "> Bob: frost\n> tonight"),
            (format!(r#"{{{shared},"message_blocks":[{{"message":{{"text":"frost"}}}}]}}"#), "> Bob: frost"),
            (format!(r#"{{{shared},"text":"","files":[{{"name":"map.pdf"}}]}}"#), "> Bob: map.pdf"),
            (r#"{"is_share":true,"text":"frost","from_url":"https://x.example"}"#.into(), "> frost"),
            (r#"{"is_msg_unfurl":"true","fallback":"only this"}"#.into(), "> only this"),
        ] {
            let message = |text: &str| said(&format!(r#"{{"text":"{text}","attachments":[{attachment}]}}"#)).0;
            assert_eq!(message(""), text, "{attachment}");
            assert_eq!(message("see"), format!("see\n{text}"), "{attachment}");
        }
        let copied = r#"{"text":"Bob says: frost","attachments":[{"is_share":true,"text":"frost","author_name":"Bob"}]}"#;
        assert_eq!(said(copied).0, "Bob says: frost");
    }

    #[test]
    fn a_placeholder_gives_way_to_the_words_elsewhere() {
        let blocks = r#""blocks":[{"type":"section","text":{"type":"mrkdwn","text":"a new lead"}}]"#;
        assert_eq!(said(&format!(r#"{{"text":"This content can't be displayed.",{blocks}}}"#)).0, "a new lead");
        assert_eq!(said(r#"{"text":"This content can't be displayed."}"#).0, "This content can't be displayed.");
        assert_eq!(said(r#"{"text":"","subtype":"pinned_item"}"#).0, "pinned item");
        assert_eq!(said(r#"{"subtype":"huddle_thread","text":null,"room":{"id":"R1"}}"#).0, "huddle thread");
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
