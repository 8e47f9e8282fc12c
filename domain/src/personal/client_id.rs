//! The identifier that a client gave to a message, in `message.posted`. Release 0.1.0 kept it in clear. It is removed
//! from the log by `installation.client_ids_removed`: `null` stands in its place
//! (docs/decisions/0035-client-ids-are-kept-as-hashes.md).
//!
//! The payload is never parsed into a tree for this, because everything else stays unchanged. Quotes inside of a text
//! are escaped, so the name of the field with its quotes stands at the field only.

/// The event that has the field.
const EVENT_TYPE: &str = "message.posted";
/// The field, up to its value.
const FIELD: &str = r#""client_msg_id":"#;
/// The beginning of a value that is a keyed hash.
const HASH: &str = "hmac:";
/// How many digits a keyed hash has.
const HASH_DIGITS: usize = 64;

/// Whether the payload has the identifier in clear.
#[must_use]
pub fn has_client_id(event_type: &str, payload: &str) -> bool {
    place(event_type, payload).is_some_and(|(_, value, _)| value != "null" && !is_hash(value))
}

/// Whether the identifier was removed from the payload.
#[must_use]
pub fn lost_client_id(event_type: &str, payload: &str) -> bool {
    place(event_type, payload).is_some_and(|(_, value, _)| value == "null")
}

/// The payload without the identifier. `None` if it has none in clear.
#[must_use]
pub fn without_client_id(event_type: &str, payload: &str) -> Option<String> {
    let (before, _, after) = place(event_type, payload).filter(|_| has_client_id(event_type, payload))?;
    Some([before, "null", after].concat())
}

/// The payload up to the value, the value, and the rest.
fn place<'a>(event_type: &str, payload: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    if event_type != EVENT_TYPE {
        return None;
    }
    let begin = payload.find(FIELD)? + FIELD.len();
    let (before, value) = payload.split_at(begin);
    let length = match value.strip_prefix('"') {
        Some(text) => end_of_text(text)? + 2,
        None => value.find([',', '}'])?,
    };
    let (value, after) = value.split_at_checked(length)?;
    Some((before, value, after))
}

/// Where the closing quote of a text is.
fn end_of_text(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// Whether the value is a keyed hash, with its quotes.
fn is_hash(value: &str) -> bool {
    let text = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let digits = text.and_then(|text| text.strip_prefix(HASH));
    digits.is_some_and(|digits| digits.len() == HASH_DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_identifier_in_clear_is_removed_and_nothing_else_changes() {
        for id in ["c-1", "with \"quotes\" and \\", "hmac:short", "Hans Muster", ",}", ""] {
            let rest = json!({"content": "\"client_msg_id\":\"x\"", "sent_at": "now"});
            let mut payload = json!({"message.posted": rest});
            payload["message.posted"]["client_msg_id"] = json!(id);
            let stored = payload.to_string();
            assert!(has_client_id(EVENT_TYPE, &stored) && !lost_client_id(EVENT_TYPE, &stored), "{stored}");
            let without = without_client_id(EVENT_TYPE, &stored).expect("an identifier");
            payload["message.posted"]["client_msg_id"] = json!(null);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&without).expect("JSON"), payload);
            assert!(lost_client_id(EVENT_TYPE, &without) && without_client_id(EVENT_TYPE, &without).is_none());
        }
    }

    #[test]
    fn a_hash_and_a_message_without_an_identifier_stay() {
        let hash = json!({"message.posted": {"client_msg_id": format!("hmac:{}", "0f".repeat(32))}}).to_string();
        let none = json!({"message.posted": {"content": "\"client_msg_id\":null"}}).to_string();
        for stored in [hash, none] {
            assert!(!has_client_id(EVENT_TYPE, &stored) && !lost_client_id(EVENT_TYPE, &stored), "{stored}");
            assert_eq!(without_client_id(EVENT_TYPE, &stored), None);
        }
        assert!(!has_client_id("message.edited", r#"{"message.edited":{"client_msg_id":"c-1"}}"#));
    }
}
