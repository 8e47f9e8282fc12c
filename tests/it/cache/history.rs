//! The first page of a channel's history from the cache, over HTTP.

use std::sync::atomic::Ordering::Relaxed;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use futures::future::join_all;
use serde_json::Value;
use tests::{Team, TestApp, eventually};

use super::{cached_page, page_is_right, settled};
use crate::support::{asked, post};

fn texts(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|row| row["content"].as_str().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_from_the_cache_equals_that_from_postgres_and_leads_to_the_page_before() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for n in 0..30 {
        team.message(&team.member, team.general, &format!("number {n}")).await;
    }
    settled(&app).await;
    let path = team.general("/messages?limit=10");
    let cold = team.owner.get(&path).await.expect(200);
    cached_page(&app, WorkspaceId(team.id), ChannelId(team.general), 11).await;
    let hits = || app.app().caches.stats().hits.load(Relaxed);
    let before = hits();
    let warm = team.owner.get(&path).await.expect(200);
    assert_eq!((warm.clone(), hits()), (cold, before + 1));
    assert_eq!(texts(&warm), (20..30).map(|n| format!("number {n}")).collect::<Vec<_>>());
    let before = warm["previous"].as_str().expect("a page before");
    let earlier = team.owner.get(&format!("{path}&before={before}")).await.expect(200);
    assert_eq!(texts(&earlier), (10..20).map(|n| format!("number {n}")).collect::<Vec<_>>());
    let after = warm["next"].as_str().expect("a page after");
    assert_eq!(team.owner.get(&format!("{path}&after={after}")).await.expect(200)["items"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_at_a_position_sees_it_and_the_answer_has_its_true_position() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    cached_page(&app, WorkspaceId(team.id), ChannelId(team.general), 51).await;
    for n in 0..50 {
        let text = format!("number {n}");
        let posted = team.post(&team.member, team.general, &text).await.position();
        let seen = team.owner.get_at(posted, &team.general("/messages")).await;
        assert!(seen.position() >= posted);
        assert_eq!(texts(&seen.expect(200)).last(), Some(&text.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_concurrent_reads_of_an_uncached_page_fill_the_cache_once() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (workspace_id, caches) = (WorkspaceId(team.id), &app.app().caches);
    cached_page(&app, workspace_id, ChannelId(team.general), 51).await;
    let channel = ChannelId(team.channel(&team.owner, "public", "crowd", &[]).await);
    post(&app.app().commands, &asked(UserId(team.owner.id)), channel, "hello").await.expect("a message");
    settled(&app).await;
    let fills = || caches.stats().fills.load(Relaxed) + caches.stats().fills_refused.load(Relaxed);
    let before = fills();
    let pages = join_all((0..100).map(|_| caches.recent_messages(workspace_id, channel, 51, 0))).await;
    assert!(pages.iter().all(Result::is_ok));
    assert!(fills() - before <= 1, "the cache was filled {} times", fills() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_right_when_many_messages_are_posted_and_deleted() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (workspace_id, channel) = (WorkspaceId(team.id), ChannelId(team.general));
    cached_page(&app, workspace_id, channel, 101).await;
    let mut messages = Vec::new();
    for n in 0..200 {
        let posted = post(&app.app().commands, &asked(UserId(team.owner.id)), channel, &format!("number {n}")).await;
        messages.push(posted.expect("a message").id);
        if n % 50 == 0 {
            settled(&app).await;
            page_is_right(&app, workspace_id, channel, 101).await;
        }
    }
    settled(&app).await;
    page_is_right(&app, workspace_id, channel, 101).await;
    for message in messages.iter().rev().take(60) {
        team.owner.delete(&format!("/v1/messages/{message}")).await.expect(204);
    }
    settled(&app).await;
    page_is_right(&app, workspace_id, channel, 101).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_of_an_author_is_on_the_cached_page() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (workspace_id, channel) = (WorkspaceId(team.id), ChannelId(team.general));
    team.message(&team.member, team.general, "it is me").await;
    cached_page(&app, workspace_id, channel, 51).await;
    team.member.patch("/v1/users/me", serde_json::json!({"display_name": "Somebody Else"})).await.expect(200);
    settled(&app).await;
    page_is_right(&app, workspace_id, channel, 51).await;
    let page = team.owner.get(&team.general("/messages")).await.expect(200);
    assert_eq!(page["items"].as_array().and_then(|rows| rows.last()).expect("a row")["display_name"], "Somebody Else");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cached_members_of_a_channel_equal_postgres_after_every_change() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "crowd", &[&team.member]).await;
    let path = format!("/v1/channels/{channel}/members");
    let caches = &app.app().caches;
    // The page, once the cache answers it. It equals the page from Postgres.
    let members = async || {
        settled(&app).await;
        eventually("the cache has the members", async || {
            let before = caches.stats().hits.load(Relaxed);
            team.owner.get(&path).await.expect(200);
            caches.stats().hits.load(Relaxed) > before
        })
        .await;
        let page = team.owner.get(&path).await.expect(200);
        let stored = app.app().read_models.channel_members(ChannelId(channel), None, 101).await.expect("members");
        assert_eq!(page, serde_json::json!({"items": stored}));
        page["items"].as_array().cloned().expect("members")
    };
    assert_eq!(members().await.len(), 2);
    team.owner.post(&path, serde_json::json!({"user_id": team.guest.id})).await.expect(200);
    assert_eq!(members().await.len(), 3);
    let of =
        |members: &[Value], person: uuid::Uuid| members.iter().find(|row| row["user_id"] == person.to_string()).cloned().expect("a member");
    team.owner.put(&format!("{path}/{}/role", team.member.id), serde_json::json!({"role": "admin"})).await.expect(200);
    assert_eq!(of(&members().await, team.member.id)["role"], "admin");
    team.guest.patch("/v1/users/me", serde_json::json!({"display_name": "Somebody Else"})).await.expect(200);
    assert_eq!(of(&members().await, team.guest.id)["display_name"], "Somebody Else");
    let first = team.owner.get(&format!("{path}?limit=2")).await.expect(200);
    let next = first["next"].as_str().expect("a next page");
    let second = team.owner.get(&format!("{path}?limit=2&after={next}")).await.expect(200);
    let pages = [&first, &second].map(|page| page["items"].as_array().cloned().expect("members")).concat();
    assert_eq!(pages, members().await, "pages from the cache and from Postgres follow each other");
    team.guest.delete(&format!("/v1/channels/{channel}/membership")).await.expect(204);
    assert_eq!(members().await.len(), 2);
}
