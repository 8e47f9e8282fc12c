//! The identifiers that clients give to messages: kept as keyed hashes, and removed where an earlier release kept them
//! in clear. One function does it, and it can change nothing else.

use chrono::{SubsecRound, Utc};
use commands::event_store::EventStore;
use commands::{CommandError, Commands};
use domain::StreamId;
use domain::ids::{ChannelId, MessageId, UserId};
use keyring::{Keyring, MasterKey, MasterKeys};
use ledger::proof::verify::{Finding, Options, Report, verify};
use projections::{RELATIONAL, RebuildOptions, rebuild};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::other_release::{OtherEvent, append};
use tests::{Team, TestApp, eventually};
use uuid::Uuid;

use crate::cache::settled;
use crate::support::{asked_once, post};

/// An identifier with a name in it.
const NAME: &str = "Hans_Muster_1";

async fn count(pool: &PgPool, from_where: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {from_where}")).fetch_one(pool).await.expect("a count")
}

/// The number of events, keys and rows that have the name.
async fn in_clear(pool: &PgPool) -> [i64; 3] {
    [
        count(pool, "events WHERE payload::text LIKE '%Hans%' OR metadata::text LIKE '%Hans%'").await,
        count(pool, "idempotency_keys WHERE key LIKE '%Hans%'").await,
        count(pool, "read.messages WHERE client_msg_id IS NOT NULL").await,
    ]
}

async fn verified(pool: &PgPool) -> Report {
    verify(pool, &Options::default(), |_, _| {}).await.expect("a report")
}

fn message() -> Value {
    json!({"content": "once", "client_msg_id": NAME})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_is_kept_as_a_hash_and_means_the_same_message_after_a_restart_and_with_a_new_master_key() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let path = team.general("/messages");
    let posted = team.owner.post(&path, message()).await;
    let position = posted.position();
    let first = posted.expect(201);
    assert_eq!(first["client_msg_id"], NAME, "the answer has it as it was sent");
    let read = team.owner.get_at(position, &format!("/v1/messages/{}", first["message_id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(read["client_msg_id"], Value::Null);
    assert_eq!(in_clear(&app.app().pool).await, [0; 3]);
    assert_eq!(count(&app.app().pool, "events WHERE payload #>> '{message.posted,client_msg_id}' ~ '^hmac:[0-9a-f]{64}$'").await, 1);
    let of_another = team.member.post(&path, message()).await.expect(201);
    assert_ne!(of_another["message_id"], first["message_id"], "an identifier belongs to its sender");
    assert_eq!(count(&app.app().pool, "(SELECT DISTINCT payload #>> '{message.posted,client_msg_id}' FROM events) ids").await, 3);

    app.stop().await;
    app.start_again().await;
    let again = team.owner.at(&app).post(&path, message()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);

    app.stop().await;
    let pool = app.database.pool(2).await;
    let (zeros, ones) = (MasterKey::from([0; 32]), MasterKey::from([1; 32]));
    let ring = Keyring::open(pool.clone(), MasterKeys::new(&ones, Some(&zeros))).await.expect("the keys");
    assert!(ring.rotate().await.expect("a rotation") > 0);
    let ring = Keyring::open(pool.clone(), MasterKeys::new(&ones, None)).await.expect("the keys");
    let commands = Commands::new(EventStore::start(pool, ring).await.expect("a store"));
    let key = format!("client_msg_id:{}:{NAME}", team.general);
    let refused = post(&commands, &asked_once(UserId(team.owner.id), &key), ChannelId(team.general), "another request").await;
    assert!(matches!(refused, Err(CommandError::KeyReused)), "the key is known: {refused:?}");
}

/// Puts the state of an earlier release into the database: a message and an idempotency key with the identifier in
/// clear. No server runs.
async fn as_release_0_1_0(pool: &PgPool, team: &Team) -> i64 {
    let sent_at = Utc::now().trunc_subsecs(6);
    let payload = json!({"message.posted": {
        "workspace_id": team.id, "channel_id": team.general, "author": team.owner.id, "content": "an old one",
        "client_msg_id": NAME, "sent_at": sent_at,
    }});
    let stream = StreamId::message(MessageId::at(sent_at, [7; 10]));
    let event = OtherEvent { stream, workspace_id: team.id, actor: team.owner.id, event_type: "message.posted", version: "1", payload };
    let position = append(pool, &event).await;
    let key = format!("client_msg_id:{}:{}", team.general, NAME);
    let statement = format!(
        "ALTER TABLE idempotency_keys DISABLE TRIGGER USER;
         UPDATE idempotency_keys SET key = '{key}' WHERE key LIKE 'client_msg_id:%';
         ALTER TABLE idempotency_keys ENABLE TRIGGER USER"
    );
    sqlx::raw_sql(&statement).execute(pool).await.expect("a key in clear");
    position
}

async fn cursor_is_at(pool: &PgPool, position: i64) {
    eventually("the process has searched the log", async || {
        let cursor = "SELECT coalesce(max(position), 0) FROM process_cursors WHERE process = 'client_ids'";
        sqlx::query_scalar::<_, i64>(cursor).fetch_one(pool).await.expect("a cursor") >= position
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_that_an_earlier_release_kept_in_clear_is_removed_and_still_means_its_message() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let path = team.general("/messages");
    let first = team.owner.post(&path, message()).await.expect(201);
    app.stop().await;
    let pool = app.database.pool(2).await;
    let hashed = sqlx::query_scalar::<_, String>("SELECT key FROM idempotency_keys WHERE key LIKE 'client_msg_id:%'");
    let hashed = hashed.fetch_one(&pool).await.expect("a key");
    let old = as_release_0_1_0(&pool, &team).await;
    assert_eq!(in_clear(&pool).await, [1, 1, 0]);

    app.start_again().await;
    assert_eq!(in_clear(&pool).await[1], 0, "the keys are hashed before the first request");
    let now = sqlx::query_scalar::<_, String>("SELECT key FROM idempotency_keys WHERE key LIKE 'client_msg_id:%'");
    assert_eq!(now.fetch_one(&pool).await.expect("a key"), hashed);
    let again = team.owner.at(&app).post(&path, message()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    cursor_is_at(&pool, old).await;
    assert_eq!(in_clear(&pool).await, [0; 3]);
    let trace = "client_id_removals r JOIN events o ON o.position = r.removed_by
         WHERE o.event_type = 'installation.client_ids_removed' AND o.payload #>> '{installation.client_ids_removed,keys}' = '1'";
    assert_eq!(count(&pool, &format!("{trace} AND r.position = {old}")).await, 1);

    settled(&app).await;
    let report = rebuild(&app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("an equal model");
    assert!(report.compared_at.is_some() && report.differences.is_empty());
    let report = verified(&pool).await;
    assert_eq!((report.purged, report.findings), (1, vec![]), "the log verifies, and the report counts the event");

    // A process that was killed before its cursor moved does the same again.
    app.stop().await;
    sqlx::raw_sql("DELETE FROM process_cursors WHERE process = 'client_ids'").execute(&pool).await.expect("no cursor");
    app.start_again().await;
    cursor_is_at(&pool, old).await;
    assert_eq!(count(&pool, "events WHERE event_type = 'installation.client_ids_removed'").await, 1);
    assert_eq!((verified(&pool).await.findings, in_clear(&pool).await), (vec![], [0; 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_identifier_can_be_removed() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let hashed = team.owner.post(&team.general("/messages"), message()).await.position();
    app.stop().await;
    let pool = app.database.pool(2).await;
    let old = as_release_0_1_0(&pool, &team).await;
    let refused = async |statement: &str| {
        let refused = sqlx::raw_sql(statement).execute(&pool).await.expect_err(statement);
        let code = refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
    };
    let remove = |payload: &str, rest: &str| {
        format!(
            "SELECT set_config('backscroll.purging', 'client ids', true);
             UPDATE events SET payload = ({payload})::json{rest} WHERE position = {old}"
        )
    };
    let without = "jsonb_set(payload::jsonb, '{message.posted,client_msg_id}', 'null')::text";
    refused(&format!("SELECT remove_client_ids(1, ARRAY [{old}::bigint], ARRAY ['{{}}'::json])")).await;
    refused(&format!("UPDATE events SET payload = ({without})::json WHERE position = {old}")).await;
    refused(&remove("'{}'", "")).await;
    refused(&remove(&format!("replace({without}, 'an old one', 'another')"), "")).await;
    refused(&remove(&format!("replace({without}, '{}', '{}')", team.owner.id, Uuid::nil()), "")).await;
    refused(&remove(without, ", digest = sha256('x')")).await;
    refused(&remove("payload::text", "")).await;
    refused("UPDATE idempotency_keys SET key = 'another'").await;
    refused("SELECT set_config('backscroll.hashing', 'yes', true); UPDATE idempotency_keys SET key = 'another'").await;
    refused("SELECT set_config('backscroll.hashing', 'yes', true); UPDATE idempotency_keys SET position = 1").await;
    // The database's administrator can use the form of a removal. The verification of the proof detects it.
    sqlx::raw_sql(&remove(without, "")).execute(&pool).await.expect("the form of a removal");
    assert_eq!(verified(&pool).await.findings, [Finding::Digest { position: old }]);
    let listed =
        format!("INSERT INTO client_id_removals VALUES ({old}, {}); INSERT INTO client_id_removals VALUES ({hashed}, {old})", old + 1);
    sqlx::raw_sql(&listed).execute(&pool).await.expect("a forged trace");
    assert_eq!(verified(&pool).await.findings, [Finding::Purge { position: old, purged_by: old + 1 }]);
    refused("DELETE FROM client_id_removals").await;
}
