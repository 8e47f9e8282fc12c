//! Elasticsearch for tests: plain HTTP, without our own client.

use reqwest::Method;
use serde_json::{Value, json};

use crate::servers::address;

/// Sends a request to Elasticsearch, and returns the answer whatever its status is.
///
/// # Errors
/// Fails if Elasticsearch does not answer.
pub async fn ask(method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Value> {
    let request = reqwest::Client::new().request(method, format!("{}{path}", address("BACKSCROLL_ELASTICSEARCH_URL")));
    let answer = body.into_iter().fold(request, reqwest::RequestBuilder::json).send().await?;
    Ok(answer.json().await.unwrap_or_default())
}

/// Sends a request to Elasticsearch.
///
/// # Panics
/// Panics if Elasticsearch does not answer.
pub async fn expect(method: Method, path: &str, body: Option<&Value>) -> Value {
    ask(method, path, body).await.expect("Elasticsearch: run `make services` first")
}

/// Every document behind an alias or a pattern: its identifier, its version and its source.
///
/// # Panics
/// Panics if Elasticsearch does not answer.
pub async fn documents(indices: &str) -> Vec<(String, i64, Value)> {
    expect(Method::POST, &format!("/{indices}/_refresh"), None).await;
    let query = json!({"size": 10_000, "version": true, "query": {"match_all": {}}});
    let found = expect(Method::POST, &format!("/{indices}/_search"), Some(&query)).await;
    let hits = found["hits"]["hits"].as_array().cloned().unwrap_or_default();
    let document =
        |hit: Value| (hit["_id"].as_str().unwrap_or_default().to_owned(), hit["_version"].as_i64().unwrap_or(0), hit["_source"].clone());
    let mut documents = hits.into_iter().map(document).collect::<Vec<_>>();
    documents.sort_by(|a, b| a.0.cmp(&b.0));
    documents
}

/// Removes every index and template whose name begins with this prefix.
pub async fn clean_up(prefix: &str) {
    let Ok(found) = ask(Method::GET, &format!("/{prefix}*/_alias?expand_wildcards=all"), None).await else { return };
    for index in found.as_object().into_iter().flat_map(|indices| indices.keys()).filter(|index| index.starts_with(prefix)) {
        drop(ask(Method::DELETE, &format!("/{index}"), None).await);
    }
    for family in ["messages", "files", "users"] {
        drop(ask(Method::DELETE, &format!("/_index_template/{prefix}{family}"), None).await);
    }
}
