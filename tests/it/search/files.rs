//! Files are found by their names, together with their messages.

use std::io::Write;
use std::path::Path;

use chrono::Utc;
use identity::sessions::Device;
use serde_json::{Value, json};
use slack::import::{self, Limits, Settings};
use tests::person::Person;
use tests::servers;
use uuid::Uuid;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::fixture::{Backend, Fixture, escaped};
use super::over_every_backend;

over_every_backend!(
    files_are_found_by_their_names,
    no_user_finds_a_file_of_a_message_that_they_may_not_read,
    a_mistake_in_a_search_for_files_is_refused
);

async fn bring_in(fixture: &Fixture, export: &Path) {
    let settings = Settings {
        workspace_id: fixture.team.id.into(),
        importer: fixture.team.owner.id.into(),
        at: Utc::now(),
        correlation_id: Uuid::now_v7(),
        limits: Limits::default(),
    };
    import::slack(fixture.app.app().commands.store(), export, &settings, &()).await.expect("an import");
}

fn path(fixture: &Fixture, query: &str) -> String {
    fixture.team.path(&format!("/search/files?q={}", escaped(query)))
}

async fn find(fixture: &Fixture, person: &Person, query: &str) -> Vec<String> {
    let head = fixture.settle().await;
    let found = person.get_at(head, &path(fixture, query)).await.expect(200);
    assert_eq!(found["backend"], fixture.backend_name(), "{query}");
    let hits = found["items"].as_array().expect("hits");
    assert_eq!((&found["total"], &found["total_is_exact"]), (&json!(hits.len()), &json!(true)), "{query}");
    hits.iter().flat_map(|hit| hit["files"].as_array().expect("files")).map(name).collect()
}

fn name(file: &Value) -> String {
    file["name"].as_str().expect("a name").to_owned()
}

async fn files_are_found_by_their_names(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    bring_in(&fixture, &servers::checkout().join("tests/fixtures/sample-export.zip")).await;
    let owner = &fixture.team.owner;
    for query in [
        "compost",
        "COMPOST-before",
        "\"before after\"",
        "\"after before\"",
        "comp* jpg",
        "compost -pdf",
        "before* during:2025-06",
        "in:#orchard-work",
    ] {
        assert_eq!(find(&fixture, owner, query).await, ["compost-before-after.jpg"], "{query}");
    }
    for query in ["comp", "moved", "compost pdf", "compost -jpg", "-comp* in:#orchard-work", "compost before:2025", "sketches"] {
        assert_eq!(find(&fixture, owner, query).await, [""; 0], "{query}");
    }
    assert_eq!(fixture.find("compost-before").await, [""; 0], "the name of a file is not part of a message's text");

    let found = owner.get(&path(&fixture, "compost")).await.expect(200);
    let hit = &found["items"][0];
    assert_eq!((&hit["files"][0]["mime_type"], &hit["files"][0]["size"]), (&json!("image/jpeg"), &json!(1_843_200)));
    let pieces = json!([[{"text": "compost", "hit": true}, {"text": "-before-after.jpg", "hit": false}]]);
    assert_eq!(hit["files"][0]["highlights"], pieces);
    assert_eq!(hit["channel"]["name"], "orchard-work");

    let message = hit["message"]["message_id"].as_str().expect("a message");
    owner.delete(&format!("/v1/messages/{message}")).await.expect(204);
    assert_eq!(find(&fixture, owner, "compost").await, [""; 0], "no search finds a deleted file");
}

async fn no_user_finds_a_file_of_a_message_that_they_may_not_read(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut export = ZipWriter::new(file.reopen().expect("a file"));
    for (path, content) in [
        ("users.json", r#"[{"id": "U1", "name": "ann", "profile": {"real_name": "Ann"}}]"#),
        ("groups.json", r#"[{"id": "G1", "name": "cellar", "created": 1735689600, "members": ["U1"]}]"#),
        (
            "cellar/2025-01-01.json",
            r#"[{"type": "message", "user": "U1", "ts": "1735689700.000100", "text": "look", "files": [{"id": "F1", "name": "quincidence.pdf"}]}]"#,
        ),
    ] {
        export.start_file(path, SimpleFileOptions::default()).expect("an entry");
        export.write_all(content.as_bytes()).expect("an entry");
    }
    export.finish().expect("an export");
    bring_in(&fixture, file.path()).await;

    for outsider in [&fixture.team.owner, &fixture.team.member, &fixture.team.guest] {
        assert_eq!(find(&fixture, outsider, "quincidence").await, [""; 0]);
    }
    let members = "SELECT m.user_id FROM channel_members m JOIN channels c USING (channel_id) WHERE c.name = 'cellar' AND m.is_active";
    let ann = sqlx::query_scalar::<_, Uuid>(members).fetch_one(&fixture.app.app().pool).await.expect("a member");
    let (token, _) = fixture.app.app().sessions.start(ann.into(), Device::default()).await.expect("a session");
    let ann = fixture.team.member.with_token(token.expose().to_owned());
    assert_eq!(find(&fixture, &ann, "quincidence").await, ["quincidence.pdf"]);

    fixture.team.stranger.get(&path(&fixture, "quincidence")).await.expect_problem(404, "workspace.not_found");
    fixture.app.get(&path(&fixture, "quincidence")).await.expect_problem(401, "auth.token_missing");
}

async fn a_mistake_in_a_search_for_files_is_refused(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let owner = &fixture.team.owner;
    owner.get(&fixture.team.path("/search/files")).await.expect_problem(400, "search.query_invalid");
    owner.get(&path(&fixture, "in:#nowhere")).await.expect_problem(400, "search.query_invalid");
    owner.get(&format!("{}&order=newest", path(&fixture, "a"))).await.expect_problem(400, "request.query_invalid");
    owner.get(&format!("{}&after=x", path(&fixture, "a"))).await.expect_problem(400, "request.cursor_invalid");
}
