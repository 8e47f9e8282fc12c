//! The links of the document: from the answer that names something new, to the operations that take its identifier.

use serde_json::{Map, Value, json};

use super::METHODS;

/// A POST that makes something, by the name of its identifier, and the operations that the identifier leads to.
struct Source {
    path: String,
    status: String,
    identifier: String,
}

/// Adds the links to the answers that have them.
pub(super) fn complete(document: &mut Value) {
    for source in sources(document) {
        let links = links(document, &source);
        let response = &mut document["paths"][&source.path]["post"]["responses"][&source.status];
        if !links.is_empty() {
            response["links"] = Value::Object(links);
        }
    }
}

fn sources(document: &Value) -> Vec<Source> {
    let posts = document["paths"].as_object().into_iter().flatten().filter(|(_, item)| item["post"].is_object());
    posts.filter_map(|(path, item)| source(document, path, &item["post"])).collect()
}

/// `POST /v1/workspaces/{workspace_id}/channels` makes a `channel_id`, if its answer has one.
fn source(document: &Value, path: &str, operation: &Value) -> Option<Source> {
    let made = path.rsplit('/').next()?;
    let identifier = format!("{}_id", made.strip_suffix('s').unwrap_or(made));
    let mut responses = operation["responses"].as_object()?.iter();
    let (status, response) = responses.find(|(status, _)| status.starts_with('2'))?;
    let schema = &response["content"]["application/json"]["schema"];
    let source = Source { path: path.to_owned(), status: status.clone(), identifier };
    has_property(document, schema, &source.identifier).then_some(source)
}

fn has_property(document: &Value, schema: &Value, name: &str) -> bool {
    if let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        return document.pointer(pointer).is_some_and(|schema| has_property(document, schema, name));
    }
    let parts = || schema["allOf"].as_array().into_iter().flatten();
    schema["properties"][name].is_object() || parts().any(|part| has_property(document, part, name))
}

/// Links to each operation whose path has the identifier, and beside it only variables of the source's own path.
fn links(document: &Value, source: &Source) -> Map<String, Value> {
    let known = variables(&source.path);
    let mut links = Map::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let variables = variables(path);
        let is_known = |variable: &&str| *variable == source.identifier || known.contains(variable);
        if !variables.contains(&source.identifier.as_str()) || !variables.iter().all(is_known) {
            continue;
        }
        let parameters = variables.iter().map(|variable| ((*variable).to_owned(), json!(expression(source, variable))));
        let parameters = Value::Object(parameters.collect());
        for operation in METHODS.iter().filter_map(|method| item[*method]["operationId"].as_str()) {
            links.insert(operation.to_owned(), json!({"operationId": operation, "parameters": parameters}));
        }
    }
    links
}

fn expression(source: &Source, variable: &str) -> String {
    if variable == source.identifier { format!("$response.body#/{variable}") } else { format!("$request.path.{variable}") }
}

/// The names of the variables of a path.
fn variables(path: &str) -> Vec<&str> {
    path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links_of(pointer: &str) -> Map<String, Value> {
        let document = super::super::document().json;
        document.pointer(pointer).and_then(|response| response["links"].as_object().cloned()).expect("links")
    }

    #[test]
    fn an_answer_that_names_a_new_message_links_to_what_can_be_done_with_it() {
        let links = links_of("/paths/~1v1~1channels~1{channel_id}~1messages/post/responses/201");
        assert_eq!(links["get_message"]["parameters"], json!({"message_id": "$response.body#/message_id"}));
        assert!(!links.contains_key("react") && !links.contains_key("list_messages"), "{:?}", links.keys());
    }

    #[test]
    fn variables_of_the_request_lead_on_too() {
        let links = links_of("/paths/~1v1~1workspaces~1{workspace_id}~1holds/post/responses/201");
        let parameters = json!({"workspace_id": "$request.path.workspace_id", "hold_id": "$response.body#/hold_id"});
        assert_eq!(Value::Object(links), json!({"release_hold": {"operationId": "release_hold", "parameters": parameters}}));
    }
}
