//! The text of blocks: <https://docs.slack.dev/reference/block-kit/blocks>.

use serde_json::Value;
use serde_json::value::RawValue;

/// How deep nested blocks are read.
const DEPTH_MAX: usize = 16;

/// The fields of a block of an unknown kind that hold a text, or a block with a text.
const TEXTS: [&str; 9] = ["title", "header", "subtitle", "text", "body", "description", "label", "alt_text", "fallback"];
/// The fields of a block of an unknown kind that hold further blocks.
const LISTS: [&str; 9] = ["blocks", "elements", "fields", "rows", "cells", "cards", "items", "tasks", "children"];

/// The text of blocks that were not parsed yet, in Slack's markup. Empty if there is none.
pub(super) fn text_of(blocks: Option<&RawValue>) -> String {
    let parsed = blocks.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    parsed.map(|blocks| text(&blocks, 0)).unwrap_or_default().trim().to_owned()
}

/// The text of the messages that an attachment quotes (`message_blocks`).
pub(super) fn text_of_quoted(messages: Option<&RawValue>) -> String {
    let Some(Value::Array(messages)) = messages.and_then(|raw| serde_json::from_str(raw.get()).ok()) else { return String::new() };
    let quoted = messages.iter().map(|message| match text(&message["message"]["blocks"], 0) {
        blocks if blocks.trim().is_empty() => said(&message["message"], "text"),
        blocks => blocks,
    });
    joined(quoted, "\n")
}

fn text(block: &Value, depth: usize) -> String {
    if depth > DEPTH_MAX {
        return String::new();
    }
    let inner = |key: &str, between: &str| list(&block[key], between, depth + 1);
    let below = |key: &str| text(&block[key], depth + 1);
    match block {
        Value::Array(_) => return list(block, "\n", depth + 1),
        Value::String(said) => return said.clone(),
        Value::Object(_) => {}
        Value::Null | Value::Bool(_) | Value::Number(_) => return String::new(),
    }
    match block["type"].as_str().unwrap_or_default() {
        "user" => format!("<@{}>", said(block, "user_id")),
        "channel" => format!("<#{}>", said(block, "channel_id")),
        "usergroup" => format!("<!subteam^{}>", said(block, "usergroup_id")),
        "broadcast" => format!("<!{}>", said(block, "range")),
        "emoji" => emoji(block),
        "date" => said(block, "fallback"),
        "color" => said(block, "value"),
        "link" if block["text"].is_string() => format!("<{}|{}>", said(block, "url"), said(block, "text")),
        "link" => format!("<{}>", said(block, "url")),
        "rich_text_list" => format!("• {}", inner("elements", "\n• ")),
        "rich_text_preformatted" => format!("```{}```", inner("elements", "")),
        "rich_text_quote" => quoted(&inner("elements", "")),
        "rich_text_section" => inner("elements", ""),
        "rich_text" | "context" => inner("elements", "\n"),
        "image" => joined([below("title"), said(block, "alt_text")].into_iter().filter(|said| !said.is_empty()).take(1), ""),
        "section" => joined([below("text"), inner("fields", "\n")], "\n"),
        "header" => below("text"),
        "table" | "data_table" => joined([below("caption"), rows(&block["rows"], depth + 1)], "\n"),
        "raw_number" if block["value"].is_number() => block["value"].to_string(),
        // Words on buttons are no words of the message.
        "actions" | "context_actions" | "divider" => String::new(),
        "text" | "mrkdwn" | "plain_text" | "raw_text" => said(block, "text"),
        _ => joined(TEXTS.map(below).into_iter().chain(LISTS.map(|key| inner(key, "\n"))), "\n"),
    }
}

fn list(blocks: &Value, between: &str, depth: usize) -> String {
    let blocks = blocks.as_array().map(Vec::as_slice).unwrap_or_default();
    joined(blocks.iter().map(|block| text(block, depth)), between)
}

/// A line for each row of a table. A row is a list of cells, or an object with one.
fn rows(rows: &Value, depth: usize) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let cells = rows.iter().map(|row| if row.is_array() { row } else { &row["cells"] });
    joined(cells.map(|cells| list(cells, " | ", depth)), "\n")
}

fn emoji(block: &Value) -> String {
    match block["skin_tone"].as_u64() {
        Some(tone) => format!(":{}::skin-tone-{tone}:", said(block, "name")),
        None => format!(":{}:", said(block, "name")),
    }
}

fn said(block: &Value, key: &str) -> String {
    block[key].as_str().unwrap_or_default().to_owned()
}

/// The texts that are not empty.
fn joined(texts: impl IntoIterator<Item = String>, between: &str) -> String {
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
}

/// The text as a quotation.
pub(super) fn quoted(text: &str) -> String {
    format!("> {}", text.replace('\n', "\n> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        let raw = serde_json::from_str::<&RawValue>(json).expect("JSON");
        text_of(Some(raw))
    }

    #[test]
    fn a_table_is_a_line_for_each_row() {
        let cell = |text: &str| format!(r#"{{"type":"raw_text","text":"{text}"}}"#);
        let rich = r#"{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"12 "},{"type":"emoji","name":"apple"}]}]}"#;
        let table = format!(r#"[{{"type":"table","rows":[[{},{}],[{},{rich}],[],null]}}]"#, cell("tree"), cell("baskets"), cell("old oak"));
        assert_eq!(said(&table), "tree | baskets\nold oak | 12 :apple:");
        let data = format!(
            r#"[{{"type":"data_table","caption":"Harvest","rows":[{{"cells":[{},{{"type":"raw_number","value":7}}]}}]}}]"#,
            cell("pears")
        );
        assert_eq!(said(&data), "Harvest\npears | 7");
    }

    #[test]
    fn the_text_of_every_kind_of_block_is_found() {
        for (json, text) in [
            (r#"[{"type":"markdown","text":"**ripe**"}]"#, "**ripe**"),
            (r#"[{"type":"section","text":"plain"}]"#, "plain"),
            (r#"[{"type":"video","title":{"type":"plain_text","text":"Pruning"},"alt_text":"a film"}]"#, "Pruning\na film"),
            (r#"[{"type":"image","title":{"type":"plain_text","text":"Map"},"alt_text":"map.png"}]"#, "Map"),
            (r#"[{"type":"image","alt_text":"map.png"}]"#, "map.png"),
            (r#"[{"type":"input","label":{"type":"plain_text","text":"Which tree?"}}]"#, "Which tree?"),
            (
                r#"[{"type":"carousel","elements":[{"type":"card","title":{"type":"mrkdwn","text":"A"},"body":{"type":"mrkdwn","text":"b"}}]}]"#,
                "A\nb",
            ),
            (r#"[{"type":"alert","text":{"type":"mrkdwn","text":"frost"}}]"#, "frost"),
            (r#"[{"type":"something_new","rows":[{"text":"x"},{"elements":[{"type":"text","text":"y"}]}]}]"#, "x\ny"),
            (r#"[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Yes"}}]}]"#, ""),
            (
                r##"[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"emoji","name":"+1","skin_tone":3},{"type":"color","value":"#ff0000"}]}]}]"##,
                ":+1::skin-tone-3:#ff0000",
            ),
            (r#"{"type":"header","text":{"type":"plain_text","text":"no list"}}"#, "no list"),
            (r#""just words""#, "just words"),
            ("7", ""),
            ("null", ""),
        ] {
            assert_eq!(said(json), text, "{json}");
        }
    }

    #[test]
    fn blocks_that_are_too_deep_do_not_exhaust_the_stack() {
        let deep = format!("{}{}", r#"{"type":"x","blocks":["#.repeat(60), "]}".repeat(60));
        assert_eq!(said(&deep), "");
        let deeper = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(said(&deeper), "");
    }
}
