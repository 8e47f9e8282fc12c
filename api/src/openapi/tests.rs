//! The document is complete, and agrees with the value types.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{METHODS, document};

fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &Value)| {
        let of_method = |method: &&str| item.get(*method).map(|operation| (format!("{method} {path}"), operation.clone()));
        METHODS.iter().filter_map(of_method).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn every_operation_has_a_unique_name_a_tag_a_summary_and_a_description() {
    let document = document();
    let operations = operations(&document.json);
    let names =
        operations.iter().map(|(_, operation)| operation["operationId"].as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), operations.len());
    let tags = document.json["tags"].as_array().expect("tags").iter().map(|tag| tag["name"].clone()).collect::<Vec<_>>();
    for (address, operation) in operations {
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{address} has one tag");
        assert!(tags.contains(&operation["tags"][0]), "{address}: {}", operation["tags"]);
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{address}");
        let description = operation["description"].as_str().unwrap_or_default();
        assert!(description.len() > 30 && !description.starts_with("Its own problems"), "{address} has no description: {description}");
    }
}

#[test]
fn every_operation_under_v1_is_a_command_a_query_or_about_sessions() {
    let others = [
        "/server",
        "/sessions",
        "/password",
        "/replays",
        "/parked",
        "/replay-views",
        "/retention/runs",
        "/presence",
        "/typing",
        "/v1/live",
        "/read-marker",
        "/proof/",
        "/v1/emojis",
    ];
    for (address, operation) in operations(&document().json) {
        let parameters = operation["parameters"].to_string();
        let is_known = parameters.contains("Idempotency-Key") || parameters.contains("Backscroll-Min-Position");
        assert!(is_known || !address.contains("/v1/") || others.iter().any(|part| address.contains(part)), "{address}");
    }
}

#[test]
fn every_operation_but_health_checks_names_its_rate_limit_class() {
    for (address, operation) in operations(&document().json) {
        let counted = operation["x-rate-limit-class"].is_string() && !operation["responses"]["default"].is_null();
        assert_eq!(counted, operation["tags"][0] != "health", "{address}");
    }
}

#[test]
fn every_reference_has_a_target() {
    let document = document().json;
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference of this document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn the_documented_lengths_are_those_of_the_value_types() {
    use domain::text::{ChannelName, DisplayName, Email, MessageBody, Topic, Username, WorkspaceName};
    let document = document().json;
    let length = |schema: &str, field: &str| document["components"]["schemas"][schema]["properties"][field]["maxLength"].as_u64();
    for (schema, field, chars_max) in [
        ("RegisterUser", "email", Email::CHARS_MAX),
        ("RegisterUser", "username", Username::CHARS_MAX),
        ("RegisterUser", "display_name", DisplayName::CHARS_MAX),
        ("CreateWorkspace", "name", WorkspaceName::CHARS_MAX),
        ("CreateChannel", "name", ChannelName::CHARS_MAX),
        ("ChangeTopic", "topic", Topic::CHARS_MAX),
        ("PostMessage", "content", MessageBody::CHARS_MAX),
    ] {
        assert_eq!(length(schema, field), u64::try_from(chars_max).ok(), "{schema}.{field}");
    }
}

/// Each schema in `value`, with a name for the messages of tests.
fn each_schema(place: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(place, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        each_schema(&format!("{place}.{name}"), property, visit);
    }
    for (name, part) in [("[]", &schema["items"]), (".*", &schema["additionalProperties"])] {
        if part.is_object() {
            each_schema(&format!("{place}{name}"), part, visit);
        }
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        schema[choice].as_array().into_iter().flatten().for_each(|part| each_schema(place, part, visit));
    }
}

/// The places of all schemas that `is_one` finds.
fn places(document: &Value, is_one: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        each_schema(name, schema, &mut |place, schema| {
            found.extend(is_one(schema).then(|| place.to_owned()));
        });
    }
    found.into_iter().collect()
}

#[test]
fn no_parameter_admits_null() {
    for (address, operation) in operations(&document().json) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = parameter["schema"].to_string();
            assert!(!schema.contains("null"), "{address}: {}: {schema}", parameter["name"]);
        }
    }
}

/// Values of any type. Each has the reason why nothing more can be said.
const ANY_VALUE: [&str; 2] = [
    // A part of the state of an aggregate: a text, a number, an object.
    "StateChange.value",
    "StateChange.was",
];

/// Objects of which nothing more is said. Each has the reason.
const ANY_OBJECT: [&str; 12] = [
    // The client's own settings.
    "Account.notification_settings",
    "Account.theme_preferences",
    // The state of an aggregate, which is not part of the interface.
    "AsOf.state",
    // A stored event has the members of docs/EVENTS.md, which depend on its name and its version.
    "AuditEntry.payload",
    "ChangePreferences.notification_settings",
    "ChangePreferences.theme_preferences",
    "HistoryEntry.state",
    "LogRow.payload",
    "ParkedPayload.payload",
    // As the event `installation.replay_started` has it.
    "ReplayRun.asked",
    "ReplayRun.report",
    // Nobody can set it yet.
    "WorkspaceRow.sso_config",
];

#[test]
fn every_property_has_a_type_or_a_reason() {
    let document = document().json;
    let kinds = ["type", "$ref", "oneOf", "anyOf", "allOf", "enum"];
    assert_eq!(places(&document, |schema| kinds.iter().all(|kind| schema[*kind].is_null())), ANY_VALUE);
    let is_object = |schema: &Value| schema["type"].to_string().contains("object");
    let says_more = |schema: &Value| ["properties", "additionalProperties"].iter().any(|part| !schema[*part].is_null());
    assert_eq!(places(&document, |schema| is_object(schema) && !says_more(schema)), ANY_OBJECT);
}

#[test]
fn the_words_of_a_property_are_an_enum() {
    // A description that lists words in quotes: `one`, `two` or `three`.
    let lists_words = |schema: &Value| {
        let description = schema["description"].as_str().unwrap_or_default();
        let words = description
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        words.count() >= 2 && (description.starts_with('`') || description.contains(": `"))
    };
    let is_text = |schema: &Value| schema["type"].to_string().contains("string") && schema["enum"].is_null();
    assert_eq!(places(&document().json, |schema| is_text(schema) && lists_words(schema)), Vec::<String>::new());
}

#[test]
fn every_row_of_the_table_of_types_is_used() {
    let document = document().json;
    let schemas = &document["components"]["schemas"];
    for (schema, property, values) in super::words::TYPED {
        let reference = format!("#/components/schemas/{values}");
        let is_used = |(name, of): (&String, &Value)| {
            let mut used = false;
            each_schema(name, of, &mut |_, part| used |= part["properties"][*property].to_string().contains(&reference));
            used && (*schema == "*" || schema == name)
        };
        assert!(schemas.as_object().expect("schemas").iter().any(is_used), "{schema}.{property} has no {values}");
    }
}

#[test]
fn every_shape_has_a_name_of_its_own() {
    // The second part of an `allOf` adds members to the first, and is no class of its own.
    let document = document().json;
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        let parts = schema["allOf"].as_array().cloned().unwrap_or_default();
        let roots = std::iter::once(schema).chain(&parts);
        for root in roots {
            for (property, value) in root["properties"].as_object().into_iter().flatten() {
                each_schema(&format!("{name}.{property}"), value, &mut |place, inner| {
                    assert!(inner["properties"].is_null(), "{place} has no name: {inner}");
                });
            }
        }
    }
    for (address, operation) in operations(&document) {
        let bodies = operation["responses"].as_object().into_iter().flatten().map(|(_, response)| response);
        for content in bodies.chain([&operation["requestBody"]]).flat_map(|body| body["content"].as_object().into_iter().flatten()) {
            let schema = &content.1["schema"];
            assert!(!schema["$ref"].is_null() || schema["type"] == "string", "{address} {}: {schema}", content.0);
        }
    }
}

#[test]
fn a_union_has_a_discriminator() {
    let is_nullable = |choices: &Vec<Value>| choices.iter().any(|choice| choice["type"] == "null");
    let is_union =
        |schema: &Value| schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()).is_some_and(|choices| !is_nullable(choices));
    let without = places(&document().json, |schema| is_union(schema) && schema["discriminator"].is_null());
    assert_eq!(without, Vec::<String>::new());
}

/// Keywords and standard classes of the languages of generated clients, in lower case. `java.lang` and the built-in
/// types of Python are complete; of the others, those that generated code or its imports use.
const TAKEN: &str = "
    abstract and any array as assert async await base bigint blob body bool boolean boxed break byte bytes calendar callable case cast
    catch chan char character class client comparable configuration console const continue date datetime decimal default defer def del
    delegate delete dict dictionary do document double element elif else entry enum error eval event exception exec export extends
    extern fallthrough false field file final finally fixed float for foreach formdata from func function generic global go goto guid
    hash headers history http if image implements implicit import in index inner instanceof int integer interface internal is iterable
    iterator json lambda let list location lock long map math model module namespace native navigator new nil node none nonlocal not
    notification null number object objects operator option optional or out override package page param params partial pass path pick
    pointer print private process promise property protected public query raise random range readonly record ref regexp request
    response result return rune runtime scanner screen sealed select selection self set short signed sizeof stack static status
    stream strictfp string struct super switch symbol synchronized system task text thread throw throwable throws time timer timestamp
    transient tuple type typeof uint ulong undefined unit unset uri url ushort using uuid var void volatile while window with worker
    write yield change difference view";

#[test]
fn no_schema_has_the_name_of_a_keyword_or_a_standard_class() {
    let taken = TAKEN.split_whitespace().collect::<BTreeSet<_>>();
    let document = document().json;
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(!taken.contains(name.to_lowercase().as_str()), "{name}: find a name that is nobody else's");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
    }
}

#[test]
fn an_operation_has_one_answer_for_all_problems() {
    for (address, operation) in operations(&document().json) {
        let refused = operation["responses"]
            .as_object()
            .expect("responses")
            .keys()
            .filter(|status| *status >= &"400".to_owned() && *status != "default");
        let is_health_check = operation["tags"][0] == "health";
        assert!(is_health_check || refused.count() == 0, "{address}");
        assert_eq!(operation["responses"]["default"].is_null(), is_health_check, "{address}");
    }
}

#[test]
fn bytes_are_binary() {
    let document = document().json;
    for (address, operation) in operations(&document) {
        for (_, response) in operation["responses"].as_object().expect("responses") {
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                let is_binary = content["schema"]["format"] == "binary";
                let is_bytes = ["application/zip", "application/octet-stream"].contains(&media_type.as_str());
                assert_eq!(is_binary, is_bytes, "{address}: {media_type}");
                assert!(media_type == "application/json" || !media_type.starts_with("application/json"), "{address}: {media_type}");
            }
        }
    }
}
