//! Limits on the number of objects that one user creates. A request is cheap for the user, but its events are kept and
//! read for ever.

use futures::future::join_all;
use serde_json::json;
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_creates_at_most_the_configured_number_of_workspaces_also_concurrently() {
    let app = TestApp::start_with(&[("BACKSCROLL_WORKSPACES_PER_PERSON_MAX", "5")]).await;
    let (operator, ann, ben) = (app.sign_up("operator").await, app.sign_up("ann").await, app.sign_up("ben").await);
    let answers = join_all((0..12).map(|_| ann.post("/v1/workspaces", json!({"name": "Acme"})))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(created <= 5, "{created} were created");
    for _ in created..5 {
        ann.post("/v1/workspaces", json!({"name": "Acme"})).await.expect(201);
    }
    let refused = ann.post("/v1/workspaces", json!({"name": "Acme"})).await.expect_problem(409, "workspace.too_many_created");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("5 workspaces")), "{refused}");
    let stored = "SELECT count(*) FROM events WHERE event_type = 'workspace.created' AND metadata ->> 'actor' = $1";
    let stored = sqlx::query_scalar::<_, i64>(stored).bind(ann.id.to_string()).fetch_one(&app.app().pool).await.expect("a count");
    assert_eq!(stored, 5);
    ben.post("/v1/workspaces", json!({"name": "Acme"})).await.expect(201);
    for _ in 0..7 {
        operator.post("/v1/workspaces", json!({"name": "Acme"})).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_for_a_workspace_counts_once() {
    let app = TestApp::start_with(&[("BACKSCROLL_WORKSPACES_PER_PERSON_MAX", "1")]).await;
    let _operator = app.sign_up("operator").await;
    let ann = app.sign_up("ann").await;
    let first = ann.post_once("key-1", "/v1/workspaces", json!({"name": "Acme"})).await.expect(201);
    assert_eq!(ann.post_once("key-1", "/v1/workspaces", json!({"name": "Acme"})).await.expect(201), first);
    ann.post_once("key-2", "/v1/workspaces", json!({"name": "Acme"})).await.expect_problem(409, "workspace.too_many_created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_creates_no_more_channels_than_the_limit_and_direct_conversations_do_not_count() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    // The claims look as if the member had already created all channels but one.
    let taken = "INSERT INTO claims (kind, scope, value, holder)
        SELECT 'channel_slot', $1, $2::text || ':' || n, gen_random_uuid() FROM generate_series(0, $3::bigint - 2) n";
    let taken = sqlx::query(taken).bind(team.id).bind(team.member.id).bind(i64::from(commands::CHANNELS_EACH_MAX));
    taken.execute(&app.app().pool).await.expect("claims");
    let create = async |person: &tests::Person, name: &str| {
        person.post(&team.path("/channels"), json!({"type": "public", "name": name, "members": []})).await
    };
    create(&team.member, "the-last").await.expect(201);
    create(&team.member, "one-more").await.expect_problem(409, "channel.too_many_created");
    let members = [team.owner.id, team.guest.id];
    let group = json!({"type": "group_dm", "members": members});
    team.member.post(&team.path("/channels"), group).await.expect_problem(409, "channel.too_many_created");
    team.member.post(&team.path("/channels"), json!({"type": "dm", "members": [team.owner.id]})).await.expect(201);
    create(&team.owner, "somebody-elses").await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_and_channels_from_before_the_limit_count() {
    let app = TestApp::start_with(&[("BACKSCROLL_WORKSPACES_PER_PERSON_MAX", "2")]).await;
    let team = Team::found(&app).await;
    team.owner.post("/v1/workspaces", json!({"name": "Second"})).await.expect(201);
    team.channel(&team.member, "public", "before", &[]).await;
    let pool = &app.app().pool;
    let claims = "SELECT kind || ' ' || scope || ' ' || value || ' ' || holder FROM claims WHERE kind LIKE '%_slot' ORDER BY 1";
    let before = sqlx::query_scalar::<_, String>(claims).fetch_all(pool).await.expect("claims");
    assert_eq!(before.len(), 3, "{before:?}");
    sqlx::query("DELETE FROM claims WHERE kind LIKE '%_slot'").execute(pool).await.expect("claims");
    let migration = include_str!("../../../migrations/postgres/20261130300000_number_created_things.sql");
    sqlx::raw_sql(migration).execute(pool).await.expect("the migration");
    assert_eq!(sqlx::query_scalar::<_, String>(claims).fetch_all(pool).await.expect("claims"), before);
    team.owner.post("/v1/workspaces", json!({"name": "Third"})).await.expect_problem(409, "workspace.too_many_created");
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_have_a_maximum_size() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let large = json!({"theme_preferences": {"x": "y".repeat(40_000)}});
    ann.patch("/v1/users/me/preferences", large).await.expect_problem(422, "user.preferences_too_large");
    ann.patch("/v1/users/me/preferences", json!({"theme_preferences": {"x": "y".repeat(20_000)}})).await.expect(200);
}
