//! The cache with a real Redis: its answers equal those of Postgres, and are never wrong.

mod connection;
mod faults;
mod history;
mod laws;
mod markers;
mod replay;
mod world;

use std::time::Duration;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use projections::cache::{RecentMessages, Unread};
use projections::relational::messages::HistoryPage;
use projections::{CACHE, RELATIONAL};
use tests::{TestApp, eventually};

/// The longest time that the cache may be behind.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until every event is in the read tables and in the cache. Returns the log's last position.
pub async fn settled(app: &TestApp) -> i64 {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    for projection in [RELATIONAL, CACHE] {
        app.app().progress.wait_for(projection, head, LIMIT).await.expect("the projection keeps up");
    }
    head
}

/// The newest rows from the cache, as soon as the cache has them.
pub async fn cached_page(app: &TestApp, workspace_id: WorkspaceId, channel_id: ChannelId, limit: u16) -> RecentMessages {
    let mut page = None;
    eventually("the cache has the page", async || {
        page = app.app().caches.recent_messages(workspace_id, channel_id, limit, 0).await.expect("a page");
        page.is_some()
    })
    .await;
    page.expect("a page")
}

/// The unread counts of a user from the cache, as soon as the cache has them.
pub async fn cached_unread(app: &TestApp, user_id: UserId, workspace_id: WorkspaceId) -> Unread {
    let mut unread = None;
    eventually("the cache has the counts", async || {
        unread = app.app().caches.cached_unread(user_id, workspace_id, 0).await.expect("counts");
        unread.is_some()
    })
    .await;
    unread.expect("counts")
}

/// The newest rows from Postgres.
pub async fn stored_page(app: &TestApp, channel_id: ChannelId, limit: u16) -> Vec<String> {
    let rows = app.app().read_models.history(channel_id, HistoryPage::Latest, limit).await.expect("a page");
    rows.iter().map(|row| serde_json::to_string(row).expect("JSON")).collect()
}

/// Checks that the cached page equals Postgres. No user may write to the channel meanwhile.
pub async fn page_is_right(app: &TestApp, workspace_id: WorkspaceId, channel_id: ChannelId, limit: u16) {
    let cached = cached_page(app, workspace_id, channel_id, limit).await;
    let cached = cached.rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
    assert_eq!(cached, stored_page(app, channel_id, limit).await, "the page of {channel_id}");
}
