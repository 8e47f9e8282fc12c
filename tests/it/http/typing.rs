//! Typing indicators.

use redis::AsyncCommands;
use serde_json::{Value, json};
use tests::{Person, Team, TestApp, eventually};
use uuid::Uuid;

async fn typing(person: &Person, channel: Uuid) -> Vec<Value> {
    let page = person.get(&format!("/v1/channels/{channel}/typing")).await.expect(200);
    page["items"].as_array().expect("people").iter().map(|row| row["user_id"].clone()).collect()
}

/// The Redis key of the users that type in the team's first channel.
fn key(app: &TestApp, team: &Team) -> String {
    format!("{}typing:{{{}}}", app.redis_prefix, team.general)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typing_user_is_shown_until_they_post() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    assert_eq!(typing(&team.guest, team.general).await, Vec::<Value>::new());
    team.member.put_empty(&team.general("/typing")).await.expect(204);
    team.owner.put_empty(&team.general("/typing")).await.expect(204);
    let mut both = typing(&team.guest, team.general).await;
    both.sort_by_key(ToString::to_string);
    let mut expected = vec![json!(team.member.id), json!(team.owner.id)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(both, expected);

    team.post(&team.member, team.general, "done").await.expect(201);
    eventually("a user who has posted is not shown any more", async || typing(&team.guest, team.general).await == [json!(team.owner.id)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_types_again_before_redis_gets_the_post_is_shown() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (key, mut redis) = (key(&app, &team), app.redis().await.expect("Redis"));
    for goes_elsewhere in [false, true, false, true] {
        team.member.put_empty(&team.general("/typing")).await.expect(204);
        team.post(&team.member, team.general, "and more").await.expect(201);
        // This happens before Redis gets the notice of the post.
        if goes_elsewhere {
            let holds_until = chrono::Utc::now().timestamp_millis() + 15_000;
            redis.zadd::<_, _, _, ()>(&key, team.member.id.to_string(), holds_until).await.expect("a later notice from another process");
        } else {
            team.member.put_empty(&team.general("/typing")).await.expect(204);
        }
        team.owner.put_empty(&team.general("/typing")).await.expect(204);
        team.post(&team.owner, team.general, "done").await.expect(201);
        eventually("Redis got the notice of the owner's post, and so that of the member's", async || {
            typing(&team.guest, team.general).await == [json!(team.member.id)]
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typing_indicator_expires_after_ten_seconds() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.member.put_empty(&team.general("/typing")).await.expect(204);
    let (key, mut redis) = (key(&app, &team), app.redis().await.expect("Redis"));
    assert!((5_000..=10_000).contains(&redis.pttl::<_, i64>(&key).await.expect("the time to live")));
    let over = chrono::Utc::now().timestamp_millis() - 1;
    redis.zadd::<_, _, _, ()>(&key, team.member.id.to_string(), over).await.expect("an expired indicator");
    assert_eq!(typing(&team.guest, team.general).await, Vec::<Value>::new());
    team.owner.put_empty(&team.general("/typing")).await.expect(204);
    assert_eq!(redis.zcard::<_, usize>(&key).await.expect("the typing users"), 1, "the expired indicator is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_users_who_may_post_can_type_and_only_readers_see_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let secret = team.channel(&team.owner, "private", "secret", &[]).await;
    let path = format!("/v1/channels/{secret}/typing");
    for person in [&team.member, &team.stranger] {
        person.put_empty(&path).await.expect_problem(404, "channel.not_found");
        person.get(&path).await.expect_problem(404, "channel.not_found");
    }
    let open = team.channel(&team.owner, "public", "open", &[]).await;
    let path = format!("/v1/channels/{open}/typing");
    team.member.put_empty(&path).await.expect_problem(403, "channel.not_a_member");
    team.member.get(&path).await.expect(200);
    team.owner.put_empty(&format!("/v1/channels/{open}/archived")).await.expect(200);
    team.owner.put_empty(&path).await.expect_problem(409, "channel.archived");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_there_are_no_typing_indicators_and_posting_works() {
    let app = TestApp::start_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")]).await;
    let team = Team::found(&app).await;
    team.member.put_empty(&team.general("/typing")).await.expect_problem(503, "presence.unavailable");
    team.member.get(&team.general("/typing")).await.expect_problem(503, "presence.unavailable");
    team.post(&team.member, team.general, "all the same").await.expect(201);
}
