//! No answer has a `null`: a property without a value is left out. The schemas of rows are made from `Option` fields, so
//! this module takes the `null` out of them. The schemas of requests keep it: there it clears a property.

use std::collections::BTreeSet;

use serde_json::Value;

/// Takes `null` out of each schema that occurs in answers only.
pub(super) fn forbid_null(document: &mut Value) {
    let mut sent = BTreeSet::new();
    for operation in operations(document) {
        named(document, &operation["requestBody"], &mut sent);
    }
    let components = document["components"]["schemas"].as_object_mut();
    for (_, schema) in components.into_iter().flatten().filter(|(name, _)| !sent.contains(*name)) {
        without_null(schema);
    }
    for item in document["paths"].as_object_mut().into_iter().flatten().flat_map(|(_, item)| item.as_object_mut()) {
        for (_, operation) in item {
            operation.get_mut("responses").into_iter().for_each(without_null);
        }
    }
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    document["paths"].as_object().into_iter().flatten().filter_map(|(_, item)| item.as_object()).flatten().map(|(_, operation)| operation)
}

/// Collects the names of the schemas that `part` refers to, also through others.
fn named(document: &Value, part: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(|name| name.as_str()?.strip_prefix("#/components/schemas/"));
            if let Some(name) = name.filter(|name| found.insert((*name).to_owned())) {
                named(document, &document["components"]["schemas"][name], found);
            }
            members.values().for_each(|member| named(document, member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| named(document, item, found)),
        _ => {}
    }
}

fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(without_null);
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    members.insert("type".into(), only);
                }
            }
            for union in ["oneOf", "anyOf"] {
                let Some(Value::Array(parts)) = members.get_mut(union) else { continue };
                parts.retain(|part| part["type"] != "null");
                if let [Value::Object(only)] = &parts[..] {
                    let only = only.clone();
                    members.remove(union);
                    for (name, value) in only {
                        members.entry(name).or_insert(value);
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_lose_their_nulls_and_requests_keep_them() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let optional = || json!({"type": ["string", "null"], "maxLength": 5});
        let mut document = json!({
            "paths": {"/a": {"patch": {
                "requestBody": {"content": {"application/json": {"schema": reference("Change")}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"oneOf": [{"type": "null"}, reference("Row")]}}}}},
            }}},
            "components": {"schemas": {
                "Change": {"properties": {"name": optional(), "inner": reference("Inner")}},
                "Inner": {"properties": {"x": optional()}},
                "Row": {"properties": {"name": optional(), "other": {"description": "d", "oneOf": [{"type": "null"}, reference("Other")]}}},
            }},
        });
        forbid_null(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Change"]["properties"]["name"], optional());
        assert_eq!(schemas["Inner"]["properties"]["x"], optional());
        assert_eq!(schemas["Row"]["properties"]["name"], json!({"type": "string", "maxLength": 5}));
        let other = json!({"description": "d", "$ref": "#/components/schemas/Other"});
        assert_eq!(schemas["Row"]["properties"]["other"], other);
        assert_eq!(document["paths"]["/a"]["patch"]["responses"]["200"]["content"]["application/json"]["schema"], reference("Row"));
    }
}
