//! Upgrades of the databases of every earlier release, done as an operator does them: with the verbs of the command
//! line.

use std::collections::BTreeMap;

use domain::{DecodeError, Event, Recorded};
use serde_json::{Value, json};
use tests::place::WITH_ELASTICSEARCH;
use tests::release::{self, Account, Manifest, Release};
use tests::{Person, TestApp, eventually, program, tour};

/// Runs a verb of the command line, which must succeed. Returns its output.
async fn run(verb: &str, environment: &BTreeMap<String, String>) -> String {
    let output = program::output(&verb.split(' ').collect::<Vec<_>>(), environment).await;
    let (code, said) = program::said(&output);
    assert_eq!(code, Some(0), "{verb}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A server of this release with the database of the earlier release. It fills Elasticsearch, which takes some seconds,
/// only for the newest one.
async fn upgraded(kept: &Release, is_newest: bool) -> TestApp {
    let database = kept.restore().await;
    let log = release::log(&database.pool(1).await).await;
    assert_eq!(log, kept.manifest.log, "the dump agrees with its manifest");
    let key = ("BACKSCROLL_MASTER_KEY", kept.manifest.master_key.as_str());
    let search: &[(&str, &str)] = if is_newest { &[WITH_ELASTICSEARCH] } else { &[] };
    let settings = [tour::SETTINGS.as_slice(), &[key], search].concat();
    let mut app = TestApp::not_started_on(database, &settings);
    run("migrate", &app.environment).await;
    assert_eq!(run("migrate", &app.environment).await.trim(), "the schema is up to date");
    app.start_again().await;
    eventually("the read models have this release's version", async || {
        projections::outdated(&app.app().stores).await.expect("versions").is_empty()
    })
    .await;
    app
}

/// Checks that the log has every event of the manifest, and that each of them can be read.
async fn expect_every_event(app: &TestApp, manifest: &Manifest) {
    let stores = &app.app().stores;
    let mut read = BTreeMap::<String, i64>::new();
    let mut unreadable = Vec::new();
    let each = |event: Result<Recorded<Event>, DecodeError>| match event {
        Ok(event) => *read.entry(event.event.wire_name().into()).or_default() += 1,
        Err(error) => unreadable.push(error.to_string()),
    };
    stores::log::read_log(&stores.pool, &stores.keys, each).await.expect("the log");
    assert!(unreadable.is_empty(), "{} events cannot be read: {}", unreadable.len(), unreadable[0]);
    for (event_type, versions) in &manifest.log {
        let (kept, found) = (versions.values().sum::<i64>(), read.get(event_type).copied().unwrap_or(0));
        assert!(found >= kept, "{found} of {kept} {event_type} are read");
    }
}

/// Replays every projection. While the server still fills Elasticsearch, a second rebuild of it is refused.
async fn replay_all(app: &TestApp) -> String {
    let mut said = String::new();
    eventually("no other rebuild runs", async || {
        let output = program::output(&["replay", "all"], &app.environment).await;
        let (code, text) = program::said(&output);
        let is_refused = text.contains("another rebuild of");
        assert!(is_refused || code == Some(0), "replay all: {text}");
        said = String::from_utf8_lossy(&output.stdout).into_owned();
        !is_refused
    })
    .await;
    said
}

/// Checks that every projection can be rebuilt from the log, and that the rebuild is equal.
async fn expect_equal_replays(app: &TestApp) {
    tour::settle(app).await;
    let said = replay_all(app).await;
    for projection in projections::replayable(&app.app().stores) {
        assert!(said.contains(&format!("{projection} was rebuilt")), "{projection}: {said}");
    }
    assert_eq!(said.matches("\nequal to").count(), said.matches(" was rebuilt ").count(), "{said}");
}

async fn expect_a_log_that_fits(app: &TestApp, manifest: &Manifest) {
    let report = serde_json::from_str::<Value>(&run("audit verify --json", &app.environment).await).expect("JSON");
    assert_eq!((&report["fits"], &report["findings"]), (&json!(true), &json!([])), "{report}");
    assert!(report["events"].as_i64() >= Some(manifest.events), "{report}");
    assert!(report["signed"].as_i64() >= Some(manifest.events), "the heads of that release still verify: {report}");
}

/// Checks that users sign in with their old passwords, read the same messages as before, and can post.
async fn expect_people_to_go_on(app: &TestApp, manifest: &Manifest) {
    let [reader, operator] = [sign_in(app, manifest, &manifest.reader).await, sign_in(app, manifest, &manifest.operator).await];
    let head = tour::settle(app).await;
    let expected = manifest.history.clone().as_shown_now();
    assert_eq!(release::history(&reader, manifest.history.channel_id, head).await, expected);
    let messages = format!("/v1/channels/{}/messages", manifest.history.channel_id);
    let posted = reader.post(&messages, json!({"content": "Still afloat."})).await;
    let position = posted.position();
    posted.expect(201);
    let page = reader.get_at(position, &messages).await.expect(200);
    assert_eq!(page["items"].as_array().and_then(|items| items.last()).map(|item| &item["content"]), Some(&json!("Still afloat.")));
    expect_nothing_parked(&operator).await;
}

async fn sign_in(app: &TestApp, manifest: &Manifest, account: &Account) -> Person {
    let token = app.sign_in_with(&account.email, &manifest.password).await;
    app.person(account.user_id, &account.username, &account.email, token)
}

async fn expect_nothing_parked(operator: &Person) {
    eventually("the projections have everything", async || {
        let states = operator.get("/v1/projections").await.expect(200);
        let states = states["items"].as_array().expect("projections").clone();
        states.iter().all(|state| state["parked"] == json!([]) && state["lag"] == 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_every_earlier_release_is_migrated_read_replayed_and_used() {
    let releases = Release::all();
    assert!(!releases.is_empty(), "there is a database of an earlier release");
    for (at, kept) in releases.iter().enumerate() {
        println!("release {}", kept.manifest.release);
        let app = upgraded(kept, at + 1 == releases.len()).await;
        expect_every_event(&app, &kept.manifest).await;
        expect_a_log_that_fits(&app, &kept.manifest).await;
        expect_equal_replays(&app).await;
        expect_people_to_go_on(&app, &kept.manifest).await;
    }
}
