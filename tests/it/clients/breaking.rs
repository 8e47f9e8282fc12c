//! The changes of the interface that break a client: parts that a request may no longer have or must have now, and parts
//! that an answer no longer has or may have now.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Nested further than any schema of ours. A schema that contains itself ends there.
const DEPTH_MAX: usize = 12;
/// Bounds of values, and whether a larger number allows more.
const BOUNDS: [(&str, bool); 6] =
    [("maxLength", true), ("maximum", true), ("maxItems", true), ("minLength", false), ("minimum", false), ("minItems", false)];

/// The facts about one place in a body or a parameter.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fact {
    types: BTreeSet<String>,
    is_nullable: bool,
    is_required: bool,
    words: Option<BTreeSet<String>>,
    bounds: BTreeMap<&'static str, f64>,
}

/// The facts of a body or a parameter by their places: `items[].name`.
type Facts = BTreeMap<String, Fact>;

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.map_or(schema, |target| resolved(document, target))
}

fn texts(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .chain(value.is_string().then_some(value))
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn collect(document: &Value, schema: &Value, place: &str, is_required: bool, facts: &mut Facts) {
    let schema = resolved(document, schema);
    if place.matches(['.', '[', '*']).count() > DEPTH_MAX {
        return;
    }
    let fact = facts.entry(place.to_owned()).or_default();
    let types = texts(&schema["type"]);
    fact.is_nullable |= types.contains("null");
    fact.is_required |= is_required;
    fact.types.extend(types.into_iter().filter(|kind| kind != "null"));
    fact.types.extend(schema["format"].as_str().map(|format| format!("format {format}")));
    if schema["enum"].is_array() {
        fact.words.get_or_insert_default().extend(texts(&schema["enum"]));
    }
    fact.bounds.extend(BOUNDS.iter().filter_map(|(name, _)| Some((*name, schema[*name].as_f64()?))));
    let required = texts(&schema["required"]);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(document, property, &format!("{place}.{name}"), required.contains(name), facts);
    }
    if schema["items"].is_object() {
        collect(document, &schema["items"], &format!("{place}[]"), true, facts);
    }
    if schema["additionalProperties"].is_object() {
        collect(document, &schema["additionalProperties"], &format!("{place}.*"), false, facts);
    }
    for part in ["allOf", "oneOf", "anyOf"].iter().flat_map(|name| schema[*name].as_array().into_iter().flatten()) {
        collect(document, part, place, is_required, facts);
    }
}

fn facts(document: &Value, schema: &Value, is_required: bool) -> Facts {
    let mut facts = Facts::new();
    collect(document, schema, "", is_required, &mut facts);
    facts
}

/// The parts that a request may no longer have, or must have now.
fn narrower(what: &str, old: &Facts, new: &Facts, broken: &mut Vec<String>) {
    let mut note = |place: &str, change: &str| broken.push(format!("{what}{place} {change}"));
    for (place, before) in old {
        let Some(now) = new.get(place) else {
            note(place, "is not taken any more");
            continue;
        };
        if !before.types.is_subset(&now.types) && !now.types.is_empty() {
            note(place, "takes other types");
        }
        if before.is_nullable && !now.is_nullable {
            note(place, "does not take null any more");
        }
        if now.is_required && !before.is_required {
            note(place, "is required now");
        }
        let takes_all = match (&before.words, &now.words) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(before), Some(now)) => before.is_subset(now),
        };
        if !takes_all {
            note(place, "does not take all words any more");
        }
        for (name, larger_is_wider) in BOUNDS {
            let is_narrower = match (before.bounds.get(name), now.bounds.get(name)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(before), Some(now)) => {
                    if larger_is_wider {
                        now < before
                    } else {
                        now > before
                    }
                }
            };
            if is_narrower {
                note(place, &format!("has a narrower {name}"));
            }
        }
    }
    for (place, now) in new.iter().filter(|(place, now)| now.is_required && !old.contains_key(*place)) {
        let parent = place.rsplit_once(['.', '[']).map_or("", |(parent, _)| parent);
        if old.contains_key(parent) && now.is_required {
            note(place, "is new, and required");
        }
    }
}

/// The parts that an answer no longer has, or may have now.
fn wider(what: &str, old: &Facts, new: &Facts, broken: &mut Vec<String>) {
    let mut note = |place: &str, change: &str| broken.push(format!("{what}{place} {change}"));
    for (place, before) in old {
        let Some(now) = new.get(place) else {
            note(place, "is gone");
            continue;
        };
        if !now.types.is_subset(&before.types) && !before.types.is_empty() {
            note(place, "has another type");
        }
        if now.is_nullable && !before.is_nullable {
            note(place, "may be null now");
        }
        if before.is_required && !now.is_required {
            note(place, "may be absent now");
        }
        let has_known_words = match (&before.words, &now.words) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(now)) => now.is_subset(before),
        };
        if !has_known_words {
            note(place, "may have other words now");
        }
    }
}

fn compare_operation(old: (&Value, &Value), new: (&Value, &Value)) -> Vec<String> {
    let ((old_document, before), (new_document, now)) = (old, new);
    let mut broken = Vec::new();
    let parameters = |operation: &Value| {
        let all = operation["parameters"].as_array().cloned().unwrap_or_default().into_iter();
        all.map(|parameter| (format!("{} {}", parameter["in"], parameter["name"]).replace('"', ""), parameter)).collect::<BTreeMap<_, _>>()
    };
    let (old_parameters, new_parameters) = (parameters(before), parameters(now));
    for (name, parameter) in &old_parameters {
        match new_parameters.get(name) {
            None => broken.push(format!("{name} is not taken any more")),
            Some(now) => {
                let of = |document, parameter: &Value| facts(document, &parameter["schema"], parameter["required"] == true);
                narrower(name, &of(old_document, parameter), &of(new_document, now), &mut broken);
            }
        }
    }
    let added = new_parameters.iter().filter(|(name, parameter)| parameter["required"] == true && !old_parameters.contains_key(*name));
    broken.extend(added.map(|(name, _)| format!("{name} is new, and required")));
    let bodies = |operation: &Value| operation["requestBody"]["content"].as_object().cloned().unwrap_or_default();
    let (old_bodies, new_bodies) = (bodies(before), bodies(now));
    for (media_type, body) in &old_bodies {
        match new_bodies.get(media_type) {
            None => broken.push(format!("a body of {media_type} is not taken any more")),
            Some(now) => {
                let of = |document, body: &Value| facts(document, &body["schema"], true);
                narrower("body", &of(old_document, body), &of(new_document, now), &mut broken);
            }
        }
    }
    if old_bodies.is_empty() && now["requestBody"]["required"] == true {
        broken.push("a body is required now".into());
    }
    compare_answers((old_document, before), (new_document, now), &mut broken);
    broken
}

fn compare_answers((old_document, before): (&Value, &Value), (new_document, now): (&Value, &Value), broken: &mut Vec<String>) {
    for (status, answer) in before["responses"].as_object().into_iter().flatten().filter(|(status, _)| status.starts_with('2')) {
        let present = &now["responses"][status];
        if present.is_null() {
            broken.push(format!("the answer {status} is gone"));
            continue;
        }
        for (media_type, content) in answer["content"].as_object().into_iter().flatten() {
            let present = &present["content"][media_type];
            if present.is_null() {
                broken.push(format!("the answer {status} of {media_type} is gone"));
                continue;
            }
            let of = |document, content: &Value| facts(document, &content["schema"], true);
            wider(status, &of(old_document, content), &of(new_document, present), broken);
        }
    }
}

fn operations(document: &Value) -> BTreeMap<String, (String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let of_path =
        paths.flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation)));
    let named = of_path.filter_map(|(path, method, operation)| {
        let name = operation["operationId"].as_str()?.to_owned();
        Some((name, (format!("{method} {path}"), operation)))
    });
    named.collect()
}

/// The changes that break a client of `old`, by operation. A new or removed code of a problem is under `ProblemCode`.
pub fn changes(old: &Value, new: &Value) -> BTreeMap<String, Vec<String>> {
    let (before, now) = (operations(old), operations(new));
    let mut changes = BTreeMap::new();
    for (name, (address, operation)) in &before {
        let broken = match now.get(name) {
            None => vec!["the operation is gone".to_owned()],
            Some((moved, _)) if moved != address => vec![format!("the operation has moved from {address} to {moved}")],
            Some((_, present)) => compare_operation((old, operation), (new, present)),
        };
        changes.insert(name.clone(), broken);
    }
    let codes = |document: &Value| texts(&document["components"]["schemas"]["ProblemCode"]["enum"]);
    let (old_codes, new_codes) = (codes(old), codes(new));
    let changed = old_codes.symmetric_difference(&new_codes).map(|code| format!("{code} is new or gone")).collect();
    changes.insert("ProblemCode".into(), changed);
    changes.retain(|_, broken: &mut Vec<String>| !broken.is_empty());
    changes
}
