//! Every list has pages. The cost of a list without pages would have no limit, because users can add to it.

use serde_json::{Value, json};
use tests::{Person, Team, TestApp};

/// Operations that answer with a list and take no cursor. Each has the reason why its list is never long.
const NEVER_LONG: [(&str, &str); 16] = [
    ("count_members", "the counts of a period, the greatest first: a shorter period shows the others, and `limit` is at most 100"),
    ("count_messages", "as count_members"),
    ("get_channel", "the people of a conversation, nine at most"),
    ("get_message", "the latest five earlier texts of one message"),
    ("get_start", "500 channels at most, and a cursor for the list of channels; messages of 40 channels at most, 50 of each"),
    ("list_presence", "as many people as the caller names, who are counted"),
    ("list_projections", "the projections of the release: there are four"),
    ("list_proof_keys", "a key for each rotation by an operator"),
    ("list_replays", "the latest fifty"),
    ("list_typing", "a hundred people at most"),
    ("list_unicode_emojis", "the emojis of Unicode, which clients keep"),
    ("preview_retention", "one entry for each policy"),
    ("prove_consistency", "one hash for each level of the tree: 64 at most"),
    ("prove_inclusion", "as prove_consistency"),
    ("read_chain", "causes and effects of one event, each cut at a limit and marked"),
    ("read_difference", "what two states of one thing differ in"),
];

/// The names of query parameters that contain a cursor.
const CURSORS: [&str; 4] = ["after", "before", "cursor", "messages_after"];

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => schema,
    }
}

/// Whether an answer with this schema is a list, or has a list at its top level.
fn has_list(document: &Value, schema: &Value) -> bool {
    let schema = resolved(document, schema);
    let is_list = |schema: &Value| {
        let kind = &resolved(document, schema)["type"];
        kind == "array" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("array")))
    };
    let parts = schema["allOf"].as_array().into_iter().flatten();
    is_list(schema)
        || schema["properties"].as_object().into_iter().flatten().any(|(_, property)| is_list(property))
        || parts.into_iter().any(|part| has_list(document, part))
}

#[test]
fn every_operation_that_answers_with_a_list_has_pages_or_a_reason() {
    let document = api::openapi::document().json;
    let mut without = Vec::new();
    for item in document["paths"].as_object().expect("paths").values() {
        let Some(operation) = item.get("get") else { continue };
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let names = operation["parameters"].as_array().into_iter().flatten().filter_map(|parameter| parameter["name"].as_str());
        let names = names.collect::<Vec<_>>();
        let is_paged = names.contains(&"limit") && CURSORS.iter().any(|cursor| names.contains(cursor));
        if has_list(&document, schema) && !is_paged {
            without.push(operation["operationId"].as_str().expect("a name").to_owned());
        }
    }
    without.sort();
    assert_eq!(without, NEVER_LONG.map(|(name, _)| name));
}

/// The rows of a list, read in pages of at most two rows.
async fn walked(person: &Person, path: &str, rows: &str, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = None::<String>;
    loop {
        let cursor = next.map(|next| format!("&after={next}")).unwrap_or_default();
        let page = person.get(&format!("{path}?limit=2{cursor}")).await.expect(200);
        let shown = page[rows].as_array().expect("rows");
        assert!(shown.len() <= 2, "{page}");
        all.extend(shown.iter().map(|row| row[key].as_str().expect("a key").to_owned()));
        match page["next"].as_str() {
            Some(cursor) => next = Some(cursor.to_owned()),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_workspaces_invitations_holds_pins_sessions_and_unread_channels_show_each_row_once_in_order() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut position = 0;
    for (n, name) in ["beta", "Alpha", "alpha", "Zeta"].into_iter().enumerate() {
        team.owner.post("/v1/workspaces", json!({"name": name})).await.expect(201);
        team.owner.post(&team.path("/invitations"), json!({"email": format!("guest-{n}@example.org")})).await.expect(201);
        team.owner.post(&team.path("/holds"), json!({"on": {"kind": "workspace"}, "reason": name})).await.expect(201);
        team.channel(&team.owner, "public", &format!("channel-{n}"), &[]).await;
        let message = team.message(&team.owner, team.general, name).await;
        position = team.owner.put_empty(&format!("/v1/messages/{message}/pin")).await.position();
        app.sign_in(&team.owner.email).await;
    }
    team.owner.get_at(position, "/v1/users/me").await.expect(200);

    let names = walked(&team.owner, "/v1/workspaces", "items", "name").await;
    assert_eq!(names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>(), ["acme", "alpha", "alpha", "beta", "zeta"]);
    let emails = walked(&team.owner, &team.path("/invitations"), "items", "email").await;
    assert_eq!(emails, ["guest-0@example.org", "guest-1@example.org", "guest-2@example.org", "guest-3@example.org"]);
    let reasons = walked(&team.owner, &team.path("/holds"), "items", "reason").await;
    assert_eq!(reasons, ["beta", "Alpha", "alpha", "Zeta"]);
    let pins = walked(&team.owner, &team.general("/pins"), "items", "content").await;
    assert_eq!(pins, ["Zeta", "alpha", "Alpha", "beta"]);
    for (path, rows, key, count) in
        [("/v1/sessions".to_owned(), "items", "session_id", 5), (team.path("/unread"), "channels", "channel_id", 5)]
    {
        let paged = walked(&team.owner, &path, rows, key).await;
        let whole = team.owner.get(&path).await.expect(200);
        let whole = whole[rows].as_array().expect("rows").iter().map(|row| row[key].as_str().expect("a key").to_owned());
        assert_eq!((paged.len(), paged), (count, whole.collect::<Vec<_>>()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_or_forged_cursor_and_too_large_a_page_are_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    // In base64: `1`, `["a\u0000b", …]`, and a time outside the range of the database. Two lists accept the last one: any
    // text of one line can be the name of a workspace, and the server pages sessions without the database.
    let forged = [
        "MQ",
        "nonsense!",
        "WyJhXHUwMDAwYiIsIjAxOTlkMWM2LTZhNmYtN2M1MS04ZDdlLTBmMGY2YTNmOWQyYiJd",
        "WyIrMjYyMTQyLTEyLTMxVDIzOjU5OjU5WiIsIjAxOTlkMWM2LTZhNmYtN2M1MS04ZDdlLTBmMGY2YTNmOWQyYiJd",
    ];
    let lists = [
        "/v1/workspaces".to_owned(),
        "/v1/sessions".to_owned(),
        team.path("/invitations"),
        team.path("/emojis"),
        team.path("/holds"),
        team.path("/unread"),
        team.general("/pins"),
    ];
    for list in lists {
        let accepts_the_last = ["/v1/workspaces", "/v1/sessions"].contains(&list.as_str());
        for cursor in forged.into_iter().take(if accepts_the_last { 3 } else { 4 }) {
            team.owner.get(&format!("{list}?after={cursor}")).await.expect_problem(400, "request.cursor_invalid");
        }
        team.owner.get(&format!("{list}?limit=101")).await.expect(200);
        team.owner.get(&format!("{list}?limit=0")).await.expect_problem(400, "request.query_invalid");
    }
}
