//! An older backup that is restored beside NATS, Redis and Elasticsearch that went on.

use async_nats::jetstream;
use serde_json::Value;
use sqlx::query_scalar;
use tests::place::WITH_ELASTICSEARCH;
use tests::servers::nats;
use tests::{Person, Team, TestApp, TestDatabase, eventually, tour};
use uuid::Uuid;

use super::{Office, block, paste_well};

/// The settings that name what a server has in the other stores.
const SHARED: [&str; 3] = ["BACKSCROLL_NATS_STREAM", "BACKSCROLL_REDIS_KEY_PREFIX", "BACKSCROLL_ELASTICSEARCH_INDEX_PREFIX"];

/// The backend that answers a search for this word, and the texts that it finds.
async fn found(person: &Person, team: &Team, word: &str) -> (String, Vec<String>) {
    let answer = person.get(&team.path(&format!("/search/messages?q={word}"))).await.expect(200);
    let texts = answer["items"].as_array().expect("hits").iter().map(content).collect();
    (answer["backend"].as_str().unwrap_or_default().to_owned(), texts)
}

fn content(message: &Value) -> String {
    let message = if message["message"].is_object() { &message["message"] } else { message };
    message["content"].as_str().expect("a text").to_owned()
}

async fn texts(person: &Person, team: &Team, position: i64) -> Vec<String> {
    let page = person.get_at(position, &team.general("/messages")).await.expect(200);
    page["items"].as_array().expect("messages").iter().map(content).collect()
}

/// The last event of the stream: its position, and its identifier.
async fn last_published(stream: &str) -> Option<(i64, Uuid)> {
    let stream = jetstream::new(nats().await).get_stream(stream).await.ok()?;
    let sequence = stream.get_info().await.ok()?.state.last_sequence;
    let message = stream.get_raw_message(sequence).await.ok()?;
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    Some((header("ce-position")?.parse().ok()?, header("ce-id")?.parse().ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_older_moment_takes_nothing_from_redis_elasticsearch_or_nats_that_its_log_never_had() {
    let mut office = Office::open(&[WITH_ELASTICSEARCH]).await;
    let (team, owner) = (&office.team, &office.team.owner);
    tour::settle(&office.app).await;
    let folder = tempfile::tempdir().expect("a folder");
    paste_well(&block("docs/OPERATIONS.md", "**The whole database**"), &office.app, folder.path()).await;
    for text in ["a lost word", "another lost word", "the last lost word"] {
        team.post(owner, team.general, text).await.expect(201);
    }
    let lost = tour::settle(&office.app).await;
    eventually("elasticsearch finds the lost messages", async || {
        let (backend, texts) = found(owner, team, "lost").await;
        backend == "elasticsearch" && texts.len() == 3
    })
    .await;
    assert!(texts(owner, team, lost).await.len() >= 4, "the first page is in redis");
    office.app.stop().await;

    let shared = SHARED.map(|name| (name, office.app.environment[name].clone()));
    let shared = shared.iter().map(|(name, value)| (*name, value.as_str())).chain([WITH_ELASTICSEARCH]).collect::<Vec<_>>();
    let mut copy = TestApp::not_started_on(TestDatabase::empty().await, &shared);
    let said = paste_well(&block("docs/OPERATIONS.md", "**A whole database**"), &copy, folder.path()).await;
    assert!(said.contains("other stores") && said.contains("this is a restored copy"), "{said}");
    copy.start_again().await;
    let owner = office.team.owner.at(&copy);
    let new = team.post(&owner, team.general, "a new word").await;
    let position = new.position();
    new.expect(201);
    assert!(position <= lost, "the position was used in the other history: {position}, {lost}");
    let shown = texts(&owner, team, position).await;
    assert!(shown.iter().any(|text| text == "a new word") && !shown.iter().any(|text| text.contains("lost")), "{shown:?}");
    eventually("elasticsearch finds the new message, and no lost one", async || {
        let (backend, new) = found(&owner, team, "word").await;
        backend == "elasticsearch" && new == ["a new word"]
    })
    .await;
    assert_eq!(found(&owner, team, "lost").await.1, Vec::<String>::new());
    let pool = copy.database.pool(1).await;
    eventually("the stream has the events of this log alone", async || {
        let Some((position, event_id)) = last_published(&office.app.environment["BACKSCROLL_NATS_STREAM"]).await else { return false };
        let ours = query_scalar::<_, Uuid>("SELECT event_id FROM events WHERE position = $1").bind(position).fetch_optional(&pool);
        ours.await.expect("the log") == Some(event_id)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_its_identifier_and_a_database_that_was_not_copied_has_none() {
    let mut office = Office::open(&[]).await;
    let id = "SELECT copy_id FROM database_identity";
    let pool = office.app.database.pool(1).await;
    assert_eq!(query_scalar::<_, Option<Uuid>>(id).fetch_one(&pool).await.expect("the identity"), None);
    office.app.stop().await;
    let folder = tempfile::tempdir().expect("a folder");
    paste_well(&block("docs/OPERATIONS.md", "**The whole database**"), &office.app, folder.path()).await;
    let mut copy = TestApp::not_started_on(TestDatabase::empty().await, &[]);
    paste_well(&block("docs/OPERATIONS.md", "**A whole database**"), &copy, folder.path()).await;
    let pool = copy.database.pool(1).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        copy.start_again().await;
        ids.push(query_scalar::<_, Option<Uuid>>(id).fetch_one(&pool).await.expect("the identity").expect("a copy"));
        copy.stop().await;
    }
    assert_eq!(ids[0], ids[1]);
}
