//! Exports of a person's data are asked for, queued, limited, and kept for a limited time. `erasure.rs` tests their
//! contents.

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Team, TestApp, eventually};
use uuid::Uuid;

/// An export as another node has left it.
struct Left<'a> {
    state: &'a str,
    attempts: i32,
    /// When the lease ends or the export expires, from now.
    minutes: i32,
}

impl Left<'_> {
    async fn insert(&self, pool: &PgPool, user_id: Uuid) -> String {
        let export_id = Uuid::now_v7();
        let insert = "INSERT INTO state.exports (export_id, user_id, requested_by, state, attempts, lease_until, expires_at)
                      VALUES ($1, $2, $2, $3, $4, now() + make_interval(mins => $5),
                              CASE WHEN $3 = 'ready' THEN now() + make_interval(mins => $5) END)";
        let inserted = sqlx::query(insert).bind(export_id).bind(user_id).bind(self.state).bind(self.attempts).bind(self.minutes);
        inserted.execute(pool).await.expect("an export");
        format!("/v1/exports/{export_id}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_export_of_a_user_is_made_at_a_time() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let running = Left { state: "running", attempts: 1, minutes: 60 }.insert(&app.app().pool, team.member.id).await;
    let again = team.member.post_confirmed("/v1/users/me/export").await;
    assert_eq!(again.header("location"), Some(running.as_str()));
    assert_eq!(again.expect(202)["state"], "running");
    let path = format!("/v1/users/{}/export", team.member.id);
    team.operator.post_confirmed(&path).await.expect_problem(409, "export.under_way");
    team.member.post_confirmed(&format!("{running}/download")).await.expect_problem(409, "export.not_ready");
    // Another user's export is not affected, and nobody else sees this one.
    team.owner.post_confirmed("/v1/users/me/export").await.expect(202);
    team.operator.get(&running).await.expect_problem(404, "export.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_node_has_died_is_made_by_another_node_and_fails_after_three_attempts() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (pool, member) = (&app.app().pool, &team.member);
    let dead = Left { state: "running", attempts: 1, minutes: -1 }.insert(pool, member.id).await;
    let hopeless = Left { state: "running", attempts: 3, minutes: -1 }.insert(pool, team.owner.id).await;
    let state = async |who: &tests::Person, path: &str| who.get(path).await.body["state"].clone();
    eventually("the export is ready", async || state(member, &dead).await == "ready").await;
    eventually("the export has failed", async || state(&team.owner, &hopeless).await == "failed").await;
    team.owner.post_confirmed(&format!("{hopeless}/download")).await.expect_problem(409, "export.failed");
    let wrong = json!({"current_password": "a guess"});
    member.post(&format!("{dead}/download"), wrong).await.expect_problem(422, "password.wrong");
    member.post_confirmed(&format!("{dead}/download")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_ask_for_five_exports_a_day_and_each_expires() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let expired = Left { state: "ready", attempts: 1, minutes: -1 }.insert(&app.app().pool, team.member.id).await;
    team.member.get(&expired).await.expect_problem(404, "export.not_found");
    for _ in 0..5 {
        Left { state: "ready", attempts: 1, minutes: 60 }.insert(&app.app().pool, team.member.id).await;
    }
    let refused = team.member.post_confirmed("/v1/users/me/export").await;
    assert!(refused.header("retry-after").is_some());
    refused.expect_problem(429, "export.too_many");
    let body: Value = team.owner.post_confirmed("/v1/users/me/export").await.expect(202);
    assert_eq!(body["user_id"], json!(team.owner.id));
}
