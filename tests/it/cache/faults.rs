//! Redis is emptied, unreachable, or set back to an earlier state, under load. No answer is wrong.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use projections::cache::MarkerMove;
use redis::{AsyncCommands, cmd};
use serde_json::json;
use stores::redis::Redis;
use tests::servers::address;
use tests::{Team, TestApp, eventually};

use super::world::{Chance, World};
use super::{cached_page, cached_unread, page_is_right, settled};
use crate::support::{asked, post};

/// Everything that Redis has of a server, for a later restore.
struct Snapshot(Vec<(String, Vec<u8>, i64)>);

/// A connection with which the test administers Redis.
fn admin() -> Redis {
    Redis::single(&address("BACKSCROLL_REDIS_URL"), "").expect("the address of Redis")
}

impl Snapshot {
    async fn take(app: &TestApp) -> Self {
        let redis = admin();
        let keys: Vec<String> = redis.ask(cmd("KEYS").arg(format!("{}*", app.redis_prefix))).await.expect("the keys");
        let mut kept = Vec::new();
        for key in keys {
            let dump: Option<Vec<u8>> = redis.ask(cmd("DUMP").arg(&key)).await.expect("a key");
            let ttl: i64 = redis.ask(cmd("PTTL").arg(&key)).await.expect("a key");
            kept.extend(dump.map(|dump| (key, dump, ttl.max(0))));
        }
        Self(kept)
    }

    /// Sets Redis back to this snapshot. A killed Redis that lost its last writes looks the same: it has older keys,
    /// and no scripts.
    async fn restart_with(&self, app: &TestApp) {
        let client = redis::Client::open(address("BACKSCROLL_REDIS_URL")).expect("the address of Redis");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
        // One transaction, as in a restart: no request finds the old keys while Redis still has their scripts.
        let mut restart = redis::pipe();
        restart.atomic();
        let keys: Vec<String> = connection.keys(format!("{}*", app.redis_prefix)).await.expect("the keys");
        restart.del(&keys).ignore();
        for (key, dump, ttl) in &self.0 {
            restart.cmd("RESTORE").arg(key).arg(ttl).arg(dump).arg("REPLACE").ignore();
        }
        restart.cmd("SCRIPT").arg("FLUSH").ignore();
        restart.query_async::<()>(&mut connection).await.expect("the snapshot is restored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_redis_that_was_set_back_are_not_trusted() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (workspace_id, channel, member) = (WorkspaceId(team.id), ChannelId(team.general), UserId(team.member.id));
    team.message(&team.owner, team.general, "one").await;
    settled(&app).await;
    cached_page(&app, workspace_id, channel, 51).await;
    cached_unread(&app, member, workspace_id).await;
    let snapshot = Snapshot::take(&app).await;
    assert!(snapshot.0.len() > 3, "the server has cached some keys");
    let second = team.message(&team.owner, team.general, "two").await;
    let created_at =
        app.app().commands.read_access(member).await.expect("a user").message_of_member(channel, second.into()).await.expect("a message").1;
    let to = MarkerMove { workspace_id, channel_id: channel, message_id: second.into(), created_at, back: false };
    app.app().caches.move_read_marker(member, to).await.expect("a marker");
    let third = team.post(&team.owner, team.general, "three").await.position();
    settled(&app).await;
    snapshot.restart_with(&app).await;
    // No further event tells the cache. The next read must detect it.
    let page = team.member.get_at(third, &team.general("/messages")).await.expect(200);
    assert_eq!(page["items"].as_array().and_then(|rows| rows.last()).expect("a row")["content"], "three");
    let unread = team.member.get_at(third, &team.path("/unread")).await.expect(200);
    assert_eq!(unread["unread"], json!(1));
    page_is_right(&app, workspace_id, channel, 51).await;
    assert_eq!(cached_unread(&app, member, workspace_id).await.channels.iter().map(|row| row.unread).sum::<i64>(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everything_is_answered_from_postgres() {
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:9")]).await;
    let team = Team::found(&app).await;
    let first = team.message(&team.owner, team.general, "one").await;
    let last = team.post(&team.owner, team.general, "two").await.position();
    let path = format!("/v1/channels/{}/read-marker", team.general);
    team.member.put(&path, json!({"message_id": first})).await.expect(200);
    let unread = team.member.get_at(last, &team.path("/unread")).await.expect(200);
    assert_eq!(unread["unread"], json!(1));
    let page = team.member.get_at(last, &team.general("/messages")).await.expect(200);
    assert_eq!(page["items"].as_array().and_then(|rows| rows.last()).expect("a row")["content"], "two");
}

/// Waits until more messages were posted.
async fn more(posts: &AtomicU64) {
    let before = posts.load(Relaxed);
    eventually("more messages are posted", async || posts.load(Relaxed) >= before + 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_wrong_while_redis_is_emptied_and_set_back_under_load() {
    let app = TestApp::start().await;
    let mut world = World::found(&app).await;
    let (team, channel) = (world.team, world.team.general);
    let (caches, commands) = (&app.app().caches, &app.app().commands);
    let (stop, answers, posts) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    // Each user posts a message and then looks for it. The cache may or may not answer, but it must not answer without
    // the message.
    let talk = async |who: UserId| {
        let mut said = 0_usize;
        while !stop.load(SeqCst) {
            said += 1;
            posts.fetch_add(1, Relaxed);
            let text = format!("{who} {said}");
            let position = post(commands, &asked(who), channel, &text).await.expect("a message").position;
            app.app().progress.wait_for(projections::RELATIONAL, position, Duration::from_secs(20)).await.expect("a position");
            if said.is_multiple_of(2) {
                drop(app.app().progress.wait_for(projections::CACHE, position, Duration::from_millis(300)).await);
            }
            let page = caches.recent_messages(team.workspace_id, channel, 60, position).await.expect("a page");
            if let Some(page) = page {
                assert!(page.position >= position, "the page has at least the asked position");
                assert!(page.rows.iter().any(|(_, row)| row.contains(&text)), "{text} was posted at {position}, and is not on the page");
                answers.fetch_add(1, Relaxed);
            }
            let unread = caches.cached_unread(world.people[3], team.workspace_id, position).await.expect("counts");
            if let Some(unread) = unread {
                let general = unread.channels.iter().find(|row| row.channel_id == channel.0).expect("#general");
                assert!(general.unread >= i64::try_from(said).expect("a count").min(1_000), "{general:?} after {said}");
            }
        }
    };
    let break_redis = async {
        for round in 0..8 {
            let snapshot = Snapshot::take(&app).await;
            more(&posts).await;
            if round % 2 == 0 {
                snapshot.restart_with(&app).await;
            } else {
                app.empty_redis().await;
            }
            more(&posts).await;
        }
        stop.store(true, SeqCst);
    };
    futures::join!(talk(world.people[0]), talk(world.people[1]), break_redis);
    assert!(answers.load(Relaxed) > 0, "the cache answered some requests");
    let mut chance = Chance::new(7);
    for _ in 0..20 {
        world.step(&mut chance).await;
    }
    settled(&app).await;
    page_is_right(&app, team.workspace_id, channel, 101).await;
    for person in &world.people {
        let stored = app.app().read_models.unread(*person, team.workspace_id).await.expect("counts");
        assert_eq!(cached_unread(&app, *person, team.workspace_id).await.channels, stored);
    }
}
