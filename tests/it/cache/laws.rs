//! Invariants of the cache after random histories: it equals Postgres, and Postgres equals a recount of the log and the
//! read markers.

use redis::AsyncCommands;
use tests::{RedisCluster, TestApp};

use super::world::{Chance, World};
use super::{cached_unread, page_is_right, settled};

/// The number of random commands.
const STEPS: usize = 300;
/// The number of commands between two checks.
const LOOK_EVERY: usize = 20;

/// The number of commands between two evictions.
const EVICT_EVERY: usize = 7;

async fn everything_is_right(app: &TestApp, world: &World<'_>, limit: u16) {
    settled(app).await;
    let workspace_id = world.team.workspace_id;
    for person in &world.people {
        let mut recounted = world.recount(*person).await;
        recounted.sort_by_key(|channel| channel.channel_id);
        let stored = app.app().read_models.unread(*person, workspace_id).await.expect("counts");
        assert_eq!(stored, recounted, "the counts of Postgres for {person}");
        assert_eq!(cached_unread(app, *person, workspace_id).await.channels, recounted, "the counts of the cache for {person}");
    }
    for channel_id in &world.channels {
        page_is_right(app, workspace_id, *channel_id, limit).await;
    }
}

/// Redis may evict any key, except the short-lived ones that exist while a read marker moves.
async fn evict_something(app: &TestApp, chance: &mut Chance) {
    let mut redis = app.redis().await.expect("Redis");
    let keys: Vec<String> = redis.keys(format!("{}*", app.redis_prefix)).await.expect("the keys");
    let mut cached = keys.into_iter().filter(|key| !key.contains("marking:")).collect::<Vec<_>>();
    cached.sort_unstable();
    if !cached.is_empty() {
        redis.del::<_, ()>(&cached[chance.below(cached.len())]).await.expect("the key is deleted");
    }
}

async fn a_history(app: &TestApp, seed: u64) {
    let (mut chance, mut world) = (Chance::new(seed), World::found(app).await);
    for step in 0..STEPS {
        world.step(&mut chance).await;
        if step % LOOK_EVERY == 0 {
            let limit = u16::try_from(1 + chance.below(60)).expect("a limit");
            everything_is_right(app, &world, limit).await;
        }
        if step % EVICT_EVERY == 0 {
            evict_something(app, &mut chance).await;
        }
        // A user reads while others write: the counts are as of some position, and never negative.
        let reader = world.people[chance.below(world.people.len())];
        let unread = app.app().caches.unread(reader, world.team.workspace_id, 0).await.expect("counts");
        assert!(unread.channels.iter().all(|channel| channel.unread >= 0 && channel.mentions >= 0), "{unread:?}");
    }
    everything_is_right(app, &world, 101).await;
    let stats = app.app().caches.stats();
    assert!(stats.hits.load(std::sync::atomic::Ordering::Relaxed) > 0, "the cache was used: {stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_equal_a_recount_of_the_log_after_a_random_history() {
    a_history(&TestApp::start().await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_equal_a_recount_of_the_log_after_a_second_history() {
    a_history(&TestApp::start().await, 20_261_122).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_equal_a_recount_of_the_log_after_a_third_history() {
    a_history(&TestApp::start().await, 0x5EED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_equal_a_recount_of_the_log_on_a_cluster_of_three_nodes() {
    let cluster = RedisCluster::start().await;
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", &*cluster.urls()), ("BACKSCROLL_REDIS_CLUSTER", "true")]).await;
    a_history(&app, 3).await;
}
