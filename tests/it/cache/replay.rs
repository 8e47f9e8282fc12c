//! `backscroll replay cache`: it begins a new generation, fills it, reads it back and compares it.

use domain::ids::{ChannelId, WorkspaceId};
use projections::{CACHE, RebuildError, RebuildOptions, rebuild, states};
use redis::AsyncCommands;
use tests::{Team, TestApp, eventually};

use super::{cached_page, page_is_right, settled};

async fn generation(app: &TestApp) -> i64 {
    let read = sqlx::query_scalar::<_, i64>("SELECT generation FROM projection_checkpoints WHERE projection = 'cache'");
    read.fetch_one(&app.app().pool).await.expect("a generation")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_begins_a_generation_and_compares_its_newest_messages() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "one").await;
    let head = settled(&app).await;
    let (workspace_id, channel) = (WorkspaceId(team.id), ChannelId(team.general));
    cached_page(&app, workspace_id, channel, 51).await;
    let before = generation(&app).await;
    let report = rebuild(&app.app().stores, CACHE, RebuildOptions::default(), |_| {}).await.expect("an equal cache");
    assert!(generation(&app).await > before && report.differences.is_empty(), "{report:?}");
    assert_eq!(
        report.rows.iter().map(|(family, _)| family.as_str()).collect::<Vec<_>>(),
        ["recent_messages", "unread_counts", "channel_members"]
    );
    // The replay compares every channel and every member of the workspace.
    let (channels, people): (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM read.channels), (SELECT count(*) FROM read.workspace_members)")
            .fetch_one(&app.app().pool)
            .await
            .expect("counts");
    assert_eq!(report.rows.iter().map(|(_, compared)| *compared).collect::<Vec<_>>(), [channels, people, channels], "{report:?}");
    assert_eq!(report.position, head);
    page_is_right(&app, workspace_id, channel, 51).await;
}

/// Writes the channel's present page with changed texts into the next generations.
async fn forge_the_next_generations(app: &TestApp, workspace_id: WorkspaceId, channel: ChannelId) -> redis::RedisResult<()> {
    let mut redis = app.redis().await?;
    let (now, tag) = (generation(app).await, format!("{{{workspace_id}}}"));
    let token: String = redis.get(format!("{}cache:{now}:{tag}", app.redis_prefix)).await?;
    let page = |token: &str| format!("{}recent_messages:{token}:{tag}:{}", app.redis_prefix, channel.0.simple());
    let rows: Vec<String> = redis.zrange(page(&token), 0, -1).await?;
    assert!(rows.iter().any(|row| row.contains("as it was said")), "{rows:?}");
    for row in rows {
        redis.zadd::<_, _, _, ()>(page("forged"), row.replace("as it was said", "as it was not"), 0).await?;
    }
    for next in now + 1..now + 4 {
        redis.set::<_, _, ()>(format!("{}cache:{next}:{tag}", app.redis_prefix), "forged").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_names_the_key_that_differs_from_postgres_and_no_request_reads_it_any_more() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "as it was said").await;
    settled(&app).await;
    let (workspace_id, channel) = (WorkspaceId(team.id), ChannelId(team.general));
    // The first read fills the cache. The second read shows that it is filled.
    for _ in 0..2 {
        cached_page(&app, workspace_id, channel, 51).await;
    }
    forge_the_next_generations(&app, workspace_id, channel).await.expect("Redis");
    let replayed = rebuild(&app.app().stores, CACHE, RebuildOptions::default(), |_| {}).await;
    let Err(RebuildError::Differs { differences, .. }) = replayed else { panic!("the difference was not found: {replayed:?}") };
    let found = differences.iter().flat_map(|family| family.rows.iter().map(|row| (family.table.as_str(), row.key.as_str())));
    assert_eq!(found.collect::<Vec<_>>(), [("recent_messages", channel.to_string().as_str())]);
    page_is_right(&app, workspace_id, channel, 51).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_in_the_list_of_projections_and_in_the_metrics() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let head = settled(&app).await;
    let states = states(&app.app().pool).await.expect("states");
    let cache = states.iter().find(|state| state.name == CACHE).expect("the cache");
    assert!(cache.position >= head && cache.parked.is_empty());
    team.operator.post("/v1/projections/cache/replays", serde_json::json!({})).await.expect(202);
    eventually("the replay has ended", async || {
        team.operator.get("/v1/projections/cache/replays/current").await.expect(200)["state"] == "switched"
    })
    .await;
    let figures = app.as_operator("/metrics").await.expect(200).to_string();
    assert!(figures.contains(r#"projection=\"cache\""#) && figures.contains("cache hits"), "{figures}");
}
