//! No data of an erased user is found anywhere, and the remaining data stay consistent.

mod killed;

use std::io::Read;
use std::path::{Path, PathBuf};

use async_nats::jetstream;
use chrono::{TimeDelta, Utc};
use domain::ids::{ChannelId, UserId};
use flate2::read::GzDecoder;
use projections::{RELATIONAL, RebuildOptions, ViewModels};
use serde_json::json;
use sqlx::postgres::PgPoolCopyExt;
use sqlx::{PgPool, Row};
use stores::log::event_digest;
use tests::objects::ObjectFolder;
use tests::person::PASSWORD;
use tests::place::WITH_ELASTICSEARCH;
use tests::{Person, Team, TestApp, TestDatabase, eventually, servers};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::support::{causes_of, post_at, this_month};

/// Words that only this user writes, cut so that no stemmer changes them. Among them are the user's address and device.
const WORDS: [&str; 9] =
    ["quetzalin", "xylomarmal", "zanzibarb", "pterodact", "wolpertin", "kumquatsch", ADDRESS, "gyrfalconette", "smorgasphone"];
/// The client address of the user.
const ADDRESS: &str = "203.0.113.178";
/// Tests that search the files of Redis for these words run alone: another test would write the same words there.
static ALONE: Mutex<()> = Mutex::const_new(());
/// The tables in a backup of the log. A restore rebuilds the tables of the read side. The keys have a separate backup.
const BACKED_UP: [&str; 3] = ["events", "claims", "idempotency_keys"];

/// The words that are found in the database, with their tables, in all schemas.
async fn found_in_database(pool: &PgPool) -> Vec<String> {
    let tables = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
    let mut found = Vec::new();
    for table in sqlx::query_scalar::<_, String>(tables).fetch_all(pool).await.expect("the tables") {
        for word in WORDS {
            let count = format!("SELECT count(*) FROM {table} AS t WHERE t::text ILIKE '%{word}%'");
            if sqlx::query_scalar::<_, i64>(&count).fetch_one(pool).await.expect("a count") > 0 {
                found.push(format!("{word} in {table}"));
            }
        }
    }
    found
}

fn found_in(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    WORDS.into_iter().find(|word| text.contains(word))
}

/// The words that are found in Redis, with their keys.
async fn found_in_redis(app: &TestApp) -> Vec<String> {
    let mut connection = app.redis().await.expect("Redis");
    let texts = tests::cached::texts(&mut connection, &format!("{}*", app.redis_prefix)).await;
    texts.iter().filter_map(|(key, text)| found_in(text.as_bytes()).map(|word| format!("{word} in {key}"))).collect()
}

/// The files of this checkout's Redis.
fn redis_files() -> Vec<PathBuf> {
    let mut folders = vec![servers::checkout().join(".run/data/redis")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files
}

fn found_in_files(files: &[PathBuf]) -> Vec<String> {
    let of_file = |file: &PathBuf| found_in(&std::fs::read(file).unwrap_or_default()).map(|word| format!("{word} in {}", file.display()));
    files.iter().filter_map(of_file).collect()
}

/// The words that are found in Elasticsearch, with their documents.
async fn found_in_elasticsearch(app: &TestApp) -> Vec<String> {
    let documents = tests::elastic::documents(&format!("{}*", app.elastic_prefix)).await;
    assert!(documents.len() > 5, "{documents:?}");
    let of =
        |(id, _, source): &(String, i64, serde_json::Value)| found_in(source.to_string().as_bytes()).map(|word| format!("{word} in {id}"));
    documents.iter().filter_map(of).collect()
}

/// The number of messages in NATS, and the words that are found in them.
async fn found_in_nats(app: &TestApp) -> (usize, Vec<String>) {
    let stream = jetstream::new(servers::nats().await).get_stream(&app.stream).await.expect("the stream");
    let state = stream.get_info().await.expect("the stream").state;
    let mut found = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        found.extend(found_in(&message.payload).map(|word| format!("{word} in message {sequence}")));
    }
    (usize::try_from(state.messages).expect("a number"), found)
}

/// Exports the log's files into the object store, beside the heads that the server sends there.
async fn export_this_month(pool: &PgPool, objects: &ObjectFolder) {
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, path) = this_month(pool, None, folder.path()).await;
    for file in [path.with_file_name(manifest.file), path] {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        objects.put(name, std::fs::read(&file).expect("a file")).await;
    }
}

/// The objects in the object store, decompressed.
async fn in_object_store(objects: &ObjectFolder) -> Vec<(String, Vec<u8>)> {
    let unpack = |(name, bytes): (String, Vec<u8>)| {
        let mut unpacked = Vec::new();
        if name.ends_with(".gz") {
            GzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).expect("a compressed file");
        }
        let bytes = if unpacked.is_empty() { bytes } else { unpacked };
        (name, bytes)
    };
    objects.objects().await.into_iter().map(unpack).collect()
}

/// Checks that every digest matches the stored event. Returns the number of events.
async fn digests_fit(pool: &PgPool) -> i64 {
    let rows = sqlx::query(
        "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, metadata::text, event_id,
                workspace_id, recorded_at, digest FROM public.events ORDER BY position",
    );
    let rows = rows.fetch_all(pool).await.expect("the log");
    for row in &rows {
        let text = |place: usize| row.get::<String, _>(place);
        let again = event_digest(
            row.get(0),
            &text(1),
            &text(2),
            row.get(3),
            &text(4),
            &text(5),
            &text(6),
            &text(7),
            row.get(8),
            row.get(9),
            row.get(10),
        );
        assert_eq!(row.get::<Vec<u8>, _>(11), again, "position {}", row.get::<i64, _>(0));
    }
    i64::try_from(rows.len()).expect("a number")
}

async fn copy_out(pool: &PgPool, table: &str) -> Vec<u8> {
    use futures::TryStreamExt;
    let rows = pool.copy_out_raw(&format!("COPY {table} TO STDOUT")).await.expect("a copy");
    rows.map_ok(|piece| piece.to_vec()).try_concat().await.expect("a copy")
}

/// A new database with this backup.
async fn restored(backup: &[(&str, Vec<u8>)], keys: &[u8]) -> TestDatabase {
    let database = TestDatabase::create().await;
    let mut connection = database.pool(1).await.acquire().await.expect("a connection");
    sqlx::query("SET backscroll.appending = 'yes'").execute(&mut *connection).await.expect("the setting for inserts");
    for (table, rows) in backup.iter().map(|(table, rows)| (*table, rows.as_slice())).chain([("secret.person_keys", keys)]) {
        let mut copy = connection.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.expect("a copy");
        copy.send(rows).await.expect("rows");
        copy.finish().await.expect("a table");
    }
    drop(connection);
    database
}

/// A user with data in every store, and one of their messages that others answered.
async fn somebody(app: &TestApp, team: &Team) -> (Person, Uuid) {
    let person = app.sign_up("Quetzalina").await.coming_from(ADDRESS, "Gyrfalconette/7");
    sign_in_again(&person).await;
    team.take_in(&person, "member").await;
    let profile = json!({"title": "Pterodactylist", "phone": "kumquatsch 7", "bio": "I keep a wolpertinger."});
    person.patch("/v1/users/me", profile).await.expect(200);
    person.put("/v1/users/me/custom-status", json!({"text": "feeding the wolpertinger"})).await.expect(200);
    let details = json!({"title": "Pterodactylist in chief"});
    team.owner.put(&team.path(&format!("/members/{}/details", person.id)), details).await.expect(200);
    let text = format!("<@{}> xylomarmalade for all", team.owner.id);
    let message = team.message(&person, team.general, &text).await;
    person.patch(&format!("/v1/messages/{message}"), json!({"content": format!("{text}, and zanzibarbar")})).await.expect(200);
    team.message(&person, team.general, "wolpertinger, kumquatsch").await;
    let reply = json!({"content": "no thanks", "thread_id": message});
    team.owner.post(&team.general("/messages"), reply).await.expect(201);
    team.member.put_empty(&format!("/v1/messages/{message}/reactions/tada")).await.expect(200);
    team.owner.put_empty(&format!("/v1/messages/{message}/pin")).await.expect(200);
    archived(app, team, &person).await;
    (person, message)
}

/// Signs the user in with a named device, after a wrong password.
async fn sign_in_again(person: &Person) {
    let sign_in = |password: &str| json!({"login": person.email, "password": password, "device_type": "smorgasphone of Quetzalina"});
    person.post("/v1/sessions", sign_in("kumquatsch")).await.expect(401);
    person.post("/v1/sessions", sign_in(PASSWORD)).await.expect(201);
}

/// Posts an old message of the user, and lets a retention policy archive it.
async fn archived(app: &TestApp, team: &Team, person: &Person) {
    let sent_at = Utc::now() - TimeDelta::days(60);
    post_at(&app.app().commands, UserId(person.id), ChannelId(team.general), sent_at, "a quetzalin long ago").await;
    team.owner.patch(&team.path("/settings"), json!({"retention_policy": {"days": 30}})).await.expect(200);
    settled(app).await;
    let left = app.app().retention.run(None).await.expect("a run");
    assert_eq!(left.messages(), 1);
}

async fn settled(app: &TestApp) -> i64 {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    for projection in [RELATIONAL, projections::CACHE, projections::SEARCH] {
        app.app().progress.wait_for(projection, head, std::time::Duration::from_secs(30)).await.expect("the projections keep up");
    }
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn no_data_of_an_erased_user_is_found_in_any_store_or_in_a_backup_that_is_restored_later() {
    let _alone = ALONE.lock().await;
    let (objects, environment) = (ObjectFolder::create(), ObjectFolder::environment());
    let mut changes = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>();
    changes.extend([WITH_ELASTICSEARCH, ("BACKSCROLL_ERASURE_HOURS", "0"), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]);
    changes.extend([("BACKSCROLL_PROOF_OBJECT_STORE_URL", objects.url.as_str()), ("BACKSCROLL_PROOF_SEND_SECONDS", "1")]);
    let app = TestApp::start_with(&changes).await;
    let team = Team::found(&app).await;
    let (person, message) = somebody(&app, &team).await;
    let position = settled(&app).await;
    eventually("the cache is filled", async || {
        team.owner.get_at(position, &team.general("/messages")).await.expect(200);
        !found_in_redis(&app).await.is_empty()
    })
    .await;
    let pool = &app.app().pool;
    let before = found_in_database(pool).await;
    for table in ["read.messages", "read.messages_archive", "read.users", "read.audit_log", "secret.sessions"] {
        assert!(before.iter().any(|found| found.contains(table)), "{table}: {before:?}");
    }
    assert!(!found_in_elasticsearch(&app).await.is_empty());
    assert!(before.iter().all(|found| !found.contains("public.")), "the log is sealed from the beginning: {before:?}");
    let mut backup = Vec::new();
    for table in BACKED_UP {
        backup.push((table, copy_out(pool, &format!("public.{table}")).await));
    }

    export_this_month(pool, &objects).await;

    with_a_view_and_a_report(&app, position).await;

    person.delete_confirmed("/v1/users/me").await.expect(204);
    settled(&app).await;
    eventually("Elasticsearch has none of the words", async || found_in_elasticsearch(&app).await.is_empty()).await;
    assert_eq!(found_in_database(pool).await, Vec::<String>::new());
    assert_eq!(found_in_redis(&app).await, Vec::<String>::new());
    let files = redis_files();
    if files.iter().any(|file| Path::new(file).exists()) {
        eventually("the files of Redis have none of the words", async || found_in_files(&redis_files()).is_empty()).await;
    }
    let (messages, found) = found_in_nats(&app).await;
    assert!(messages > 20, "{messages} messages went through NATS");
    assert_eq!(found, Vec::<String>::new());
    let has = |kept: &[(String, Vec<u8>)], text: &str| kept.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(text));
    eventually("the object store has a head", async || has(&in_object_store(&objects).await, "/v1/proof\n")).await;
    let kept = in_object_store(&objects).await;
    assert!(has(&kept, "message.posted"), "the export of the month is in the object store");
    assert_eq!(
        kept.iter().filter_map(|(name, bytes)| found_in(bytes).map(|word| format!("{word} in {name}"))).collect::<Vec<_>>(),
        [""; 0]
    );
    assert!(digests_fit(pool).await > 20);
    others_stay(&team, message).await;
    assert_eq!(causes_of(pool, "user.erased").await, ["user.erasure_requested"]);

    let stores = &app.app().stores;
    let rebuilt = projections::rebuild(stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("the same tables");
    assert!(rebuilt.compared_at.is_some() && rebuilt.differences.is_empty());
    assert_eq!(found_in_database(pool).await, Vec::<String>::new());

    let database = restored(&backup, &copy_out(pool, "secret.person_keys").await).await;
    let pool = database.pool(2).await;
    assert_eq!(found_in_database(&pool).await, Vec::<String>::new());
    assert!(digests_fit(&pool).await > 20);
    let keys = tests::keyring(&pool).await;
    let (mut events, mut texts) = (0, String::new());
    let each = |event: Result<_, domain::DecodeError>| {
        let event: domain::Recorded<domain::Event> = event.expect("a tombstone is an event like any other");
        texts.push_str(&serde_json::to_string(&(&event.event, &event.metadata)).expect("JSON"));
        events += 1;
    };
    stores::log::read_log(&pool, &keys, each).await.expect("the log");
    assert!(events > 20 && texts.contains("no thanks"), "the messages of others stay");
    assert_eq!(found_in(texts.as_bytes()), None);
}

/// Builds a view as of this position, and runs a replay whose report contains rows.
async fn with_a_view_and_a_report(app: &TestApp, position: i64) {
    let (stores, pool) = (&app.app().stores, &app.app().pool);
    let turn = projections::RebuildLock::acquire(pool, RELATIONAL).await.expect("no replay runs");
    let view = projections::NewView::parse(None, position).expect("a name");
    projections::build_view(turn, stores, &view, ViewModels::Search, RebuildOptions::default(), |_| {}).await.expect("a view");
    let report = json!({"differences": [{"table": "messages", "rows": [{"columns": [{"live": "xylomarmalade"}]}]}]});
    sqlx::query(
        "INSERT INTO replays (replay_id, projection, asked, holder, report) VALUES (gen_random_uuid(), 'relational', '{}', 'a test', $1)",
    )
    .bind(report)
    .execute(pool)
    .await
    .expect("a report");
    assert!(!tests::elastic::documents(&format!("{}messages_view_*", app.elastic_prefix)).await.is_empty());
    let found = found_in_database(pool).await;
    assert!(found.iter().any(|found| found.contains("view_at_")) && found.iter().any(|found| found.contains("replays")), "{found:?}");
}

/// Checks that the messages of others stay, and that the user's message is still there without its text.
async fn others_stay(team: &Team, message: Uuid) {
    let thread = team.owner.get(&format!("/v1/messages/{message}/thread")).await.expect(200);
    let root = &thread["root"];
    assert_eq!((&root["content"], &root["formatted_content"]), (&json!(""), &json!({"erased": true})), "{root}");
    assert_eq!((&root["is_erased"], &root["username"], &root["display_name"]), (&json!(true), &json!(null), &json!(null)), "{root}");
    assert_eq!((&root["is_pinned"], &root["reply_count"]), (&json!(true), &json!(1)));
    assert_eq!(root["reactions"][0]["emoji"], "🎉", "{root}");
    assert_eq!(thread["replies"]["items"][0]["content"], "no thanks", "{thread}");
}
