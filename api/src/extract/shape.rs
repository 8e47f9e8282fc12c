//! Finds every mistake of an input. `serde` stops at the first one, so an input that it refuses is compared once more
//! with the schema of the OpenAPI document. Inputs without a mistake never come here.

mod wanted;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use self::wanted::{kind_of, nearest, unlike, wanted};
use crate::problem::mistake::{MISTAKES_MAX, Mistake};

/// The most levels of a schema that are followed.
const DEPTH_MAX: usize = 16;
/// The code of a value that has the right type, but is too long, too short, too large or too small.
const INVALID: &str = "input.invalid";

/// The required form of an input.
pub(super) struct Shape {
    root: Value,
    named: BTreeMap<String, Value>,
    /// The code of a mistake of the form.
    code: &'static str,
    /// The word for a member of the input.
    member: &'static str,
    /// Whether all values are texts, as in a query string.
    is_text: bool,
}

impl Shape {
    /// The shape of a body.
    pub(super) fn of_body<T: ToSchema>() -> Self {
        let mut named = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut named);
        let named = named.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)));
        let root = serde_json::to_value(T::schema()).unwrap_or_default();
        Self { root, named: named.collect(), code: "request.body_invalid", member: "property", is_text: false }
    }

    /// The shape of a query string: an object of its parameters.
    pub(super) fn of_query<T: IntoParams>() -> Self {
        let parameters = T::into_params(|| Some(ParameterIn::Query));
        let parameters = parameters.iter().filter_map(|parameter| serde_json::to_value(parameter).ok()).collect::<Vec<_>>();
        let name = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
        let properties = parameters.iter().map(|parameter| (name(parameter), parameter["schema"].clone())).collect::<Map<_, _>>();
        let required = parameters.iter().filter(|parameter| parameter["required"] == true).map(name).collect::<Vec<_>>();
        let root = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        Self { root, named: BTreeMap::new(), code: "request.query_invalid", member: "parameter", is_text: true }
    }

    /// Every mistake of `input`: first those of its form, which make it unreadable, then those of its values.
    pub(super) fn mistakes(&self, input: &Value) -> Vec<Mistake> {
        let mut found = Vec::new();
        self.check(&self.root, "", input, &mut found, 0);
        found.sort_by_key(|mistake| mistake.code == INVALID);
        found.truncate(MISTAKES_MAX);
        found
    }

    /// Whether it is a mistake of the form.
    pub(super) fn is_of_the_form(&self, mistake: &Mistake) -> bool {
        mistake.code == self.code
    }

    /// Whether the parameter is a list.
    pub(super) fn is_list(&self, name: &str) -> bool {
        types(&self.root["properties"][name]).any(|name| name == "array")
    }

    fn check(&self, schema: &Value, path: &str, value: &Value, found: &mut Vec<Mistake>, depth: usize) {
        if depth > DEPTH_MAX || found.len() >= MISTAKES_MAX {
            return;
        }
        if let Some(other) = self.other(schema, value) {
            return self.check(other, path, value, found, depth + 1);
        }
        if !self.has_type(schema, value) {
            return found.push(self.malformed(path, format!("must be {}, not {}", wanted(schema), unlike(schema, value))));
        }
        match value {
            Value::Object(members) => self.check_members(schema, path, members, found, depth),
            Value::Array(items) => {
                check_number(path, "items", (schema["minItems"].as_u64(), schema["maxItems"].as_u64()), items.len(), found);
                for (n, item) in items.iter().enumerate() {
                    self.check(&schema["items"], &format!("{path}[{n}]"), item, found, depth + 1);
                }
            }
            Value::String(text) if types(schema).any(|name| name == "string") => {
                let limits = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
                check_number(path, "characters", limits, text.chars().count(), found);
            }
            Value::Number(_) | Value::String(_) => self.check_range(schema, path, value, found),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The schema that this one refers to, or the part of a union that fits `value` best.
    fn other<'s>(&'s self, schema: &'s Value, value: &Value) -> Option<&'s Value> {
        if let Some(name) = schema["$ref"].as_str() {
            return self.named.get(name.rsplit('/').next()?);
        }
        let all = ["oneOf", "anyOf", "allOf"].into_iter().find_map(|name| schema[name].as_array())?;
        let real = || all.iter().filter(|part| part["type"] != "null");
        let fits = |part: &&Value| {
            let mut found = Vec::new();
            self.check(part, "", value, &mut found, DEPTH_MAX / 2);
            found.is_empty()
        };
        all.iter().find(fits).or_else(|| real().next())
    }

    fn check_members(&self, schema: &Value, path: &str, members: &Map<String, Value>, found: &mut Vec<Mistake>, depth: usize) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let known = schema["properties"].as_object();
        // In the order of their names: the order of a map depends on the features that other crates choose.
        for (name, value) in members.iter().collect::<BTreeMap<_, _>>() {
            match (known.and_then(|known| known.get(name)), &schema["additionalProperties"]) {
                (Some(schema), _) => self.check(schema, &below(name), value, found, depth + 1),
                (None, Value::Bool(false)) => found.push(self.unknown(&below(name), name, known)),
                (None, of_all @ Value::Object(_)) => self.check(of_all, &below(name), value, found, depth + 1),
                (None, _) => {}
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                let of = self.resolved(&schema["properties"][name]);
                found.push(self.malformed(&below(name), format!("is missing: send {}", wanted(of))));
            }
        }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        self.other(schema, &Value::Null).unwrap_or(schema)
    }

    fn unknown(&self, field: &str, name: &str, known: Option<&Map<String, Value>>) -> Mistake {
        let names = known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect::<Vec<_>>();
        let hint = match nearest(name, &names) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => "leave it out".to_owned(),
            None => format!("the known ones are {}", names.join(", ")),
        };
        let detail = format!("there is no {} {name:?}: {hint}", self.member);
        Mistake { field: field.to_owned(), code: self.code, detail, place: None }
    }

    fn malformed(&self, path: &str, what: String) -> Mistake {
        let subject = if path.is_empty() { "the body" } else { path };
        Mistake { field: path.to_owned(), code: self.code, detail: format!("{subject} {what}"), place: None }
    }

    fn has_type(&self, schema: &Value, value: &Value) -> bool {
        let has = |name: &str| match (name, value) {
            ("string", Value::String(text)) => has_format(schema, text),
            ("integer", Value::String(text)) => self.is_text && is_whole(schema, text),
            ("number", Value::String(text)) => self.is_text && text.parse::<f64>().is_ok(),
            ("boolean", Value::String(text)) => self.is_text && matches!(text.as_str(), "true" | "false"),
            ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
            (name, value) => name == kind_of(value),
        };
        let named = schema["enum"].as_array().is_none_or(|all| all.contains(value));
        let mut wanted = types(schema).peekable();
        named && (wanted.peek().is_none() || wanted.any(has))
    }

    fn check_range(&self, schema: &Value, path: &str, value: &Value, found: &mut Vec<Mistake>) {
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let is_in = |number: f64| least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
        if !number.is_none_or(is_in) {
            let detail = format!("{path} must be {}", wanted(schema));
            // A number of a query is read together with its form.
            let code = if self.is_text { self.code } else { INVALID };
            found.push(Mistake { field: path.to_owned(), code, detail, place: None });
        }
    }
}

/// The types that a schema allows.
fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema["type"].as_str();
    one.into_iter().chain(schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn has_format(schema: &Value, text: &str) -> bool {
    match schema["format"].as_str() {
        Some("uuid") => text.parse::<uuid::Uuid>().is_ok(),
        Some("date-time") => text.parse::<chrono::DateTime<chrono::Utc>>().is_ok(),
        _ => true,
    }
}

/// A number beyond the largest one is whole too: handlers lower limits of rows.
fn is_whole(schema: &Value, text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_limit = schema["format"] == "int32" && !text.starts_with('-');
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && (is_limit || text.parse::<i64>().is_ok())
}

fn check_number(path: &str, of: &str, (least, most): (Option<u64>, Option<u64>), number: usize, found: &mut Vec<Mistake>) {
    let number = number as u64;
    if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
        let limits = wanted::range(least, most);
        found.push(Mistake { field: path.to_owned(), code: INVALID, detail: format!("{path} must have {limits} {of}"), place: None });
    }
}

#[cfg(test)]
mod tests;
