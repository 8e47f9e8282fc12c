//! Personal data are sealed in the log. Only a process with the keys can read them.

use commands::{CommandRequest, Commands, EventStore, StoreError};
use domain::ids::{MessageId, UserId};
use domain::permission::Role;
use domain::{Context, DecodeError, Event, Message, Metadata, Recorded, User, Workspace};
use futures::future::join_all;
use keyring::{KeyError, Keyring, MasterKey, MasterKeys};
use sqlx::{Executor, PgPool};
use tests::keyring as open;
use uuid::Uuid;

use crate::support::{Team, Writing, another_process, asked, post, sign_up};

async fn count(pool: &PgPool, statement: &str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.expect("a count")
}

/// Changes the log, as only the owner of the database can.
async fn tamper(pool: &PgPool, update: &str) {
    let mut tx = pool.begin().await.expect("a transaction");
    tx.execute("ALTER TABLE events DISABLE TRIGGER USER").await.expect("the database's owner may do this");
    assert!(tx.execute(update).await.expect("a change").rows_affected() > 0, "{update}");
    tx.execute("ALTER TABLE events ENABLE TRIGGER USER").await.expect("the database's owner may do this");
    tx.commit().await.expect("a transaction");
}

async fn said(commands: &Commands, team: Team, author: UserId, text: &str) -> MessageId {
    MessageId(post(commands, &asked(author), team.general, text).await.expect("a post").id)
}

async fn text(commands: &Commands, message: MessageId) -> String {
    let message = commands.store().load::<Message>(message.0).await.expect("the message").state;
    message.posting.as_ref().expect("a posting").content.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_names_and_addresses_are_not_in_the_log_and_another_process_reads_them() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let ann = team.member(&here.commands, "persimmon", Role::Member).await;
    let message = said(&here.commands, team, ann, "a word like marzipan").await;
    for word in ["persimmon", "marzipan"] {
        let events = format!("SELECT count(*) FROM events WHERE payload::text ILIKE '%{word}%' OR metadata::text ILIKE '%{word}%'");
        assert_eq!(count(&here.pool, &events).await, 0, "{word} is in the log");
        assert_eq!(
            count(&here.pool, &format!("SELECT count(*) FROM claims WHERE value ILIKE '%{word}%'")).await,
            0,
            "{word} is in a claim"
        );
    }
    let (_, there) = another_process(&here.database).await;
    assert_eq!(text(&there, message).await, "a word like marzipan");
    let user = there.store().load::<User>(ann.0).await.expect("the user").state;
    assert_eq!(user.registration.as_ref().expect("a registration").email.as_str(), "persimmon@example.org");
    assert_eq!(there.user_by_login("Persimmon@example.ORG").await.expect("a lookup"), Some(ann));
}

/// A command of a user from this address, with this client.
fn asked_from(actor: UserId, address: &str, user_agent: &str) -> CommandRequest {
    let asked = asked(actor);
    let context = Context { address: Some(address.into()), user_agent: Some(user_agent.into()), ..asked.context };
    CommandRequest { context, ..asked }
}

/// The unsealed metadata of each event of a stream.
async fn metadata_of(pool: &PgPool, stream: MessageId) -> Result<Vec<Metadata>, DecodeError> {
    let mut found = Ok(Vec::new());
    let each = |event: Result<Recorded<Event>, DecodeError>| match (event, &mut found) {
        (Ok(event), Ok(found)) => found.extend((event.stream.id == stream.0).then_some(event.metadata)),
        (Err(error), _) => found = Err(error),
        (Ok(_), Err(_)) => {}
    };
    stores::log::read_log(pool, &open(pool).await, each).await.expect("the log");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn client_addresses_are_not_in_the_log_and_another_process_reads_them() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let asked = asked_from(team.owner, "203.0.113.77", "Gyrfalcon/7");
    let message = MessageId(post(&here.commands, &asked, team.general, "hello").await.expect("a post").id);
    for word in ["203.0.113.77", "Gyrfalcon", "user_agent"] {
        assert_eq!(count(&here.pool, &format!("SELECT count(*) FROM events WHERE metadata::text LIKE '%{word}%'")).await, 0, "{word}");
    }
    let plain = "SELECT count(*) FROM events WHERE metadata ->> 'actor' IS NULL OR metadata ->> 'command' IS NULL";
    assert_eq!(count(&here.pool, plain).await, 0, "the rest of the metadata is plain");
    let (pool, _) = another_process(&here.database).await;
    let read = metadata_of(&pool, message).await.expect("the log");
    assert_eq!((read[0].address.as_deref(), read[0].user_agent.as_deref()), (Some("203.0.113.77"), Some("Gyrfalcon/7")));
    assert_eq!(read[0], asked.context.metadata("post message"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_address_cannot_be_moved_to_another_event_or_into_a_payload() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let (first, second) = (asked_from(team.owner, "203.0.113.77", "one"), asked_from(team.owner, "198.51.100.7", "two"));
    let first = MessageId(post(&here.commands, &first, team.general, "one").await.expect("a post").id);
    let second = MessageId(post(&here.commands, &second, team.general, "two").await.expect("a post").id);
    let column = |name: &str| format!("(SELECT {name} FROM events WHERE aggregate_id = '{first}')");
    let as_payload = format!(
        "json_build_object('message.posted', jsonb_set((payload -> 'message.posted')::jsonb, '{{sealed}}', to_jsonb({} ->> 'sealed')))",
        column("metadata")
    );
    tamper(&here.pool, &format!("UPDATE events SET metadata = {} WHERE aggregate_id = '{second}'", column("metadata"))).await;
    let refused = metadata_of(&here.pool, second).await.expect_err("the sealed part belongs to another event");
    assert!(matches!(refused, DecodeError::Sealed { .. }), "{refused:?}");
    tamper(&here.pool, &format!("UPDATE events SET payload = {as_payload} WHERE aggregate_id = '{first}'")).await;
    let (_, there) = another_process(&here.database).await;
    let refused = there.store().load::<Message>(first.0).await.expect_err("a refusal");
    assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsealed_metadata_of_old_events_are_read_as_they_are() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let asked = asked_from(team.owner, "203.0.113.77", "one");
    let message = MessageId(post(&here.commands, &asked, team.general, "one").await.expect("a post").id);
    let plain = r#"(metadata::jsonb - 'sealed' || '{"address": "198.51.100.7", "user_agent": "of old"}')::json"#;
    tamper(&here.pool, &format!("UPDATE events SET metadata = {plain} WHERE aggregate_id = '{message}'")).await;
    let read = metadata_of(&here.pool, message).await.expect("the log");
    assert_eq!((read[0].address.as_deref(), read[0].user_agent.as_deref()), (Some("198.51.100.7"), Some("of old")));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_processes_create_one_key_for_each_user() {
    let here = Writing::start().await;
    let rings = [open(&here.pool).await, open(&here.pool).await, open(&here.pool).await];
    let owners = (0..20).map(|_| Uuid::now_v7()).collect::<Vec<_>>();
    let wanted = rings.iter().flat_map(|ring| (0..4).map(|_| ring.of(&owners)));
    assert!(join_all(wanted).await.into_iter().all(|keys| keys.expect("keys").len() == owners.len()));
    let made = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM secret.person_keys WHERE owner_id = ANY ($1)").bind(&owners);
    assert_eq!(made.fetch_one(&here.pool).await.expect("a count"), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_master_key_is_refused_at_the_start_and_the_previous_one_is_accepted_beside_the_new() {
    let here = Writing::start().await;
    let (zeros, ones) = (MasterKey::from([0; 32]), MasterKey::from([1; 32]));
    let refused = Keyring::open(here.pool.clone(), MasterKeys::new(&ones, None)).await.expect_err("a refusal");
    assert!(matches!(refused, KeyError::WrongMasterKey), "{refused}");
    assert!(refused.to_string().contains("master key"), "{refused}");
    let ring = Keyring::open(here.pool.clone(), MasterKeys::new(&ones, Some(&zeros))).await.expect("the keys");
    let team = here.workspace().await;
    let message = said(&here.commands, team, team.owner, "from before").await;
    let both = Commands::new(EventStore::start(here.pool.clone(), ring.clone()).await.expect("a store"));
    assert_eq!(text(&both, message).await, "from before");

    assert!(ring.rotate().await.expect("a rotation") >= 2);
    assert_eq!(ring.rotate().await.expect("a rotation"), 0, "every key is wrapped by the new one");
    let ring = Keyring::open(here.pool.clone(), MasterKeys::new(&ones, None)).await.expect("the keys");
    let new = Commands::new(EventStore::start(here.pool.clone(), ring).await.expect("a store"));
    assert_eq!(text(&new, message).await, "from before");
    assert!(Keyring::open(here.pool.clone(), MasterKeys::new(&zeros, None)).await.is_err(), "the old master key opens nothing any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_part_that_was_moved_or_changed_is_refused() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let (first, second) = (said(&here.commands, team, team.owner, "one").await, said(&here.commands, team, team.owner, "two").await);
    let sealed = |id: MessageId| format!("(SELECT payload FROM events WHERE aggregate_id = '{id}')");
    tamper(&here.pool, &format!("UPDATE events SET payload = {} WHERE aggregate_id = '{second}'", sealed(first))).await;
    let (_, there) = another_process(&here.database).await;
    let refused = there.store().load::<Message>(second.0).await.expect_err("a refusal");
    assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused:?}");
    assert_eq!(text(&there, first).await, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsealed_events_from_before_the_keys_are_read_as_they_are_and_their_claims_are_blinded() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let message = said(&here.commands, team, team.owner, "sealed").await;
    let plain = format!(
        r#"UPDATE events SET payload = json_build_object('message.posted', (payload->'message.posted')::jsonb - 'sealed' || '{{"content": "plain"}}')
           WHERE aggregate_id = '{message}'"#
    );
    tamper(&here.pool, &plain).await;
    let cat = Uuid::now_v7();
    for (kind, value) in [("email", "cat@example.org"), ("username", "cat")] {
        let claim = sqlx::query("INSERT INTO claims (kind, scope, value, holder) VALUES ($1, $2, $3, $4)");
        claim.bind(kind).bind(Uuid::nil()).bind(value).bind(cat).execute(&here.pool).await.expect("a claim");
    }
    let (_, there) = another_process(&here.database).await;
    assert_eq!(text(&there, message).await, "plain");
    assert_eq!(there.user_by_login("cat@example.org").await.expect("a lookup"), Some(UserId(cat)));
    assert_eq!(there.user_by_login("cat").await.expect("a lookup"), Some(UserId(cat)));
    assert_eq!(count(&here.pool, "SELECT count(*) FROM claims WHERE value LIKE '%cat%'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_has_no_email_and_no_title_and_the_restored_state_has_them() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let ann = team.member(&here.commands, "ann", Role::Member).await;
    let change = |title: &str| domain::WorkspaceCommand::ChangeMemberDetails {
        user_id: ann,
        title: Some(domain::text::Title::parse(title).expect("a title")),
        department: None,
    };
    let invite = domain::WorkspaceCommand::Invite {
        invitation_id: domain::ids::InvitationId(Uuid::now_v7()),
        email: domain::text::Email::parse("persimmon@example.org").expect("an address"),
        role: Role::Member,
        expires_at: chrono::Utc::now() + chrono::Duration::days(7),
    };
    here.commands.workspace(&asked(team.owner), team.workspace_id, invite).await.expect("an invitation");
    for n in 0..510 {
        let change = change(&format!("title {n}"));
        here.commands.workspace(&asked(team.owner), team.workspace_id, change).await.expect("a title");
    }
    let (pool, first) = another_process(&here.database).await;
    let folded = first.store().load::<Workspace>(team.workspace_id.0).await.expect("the workspace");
    tests::eventually("a snapshot is taken", async || count(&pool, "SELECT count(*) FROM snapshots").await == 1).await;
    let plain = "SELECT count(*) FROM snapshots WHERE state::text LIKE '%persimmon%' OR state::text LIKE '%title 5%'";
    assert_eq!(count(&pool, plain).await, 0);
    let (_, second) = another_process(&here.database).await;
    let restored = second.store().load::<Workspace>(team.workspace_id.0).await.expect("the workspace");
    assert_eq!((&restored.state, restored.version), (&folded.state, folded.version));
    sign_up(&second, "bob").await;
}
