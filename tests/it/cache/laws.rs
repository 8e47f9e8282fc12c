//! What holds of the cache whatever people do: it is what Postgres says, and that is what the log and the markers say.

use redis::AsyncCommands;
use tests::{RedisCluster, TestApp};

use super::world::{Chance, World};
use super::{cached_unread, page_is_right, settled};

/// How many things people do.
const STEPS: usize = 300;
/// How many things they do from one look to the next.
const LOOK_EVERY: usize = 20;

/// How many from one eviction to the next.
const EVICT_EVERY: usize = 7;

async fn everything_is_right(app: &TestApp, world: &World<'_>, limit: u16) {
    settled(app).await;
    let workspace_id = world.team.workspace_id;
    for person in &world.people {
        let mut recounted = world.recount(*person).await;
        recounted.sort_by_key(|channel| channel.channel_id);
        let stored = app.app().read_models.unread(*person, workspace_id).await.expect("counts");
        assert_eq!(stored, recounted, "what Postgres counts for {person}");
        assert_eq!(cached_unread(app, *person, workspace_id).await.channels, recounted, "what the cache counts for {person}");
    }
    for channel_id in &world.channels {
        page_is_right(app, workspace_id, *channel_id, limit).await;
    }
}

/// Redis may evict any key but the short ones that say that a marker is being moved.
async fn evict_something(app: &TestApp, chance: &mut Chance) {
    let mut redis = app.redis().await.expect("Redis");
    let keys: Vec<String> = redis.keys(format!("{}*", app.redis_prefix)).await.expect("the keys");
    let mut cached = keys.into_iter().filter(|key| !key.contains("marking:")).collect::<Vec<_>>();
    cached.sort_unstable();
    if !cached.is_empty() {
        redis.del::<_, ()>(&cached[chance.below(cached.len())]).await.expect("it is gone");
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
        // Somebody looks while others write: the counts are as of some moment, and of no message that never was.
        let reader = world.people[chance.below(world.people.len())];
        let unread = app.app().caches.unread(reader, world.team.workspace_id, 0).await.expect("counts");
        assert!(unread.channels.iter().all(|channel| channel.unread >= 0 && channel.mentions >= 0), "{unread:?}");
    }
    everything_is_right(app, &world, 101).await;
    let stats = app.app().caches.stats();
    assert!(stats.hits.load(std::sync::atomic::Ordering::Relaxed) > 0, "the cache was used: {stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_are_a_recount_of_the_log_after_one_random_history() {
    a_history(&TestApp::start().await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_are_a_recount_of_the_log_after_another() {
    a_history(&TestApp::start().await, 20_261_122).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_are_a_recount_of_the_log_after_a_third() {
    a_history(&TestApp::start().await, 0x5EED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_pages_are_a_recount_of_the_log_on_a_cluster_of_three_nodes() {
    let cluster = RedisCluster::start().await;
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", &*cluster.urls()), ("BACKSCROLL_REDIS_CLUSTER", "true")]).await;
    a_history(&app, 3).await;
}
