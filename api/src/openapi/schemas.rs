//! The schemas of the document, completed: every shape once and under its own name, and no property without a type that
//! could have one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{types, words};

/// The start of a reference to a schema.
const SCHEMAS: &str = "#/components/schemas/";

/// Members of `components` and of operations that contain schemas.
const SCHEMA: &str = "schema";

/// Completes the schemas. The order matters: rows are shared before they get types, so that they still equal their
/// inlined copies.
pub(super) fn complete(document: &mut Value) {
    walk(document, &mut join_description);
    share_rows(document);
    name_pages(document);
    for (name, schema) in words::all().into_iter().chain(types::all()) {
        document["components"]["schemas"][name] = schema;
    }
    type_properties(document);
    type_parameters(document);
    remove_unused(document);
}

/// Calls `change` for each object in `value`, outer ones first.
fn walk(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    if value.is_object() {
        change(value);
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| walk(member, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        _ => {}
    }
}

/// utoipa describes an inlined enum by a second schema, an object, which no text can be.
fn join_description(value: &mut Value) {
    let Some([inlined, described]) = value["allOf"].as_array().map(Vec::as_slice) else { return };
    let is_description = described.as_object().is_some_and(|members| members.keys().all(|name| name == "type" || name == "description"));
    if is_description && inlined["enum"].is_array() {
        let mut joined = inlined.clone();
        joined["description"] = described["description"].clone();
        *value = joined;
    }
}

/// Replaces inlined copies of schemas by references. utoipa inlines the rows of generic pages (utoipa#1586), and
/// generators would make a second class of each.
fn share_rows(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let is_shape = |schema: &Value| schema["properties"].is_object() || schema["allOf"].is_array();
    let shapes = schemas.iter().filter(|(_, schema)| is_shape(schema));
    let names = shapes.map(|(name, schema)| (schema.to_string(), name.clone())).collect::<BTreeMap<_, _>>();
    let mut share = |inner: &mut Value| {
        if let Some(name) = is_shape(inner).then(|| names.get(&inner.to_string())).flatten() {
            *inner = json!({"$ref": format!("{SCHEMAS}{name}")});
        }
    };
    for schema in schemas.values_mut() {
        for part in schema.as_object_mut().into_iter().flatten().map(|(_, part)| part) {
            walk(part, &mut share);
        }
    }
}

/// Renames `Page_ChannelRow` to `ChannelRowPage`.
fn name_pages(document: &mut Value) {
    let page = |name: &str| name.strip_prefix("Page_").map(|row| format!("{row}Page"));
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        let renamed = std::mem::take(schemas).into_iter();
        schemas.extend(renamed.map(|(name, schema)| (page(&name).unwrap_or(name), schema)));
    }
    walk(document, &mut |value| {
        let name = value["$ref"].as_str().and_then(|reference| reference.strip_prefix(SCHEMAS)).and_then(page);
        if let Some(name) = name {
            value["$ref"] = json!(format!("{SCHEMAS}{name}"));
        }
    });
}

/// The schema of the values of a property, if the table has one.
fn typed(schema: &str, property: &str) -> Option<&'static str> {
    let matches = |(of, name, _): &&(&str, &str, &str)| (*of == "*" || *of == schema) && *name == property;
    words::TYPED.iter().find(matches).map(|(.., values)| *values)
}

/// Whether a property may have a better type: it has none, or is a text or an object of which nothing more is said.
fn is_weak(property: &Value) -> bool {
    let kinds = ["$ref", "oneOf", "anyOf", "allOf", "enum", "format"];
    let is_open = |kind: &Value| kind == "string" || kind == "object" || kind == "null";
    let has_open_type = match &property["type"] {
        Value::Array(types) => types.iter().all(is_open),
        Value::Null => true,
        one => is_open(one),
    };
    has_open_type && kinds.iter().all(|kind| property[*kind].is_null())
}

fn type_properties(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, schema) in schemas {
        walk(schema, &mut |part| {
            let required = part["required"].as_array().cloned().unwrap_or_default();
            for (property, value) in part.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
                if is_weak(value) {
                    add_type(name, property, value, required.contains(&json!(property)));
                }
            }
        });
    }
}

fn add_type(schema: &str, property: &str, value: &mut Value, is_required: bool) {
    let is_nullable = match &value["type"] {
        Value::Array(types) => types.contains(&json!("null")),
        Value::Null => !is_required,
        _ => false,
    };
    if let Some(values) = typed(schema, property) {
        *value = reference(values, value, is_nullable);
    } else if let Some(inline) = words::inline(schema, property) {
        let kind = if is_nullable { json!(["object", "null"]) } else { json!("object") };
        if let (Some(value), Value::Object(inline)) = (value.as_object_mut(), inline) {
            value.extend(inline);
        }
        value["type"] = kind;
    }
}

/// The reference to a schema, with the description of the property.
fn reference(name: &str, property: &Value, is_nullable: bool) -> Value {
    let mut reference = json!({"$ref": format!("{SCHEMAS}{name}")});
    if !property["description"].is_null() {
        reference["description"] = property["description"].clone();
    }
    if is_nullable { json!({"oneOf": [reference, {"type": "null"}]}) } else { reference }
}

fn type_parameters(document: &mut Value) {
    walk(&mut document["paths"], &mut |value| {
        let Some(name) = value["name"].as_str().filter(|_| value["in"].is_string()) else { return };
        if let Some(values) = typed("parameter", name).filter(|_| is_weak(&value[SCHEMA])) {
            value[SCHEMA] = json!({"$ref": format!("{SCHEMAS}{values}")});
        }
    });
}

/// Removes schemas that nothing refers to.
fn remove_unused(document: &mut Value) {
    loop {
        let mut used = BTreeSet::new();
        walk(document, &mut |value| {
            used.extend(value["$ref"].as_str().and_then(|reference| reference.strip_prefix(SCHEMAS)).map(str::to_owned));
        });
        let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
        let before = schemas.len();
        schemas.retain(|name, _| used.contains(name));
        if schemas.len() == before {
            return;
        }
    }
}
