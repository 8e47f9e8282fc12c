//! `backscroll replay cache`: a new generation, proved on a sample.

use domain::ids::{ChannelId, WorkspaceId};
use projections::{CACHE, RebuildOptions, rebuild, states};
use tests::{Team, TestApp, eventually};

use super::{cached_page, page_is_right, settled};

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_begins_a_generation_and_proves_it_on_what_was_said_last() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "one").await;
    let head = settled(&app).await;
    let (workspace_id, channel) = (WorkspaceId(team.id), ChannelId(team.general));
    cached_page(&app, workspace_id, channel, 51).await;
    let generation = async || {
        let read = sqlx::query_scalar::<_, i64>("SELECT generation FROM projection_checkpoints WHERE projection = 'cache'");
        read.fetch_one(&app.app().pool).await.expect("a generation")
    };
    let before = generation().await;
    let report = rebuild(&app.app().stores, CACHE, RebuildOptions::default(), |_| {}).await.expect("a cache that is right");
    assert!(generation().await > before && report.differences.is_empty(), "{report:?}");
    assert_eq!(
        report.rows.iter().map(|(family, _)| family.as_str()).collect::<Vec<_>>(),
        ["recent_messages", "unread_counts", "channel_members"]
    );
    assert!(report.rows.iter().all(|(_, compared)| *compared > 0), "{report:?}");
    assert_eq!(report.position, head);
    page_is_right(&app, workspace_id, channel, 51).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_stands_in_the_list_of_projections_and_in_the_figures() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let head = settled(&app).await;
    let states = states(&app.app().pool).await.expect("states");
    let cache = states.iter().find(|state| state.name == CACHE).expect("the cache");
    assert!(cache.position >= head && cache.parked.is_empty());
    team.operator.post("/v1/projections/cache/replays", serde_json::json!({})).await.expect(202);
    eventually("the replay is done", async || {
        team.operator.get("/v1/projections/cache/replays/current").await.expect(200)["state"] == "switched"
    })
    .await;
    let figures = app.get("/metrics").await.expect(200).to_string();
    assert!(figures.contains(r#"projection=\"cache\""#) && figures.contains("cache hits"), "{figures}");
}
