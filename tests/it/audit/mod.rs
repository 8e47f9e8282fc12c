//! The audit: its entries, and the permission to see them.

mod archives;
mod entries;
mod exports;
mod from_where;
mod sign_ins;
mod through_time;
mod who_may_see;

use serde_json::Value;
use tests::person::Person;
use tests::{Team, TestApp};

/// The audit as this reader sees it, after every event so far was projected.
pub async fn audit(app: &TestApp, team: &Team, reader: &Person, query: &str) -> Vec<Value> {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    let page = reader.get_at(head, &team.path(&format!("/audit?limit=100{query}"))).await.expect(200);
    page["items"].as_array().expect("entries").clone()
}

/// A field of each entry.
pub fn each<'a>(entries: &'a [Value], field: &str) -> Vec<&'a str> {
    entries.iter().map(|entry| entry[field].as_str().unwrap_or_default()).collect()
}
