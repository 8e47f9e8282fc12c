//! The event store with a real Postgres: concurrent writers, repeated commands, and broken connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use commands::{CommandError, Commands, EventStore, StoreError};
use domain::channel::Kind;
use domain::ids::{MessageId, UserId};
use domain::message::NewMessage;
use domain::permission::Role;
use domain::text::{MessageBody, Topic};
use domain::{Channel, ChannelCommand, User, Workspace, WorkspaceCommand};
use futures::future::join_all;
use sqlx::PgPool;
use stores::clock::Clock;
use stores::log::event_digest;
use tests::eventually;
use uuid::Uuid;

use crate::support::{Writing, another_process, asked, asked_once, code, post, registration, sign_up};

/// Checks the log: positions have no gap, `recorded_at` increases with them, and no stream has a gap.
async fn expect_a_sound_log(pool: &PgPool) -> i64 {
    let (count, first, last): (i64, i64, i64) =
        sqlx::query_as("SELECT count(*), min(position), max(position) FROM events").fetch_one(pool).await.expect("the log");
    assert_eq!((first, last), (1, count), "positions have a gap");
    let disordered: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT recorded_at <= lag(recorded_at) OVER (ORDER BY position) AS wrong FROM events) AS pairs WHERE wrong",
    )
    .fetch_one(pool)
    .await
    .expect("the log");
    assert_eq!(disordered, 0, "recorded_at does not increase");
    let broken: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT count(*) <> max(sequence) AS wrong FROM events GROUP BY aggregate_type, aggregate_id) AS streams WHERE wrong",
    )
    .fetch_one(pool)
    .await
    .expect("the log");
    assert_eq!(broken, 0, "a stream has a gap");
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_two_processes_leave_no_gap_in_positions_or_streams() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let team = here.workspace().await;
    let posts = (0..600).map(|n| {
        let commands = if n % 2 == 0 { here.commands.clone() } else { there.clone() };
        tokio::spawn(
            async move { post(&commands, &asked(team.owner), team.general, &format!("message {n}")).await.map(|done| done.position) },
        )
    });
    let positions = join_all(posts).await.into_iter().map(|p| p.expect("no panic").expect("a post")).collect::<Vec<_>>();
    let distinct = positions.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(distinct.len(), 600);
    assert!(expect_a_sound_log(&here.pool).await >= 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_stream_from_two_processes_are_all_decided_on_the_newest_state() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let team = here.workspace().await;
    let message = post(&here.commands, &asked(team.owner), team.general, "react to me").await.expect("a post").id;
    let mut members = Vec::new();
    for n in 0..12 {
        members.push(team.member(&here.commands, &format!("member-{n}"), Role::Member).await);
    }
    let reactions = members.into_iter().enumerate().map(|(n, member)| {
        let commands = if n % 2 == 0 { here.commands.clone() } else { there.clone() };
        let react = domain::MessageCommand::React { emoji: domain::text::Emoji::parse("pear").expect("an emoji") };
        tokio::spawn(async move { commands.message(&asked(member), message.into(), react).await })
    });
    for outcome in join_all(reactions).await {
        outcome.expect("no panic").expect("a reaction");
    }
    there.store().catch_up().await.expect("the head");
    let loaded = there.store().load::<domain::Message>(message).await.expect("the message");
    assert_eq!(loaded.version, 13);
    expect_a_sound_log(&here.pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_removed_at_the_same_instant_posts_before_it_or_not_at_all() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let team = here.workspace().await;
    let member = team.member(&here.commands, "ann", Role::Member).await;
    let mut refused = 0;
    for round in 0..40 {
        let channel = team.channel(&here.commands, &format!("race-{round}"), Kind::Private, &[member]).await;
        let poster = |n: i32| {
            let commands = if n % 2 == 0 { here.commands.clone() } else { there.clone() };
            tokio::spawn(async move { post(&commands, &asked(member), channel, "still here").await })
        };
        let posts = (0..8).map(poster).collect::<Vec<_>>();
        let remover = if round % 2 == 0 { &here.commands } else { &there };
        let removed =
            remover.channel(&asked(team.owner), channel, ChannelCommand::RemoveMember { user_id: member }).await.expect("a removal");
        let late = post(&there, &asked(member), channel, "after the removal").await;
        assert_eq!(code(late), "channel.not_found");
        for outcome in join_all(posts).await {
            match outcome.expect("no panic") {
                Ok(posted) => assert!(posted.position < removed.position, "a message has a later position than the removal of its author"),
                Err(_) => refused += 1,
            }
        }
    }
    let behind: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events m JOIN events r ON r.event_type = 'channel.member_removed' AND r.aggregate_id =
             m.payload->'message.posted'->>'channel_id'
         WHERE m.event_type = 'message.posted' AND m.payload->'message.posted'->>'kind' IS NULL AND m.position > r.position",
    )
    .fetch_one(&here.pool)
    .await
    .expect("the log");
    assert_eq!(behind, 0);
    println!("of 320 racing posts {refused} were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_from_fifty_callers_makes_one_event_and_one_answer() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let team = here.workspace().await;
    let before = expect_a_sound_log(&here.pool).await;
    let callers = (0..50).map(|n| {
        let commands = if n % 2 == 0 { here.commands.clone() } else { there.clone() };
        tokio::spawn(async move { post(&commands, &asked_once(team.owner, "the-same-key"), team.general, "once").await.expect("a post") })
    });
    let answers = join_all(callers).await.into_iter().map(|a| a.expect("no panic")).collect::<Vec<_>>();
    assert!(answers.iter().all(|a| (a.position, a.id) == (answers[0].position, answers[0].id)), "{answers:?}");
    assert_eq!(answers.iter().filter(|a| !a.replayed).count(), 1);
    assert_eq!(expect_a_sound_log(&here.pool).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_another_request_is_refused_and_two_actors_may_use_the_same_key() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let member = team.member(&here.commands, "ann", Role::Member).await;
    post(&here.commands, &asked_once(team.owner, "key"), team.general, "first").await.expect("a post");
    let mut other = asked_once(team.owner, "key");
    other.idempotency.as_mut().expect("a key").fingerprint = [8; 32];
    let refused = post(&here.commands, &other, team.general, "second").await;
    assert!(matches!(refused, Err(CommandError::KeyReused)), "{refused:?}");
    assert!(!post(&here.commands, &asked_once(member, "key"), team.general, "mine").await.expect("a post").replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_survives_a_restart_and_a_repeated_command_returns_the_first_outcome() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let channel = team.channel(&here.commands, "harvest", Kind::Public, &[]).await;
    let archived = here.commands.channel(&asked_once(team.owner, "archive"), channel, ChannelCommand::Archive).await.expect("archived");
    let (_, restarted) = another_process(&here.database).await;
    let again = restarted.channel(&asked_once(team.owner, "archive"), channel, ChannelCommand::Archive).await.expect("the first outcome");
    assert_eq!((again.position, again.replayed), (archived.position, true));
    assert!(
        here.commands
            .store()
            .remembered(team.owner, &asked_once(team.owner, "archive").idempotency.expect("a key"))
            .await
            .expect("a read of the key")
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_concurrent_claims_of_one_name_exactly_one_succeeds() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let wanted = (0..20).map(|n| {
        let commands = if n % 2 == 0 { here.commands.clone() } else { there.clone() };
        let user_id = UserId(Uuid::now_v7());
        tokio::spawn(async move { commands.register_user(&asked(user_id), user_id, registration("ann")).await })
    });
    let outcomes = join_all(wanted).await.into_iter().map(|o| o.expect("no panic")).collect::<Vec<_>>();
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter(Result::is_err) {
        assert!(["user.email_taken", "user.username_taken"].contains(&code(refused).as_str()));
    }
    let operators: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE payload->'user.registered'->>'is_operator' = 'true'")
        .fetch_one(&here.pool)
        .await
        .expect("the log");
    assert_eq!(operators, 1, "the first user, and no other, is an operator");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_channel_releases_its_old_name() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let channel = team.channel(&here.commands, "harvest", Kind::Public, &[]).await;
    let rename = |name: &str| ChannelCommand::Rename { name: domain::text::ChannelName::parse(name).expect("a name"), display_name: None };
    assert_eq!(code(here.commands.channel(&asked(team.owner), channel, rename("general")).await), "channel.name_taken");
    here.commands.channel(&asked(team.owner), channel, rename("pressing")).await.expect("another name");
    team.channel(&here.commands, "harvest", Kind::Public, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_during_an_append_loses_no_event_and_doubles_none() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let before = expect_a_sound_log(&here.pool).await;
    let killer_pool = here.database.pool(1).await;
    let done = Arc::new(AtomicUsize::new(0));
    let posts = (0..400).map(|n| {
        let (commands, done) = (here.commands.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let asked = asked_once(team.owner, &format!("key-{n}"));
            while post(&commands, &asked, team.general, &format!("message {n}")).await.is_err() {}
            done.fetch_add(1, Ordering::Relaxed);
        })
    });
    let posts = posts.collect::<Vec<_>>();
    let mut broken = 0;
    while done.load(Ordering::Relaxed) < 400 {
        let ended = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
             AND query LIKE 'SELECT append_events%' AND state = 'active'",
        )
        .execute(&killer_pool)
        .await
        .expect("connections are broken");
        broken += ended.rows_affected();
    }
    assert!(broken > 0, "no connection was broken");
    for post in posts {
        post.await.expect("no panic");
    }
    assert_eq!(expect_a_sound_log(&here.pool).await, before + 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_append_function_can_change_the_log() {
    let here = Writing::start().await;
    sign_up(&here.commands, "ann").await;
    for change in [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events SELECT position + 1, aggregate_type, aggregate_id, sequence + 1, event_type, event_version, payload, metadata,
             gen_random_uuid(), workspace_id, now(), digest FROM events",
    ] {
        let refused = sqlx::query(change).execute(&here.pool).await.expect_err("a refusal");
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_computed_over_the_stored_bytes() {
    type Row = (i64, String, String, i64, String, String, String, String, Uuid, Option<Uuid>, chrono::DateTime<chrono::Utc>, Vec<u8>);
    let here = Writing::start().await;
    here.workspace().await;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, metadata::text, event_id,
                workspace_id, recorded_at, digest FROM events ORDER BY position",
    )
    .fetch_all(&here.pool)
    .await
    .expect("the log");
    assert!(rows.len() >= 5);
    for (position, kind, id, sequence, event_type, version, payload, metadata, event_id, workspace_id, recorded_at, digest) in rows {
        let again =
            event_digest(position, &kind, &id, sequence, &event_type, &version, &payload, &metadata, event_id, workspace_id, recorded_at);
        assert_eq!(digest, again, "position {position}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_equals_the_fold_and_a_broken_one_is_replaced() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    for n in 0..260 {
        let topic = Topic::parse(&format!("topic {n}")).expect("a topic");
        here.commands.channel(&asked(team.owner), team.general, ChannelCommand::ChangeTopic { topic: Some(topic) }).await.expect("a topic");
        here.commands.channel(&asked(team.owner), team.general, ChannelCommand::ChangeTopic { topic: None }).await.expect("no topic");
    }
    let (pool, first) = another_process(&here.database).await;
    let folded = first.store().load::<Channel>(team.general.0).await.expect("the channel");
    eventually("a snapshot is taken", async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM snapshots").fetch_one(&pool).await.expect("the snapshots") == 1
    })
    .await;
    let (_, second) = another_process(&here.database).await;
    let from_snapshot = second.store().load::<Channel>(team.general.0).await.expect("the channel");
    assert_eq!((&folded.state, folded.version), (&from_snapshot.state, from_snapshot.version));
    for breakage in ["UPDATE snapshots SET state = '[]'", "UPDATE snapshots SET schema_hash = 'of another release', state = '{}'"] {
        sqlx::query(breakage).execute(&pool).await.expect("a broken snapshot");
        let (_, third) = another_process(&here.database).await;
        assert_eq!(third.store().load::<Channel>(team.general.0).await.expect("the channel").state, folded.state);
    }
    eventually("the snapshot of another release is replaced", async || {
        let stored = sqlx::query_as::<_, (String, String)>("SELECT schema_hash, state::text FROM snapshots").fetch_one(&pool).await;
        let (schema, state) = stored.expect("the snapshot");
        schema == format!("state version {}", Channel::STATE_VERSION) && state.contains("\"is_general\":true")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_another_process_is_seen_at_once() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let team = here.workspace().await;
    let member = team.member(&here.commands, "ann", Role::Member).await;
    for _ in 0..20 {
        there.read_access(member).await.expect("a user").active_member(team.workspace_id).await.expect("a member");
        here.commands
            .workspace(&asked(team.owner), team.workspace_id, WorkspaceCommand::DeactivateMember { user_id: member })
            .await
            .expect("out");
        let access = there.read_access(member).await.expect("a user");
        assert!(access.active_member(team.workspace_id).await.is_err(), "an acknowledged removal has no effect yet");
        assert!(access.channel(team.general).await.is_err());
        there
            .workspace(&asked(team.owner), team.workspace_id, WorkspaceCommand::ReactivateMember { user_id: member })
            .await
            .expect("in again");
        here.commands.read_access(member).await.expect("a user").channel(team.general).await.expect("to read again");
    }
    there.store().catch_up().await.expect("the head");
    let user = there.store().load::<User>(member.0).await.expect("the user");
    let workspace = there.store().load::<Workspace>(team.workspace_id.0).await.expect("the workspace");
    assert!(user.state.is_active() && workspace.version > 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_access_of_a_user_is_computed_again_when_it_is_not_recent() {
    let here = Writing::start().await;
    let (_, there) = another_process(&here.database).await;
    let team = here.workspace().await;
    let member = team.member(&here.commands, "ann", Role::Member).await;
    let access = there.read_access(member).await.expect("a user");
    access.channel(team.general).await.expect("a channel that they may read");
    let deactivate = WorkspaceCommand::DeactivateMember { user_id: member };
    let removed = here.commands.workspace(&asked(team.owner), team.workspace_id, deactivate).await.expect("out");
    let renewed = access.renewed().await.expect("a user");
    assert!(access.position() < removed.position && renewed.position() >= removed.position);
    assert!(renewed.channel(team.general).await.is_err());
    eventually("the read access is computed again", async || access.recent().await.expect("a user").position() >= removed.position).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_concurrent_loads_of_a_long_stream_one_reads_it() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    for n in 0..200 {
        let topic = Topic::parse(&format!("topic {n}")).expect("a topic");
        here.commands.channel(&asked(team.owner), team.general, ChannelCommand::ChangeTopic { topic: Some(topic) }).await.expect("a topic");
    }
    let (_, restarted) = another_process(&here.database).await;
    let loads = (0..300).map(|_| {
        let store = restarted.store().clone();
        tokio::spawn(async move { store.load::<Channel>(team.general.0).await.expect("the channel").state })
    });
    let states = join_all(loads).await.into_iter().map(|state| state.expect("no panic")).collect::<Vec<_>>();
    assert!(states.iter().all(|state| Arc::ptr_eq(state, &states[0])), "the stream was read more than once");
}

/// Another process whose clock is ahead of the machine's by this time.
async fn process_with_a_clock(here: &Writing, ahead: TimeDelta) -> Commands {
    let pool = here.database.pool(2).await;
    let store = EventStore::start_at(pool.clone(), tests::keyring(&pool).await, Clock::ahead_by(ahead)).await;
    Commands::new(store.expect("the event store"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_is_ahead_of_the_databases_appends_nothing() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    let fast = process_with_a_clock(&here, TimeDelta::seconds(30)).await;
    let refused = post(&fast, &asked(team.owner), team.general, "from the future").await;
    assert!(matches!(refused, Err(CommandError::Unavailable(StoreError::ClockAhead))), "{refused:?}");
    assert_eq!(fast.store().stats().ahead.load(Ordering::SeqCst), 1);
    let a_little = process_with_a_clock(&here, TimeDelta::seconds(3)).await;
    let ahead = post(&a_little, &asked(team.owner), team.general, "a little ahead").await.expect("a post");
    let behind = post(&here.commands, &asked(team.owner), team.general, "right on time").await.expect("a post");
    assert!(behind.position > ahead.position && behind.recorded_at > ahead.recorded_at, "{behind:?} after {ahead:?}");
    expect_a_sound_log(&here.pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_ahead_goes_on_and_its_messages_get_identifiers_of_its_time() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    // As a process of release 0.1 could leave it: nothing checked its clock.
    sqlx::raw_sql(
        "ALTER TABLE events DISABLE TRIGGER USER;
         UPDATE events SET recorded_at = recorded_at + interval '1 hour' WHERE position = (SELECT max(position) FROM events);
         ALTER TABLE events ENABLE TRIGGER USER",
    )
    .execute(&here.pool)
    .await
    .expect("a log that is ahead");
    let (_, there) = another_process(&here.database).await;
    for commands in [&there, &there] {
        let asked = asked(team.owner);
        let posted = post(commands, &asked, team.general, "late").await.expect("a post");
        assert!(posted.recorded_at > asked.context.at + TimeDelta::minutes(50), "the time of the log");
        assert!(MessageId(posted.id).allows(posted.recorded_at), "a lookup finds the message");
    }
    let topic = ChannelCommand::ChangeTopic { topic: Some(Topic::parse("late").expect("a topic")) };
    there.channel(&asked(team.owner), team.general, topic).await.expect("a topic, and its message");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_identifier_was_drawn_long_ago_gets_another_one() {
    let here = Writing::start().await;
    let team = here.workspace().await;
    for apart in [TimeDelta::minutes(-9), TimeDelta::minutes(-11), TimeDelta::days(-40), TimeDelta::minutes(11)] {
        let asked = asked_once(team.owner, &format!("key-{}", apart.num_minutes()));
        let sent_at = asked.context.at + apart;
        let message_id = MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes"));
        let new = NewMessage { message_id, content: body("hello"), thread_id: None, client_msg_id: None, sent_at };
        let posted = here.commands.post_message(&asked, team.general, new.clone()).await.expect("a post");
        assert_eq!(posted.id == message_id.0, apart.num_minutes() == -9, "{apart}");
        assert!(MessageId(posted.id).allows(posted.recorded_at), "{apart}");
        let again = here.commands.post_message(&asked, team.general, new).await.expect("a replay");
        assert_eq!((again.id, again.position, again.recorded_at), (posted.id, posted.position, posted.recorded_at), "{apart}");
        // A process that does not remember the key reads it from the database.
        let (_, there) = another_process(&here.database).await;
        let new = NewMessage { message_id, content: body("hello"), thread_id: None, client_msg_id: None, sent_at };
        let again = there.post_message(&asked, team.general, new).await.expect("a replay");
        assert_eq!((again.id, again.recorded_at, again.replayed), (posted.id, posted.recorded_at, true), "{apart}");
    }
}

fn body(text: &str) -> MessageBody {
    MessageBody::parse(text).expect("a text")
}
