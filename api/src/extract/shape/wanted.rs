//! The words for what an input must be, made from its schema.

use serde_json::Value;

/// The least likeness of two names of which one is taken for a typing error of the other.
const LIKENESS_MIN: f64 = 0.75;
/// The most characters of a value that a problem repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// Describes the values of this schema: `a whole number from 1 to 100`.
pub(super) fn wanted(schema: &Value) -> String {
    if let Some(names) = schema["enum"].as_array() {
        let names = names.iter().filter(|name| !name.is_null()).map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned));
        return format!("one of {}", names.collect::<Vec<_>>().join(", "));
    }
    let limits = |least: &str, most: &str| (schema[least].as_u64(), schema[most].as_u64());
    let numbers = || match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" from {least}"),
        (None, Some(most)) => format!(" up to {most}"),
        (None, None) => String::new(),
    };
    match (super::types(schema).find(|name| *name != "null"), schema["format"].as_str()) {
        (Some("string"), Some("uuid")) => "an identifier (a UUID), such as 0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b".into(),
        (Some("string"), Some("date-time")) => "a time with its offset from UTC, such as 2026-11-30T12:00:00Z".into(),
        (Some("string"), _) => match limits("minLength", "maxLength") {
            (None, None) => "a text".into(),
            (least, most) => format!("a text of {} characters", range(least, most)),
        },
        (Some("integer"), _) => format!("a whole number{}", numbers()),
        (Some("number"), _) => format!("a number{}", numbers()),
        (Some("boolean"), _) => "true or false".into(),
        (Some("array"), _) => format!("a list of which each item is {}", wanted(&schema["items"])),
        (Some("object"), _) => "an object".into(),
        _ => "a value".into(),
    }
}

/// The words for a number of characters or items.
pub(super) fn range(least: Option<u64>, most: Option<u64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any number of".into(),
    }
}

/// The type of a value, as schemas name it.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Describes the value that was sent instead of one of this schema, with the name that was probably meant.
pub(super) fn unlike(schema: &Value, value: &Value) -> String {
    let text = match value {
        Value::Null => return "null".into(),
        Value::Array(_) => return "a list".into(),
        Value::Object(_) => return "an object".into(),
        // No answer repeats a secret.
        _ if schema["format"] == "password" => return format!("a {}", kind_of(value)),
        Value::String(text) => text,
        other => return other.to_string(),
    };
    let mut shown = text.chars().take(SHOWN_CHARS_MAX).collect::<String>();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let names = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    nearest(text, &names).map_or_else(|| format!("{shown:?}"), |near| format!("{shown:?}: did you mean {near}?"))
}

/// The name that `name` is probably a typing error of.
pub(super) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    let near = names.iter().copied().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&near) >= LIKENESS_MIN).then_some(near)
}
