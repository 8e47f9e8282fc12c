//! Settings that are refused at the start, and secrets that are in files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use api::config::Settings;
use tests::servers::checkout;
use tests::{TestApp, eventually, program};

/// Variables that no `backscroll` process gets: NATS reads one, the tests the others.
const NOT_FOR_BACKSCROLL: [&str; 3] = ["BACKSCROLL_NATS_PASSWORD", "BACKSCROLL_SCHEMATHESIS_EXAMPLES", "BACKSCROLL_SCHEMATHESIS_SEED"];

async fn said(arguments: &[&str], environment: &BTreeMap<String, String>) -> (Option<i32>, String) {
    program::said(&program::output(arguments, environment).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_variable_is_refused_with_the_nearest_setting() {
    let app = TestApp::not_started(&[("BACKSCROLL_LISTEN_ADRESS", "127.0.0.1:0"), ("BACKSCROLL_RUN", "/tmp/elsewhere")]).await;
    let (code, text) = said(&["projections"], &app.environment).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("BACKSCROLL_LISTEN_ADRESS is not a setting; the nearest is BACKSCROLL_LISTEN:"), "{text}");
    assert!(!text.contains("BACKSCROLL_RUN"), "a variable of the scripts is no mistake: {text}");
}

#[test]
fn the_binary_accepts_every_variable_that_the_scripts_and_the_documents_name() {
    let folders = ["", "scripts", "scripts/services", "docs"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(checkout().join(folder)).expect("a folder"));
    let files = files.map(|file| file.expect("a file").path()).filter(|path| path.is_file());
    let names = files
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| variables(&without_examples(&text)))
        .collect::<BTreeSet<_>>();
    assert!(names.contains("BACKSCROLL_POSTGRES_ADMIN_URL") && names.contains("BACKSCROLL_LISTEN"), "{names:?}");
    for name in names.iter().filter(|name| !NOT_FOR_BACKSCROLL.contains(&name.as_str())) {
        let environment = BTreeMap::from([(name.clone(), "x".to_owned())]);
        let mistakes = Settings::from_sources(&environment, None).expect_err("most settings are missing").to_string();
        assert!(!mistakes.contains(&format!("{name} is not a setting")), "{mistakes}");
    }
}

/// The text without the lines that quote the refusal of a variable.
fn without_examples(text: &str) -> String {
    text.lines().filter(|line| !line.contains("is not a setting")).collect::<Vec<_>>().join("\n")
}

/// Every variable of ours that a text names. A name that ends with `_`, or that stands before `{`, is only a part.
fn variables(text: &str) -> Vec<String> {
    let starts = text.match_indices("BACKSCROLL_").map(|(start, _)| &text[start..]);
    let names = starts.filter_map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(rest.len());
        let is_whole = !rest[..end].ends_with('_') && !rest[end..].starts_with(['{', '$', '…']);
        is_whole.then(|| rest[..end].to_owned())
    });
    // The default name of the stream.
    names.filter(|name| name != "BACKSCROLL_EVENTS").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_may_be_in_a_file() {
    let app = TestApp::not_started(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut environment = app.environment.clone();
    for name in ["BACKSCROLL_POSTGRES_URL", "BACKSCROLL_MASTER_KEY", "BACKSCROLL_NATS_URL", "BACKSCROLL_REDIS_URL"] {
        let file = folder.path().join(name);
        fs::write(&file, format!("{}\n", environment.remove(name).expect("a setting"))).expect("a file");
        environment.insert(format!("{name}_FILE"), file.display().to_string());
    }
    let (code, text) = said(&["keys", "rotate"], &environment).await;
    assert_eq!(code, Some(0), "{text}");

    let with = |name: &str, value: &str| {
        let mut changed = environment.clone();
        changed.insert(name.to_owned(), value.to_owned());
        changed
    };
    let (code, text) = said(&["keys", "rotate"], &with("BACKSCROLL_MASTER_KEY", "hunter2")).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("BACKSCROLL_MASTER_KEY and BACKSCROLL_MASTER_KEY_FILE are both set") && !text.contains("hunter2"), "{text}");
    let (code, text) = said(&["keys", "rotate"], &with("BACKSCROLL_MASTER_KEY_FILE", "/nowhere/key")).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(["master_key", "/nowhere/key", "BACKSCROLL_MASTER_KEY_FILE", "No such file"].iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(text.matches("\n  ").count(), 1, "one mistake: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_is_refused_until_the_operator_chooses_it() {
    let mut app = TestApp::start_with(&[("BACKSCROLL_PARTITIONS", "4")]).await;
    app.sign_up("ann").await;
    let cursor = "SELECT count(*) FROM relay_cursor";
    let pool = app.database.pool(1).await;
    eventually("the relay has saved its place", async || {
        sqlx::query_scalar::<_, i64>(cursor).fetch_one(&pool).await.expect("a number") == 1
    })
    .await;
    app.stop().await;
    let mut environment = app.environment.clone();
    environment.insert("BACKSCROLL_PARTITIONS".into(), "16".into());
    let (code, text) = said(&["serve"], &environment).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("over 4 partitions") && text.contains("say 16") && text.contains("set `partitions` to 4"), "{text}");

    let advice = text.split('`').find(|part| part.starts_with("DELETE")).expect("what to run");
    sqlx::raw_sql(advice).execute(&pool).await.expect("the statement of the message");
    let (_server, url) = program::Program::serve(&environment);
    let registration =
        serde_json::json!({"email": "b@example.org", "username": "ben", "display_name": "Ben", "password": tests::person::PASSWORD});
    let answer = reqwest::Client::new().post(format!("{url}/v1/users")).json(&registration).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let partitions = "SELECT coalesce((SELECT cardinality(partition_positions) FROM relay_cursor), 0)";
    eventually("the relay goes on with 16", async || {
        sqlx::query_scalar::<_, i32>(partitions).fetch_one(&pool).await.expect("a number") == 16
    })
    .await;
}
