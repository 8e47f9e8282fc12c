//! What caches may keep.

use reqwest::Method;
use serde_json::json;
use tests::{Team, TestApp};

const PRIVATE: Option<&str> = Some("private, no-store");

#[tokio::test(flavor = "multi_thread")]
async fn no_cache_keeps_an_answer_that_is_not_public() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let answers = [
        team.owner.get("/v1/users/me").await,
        team.owner.get("/v1/workspaces").await,
        team.owner.get(&team.general("/messages")).await,
        team.owner.get(&team.path("/search/messages?q=hello")).await,
        team.owner.get("/v1/sessions").await,
        team.operator.get("/v1/projections").await,
        team.owner.post(&team.general("/messages"), json!({"content": "hello"})).await,
        team.owner.post(&team.general("/messages"), json!({"content": ""})).await,
        team.stranger.get(&team.path("")).await,
        app.get("/v1/users/me").await,
        app.get("/v1/nothing").await,
        app.get("/healthz").await,
        app.request(Method::POST, "/v1/users/me", None).await,
        app.as_operator("/metrics").await,
    ];
    for answer in answers {
        assert_eq!(answer.header("cache-control"), PRIVATE, "{} {}", answer.asked, answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn public_answers_may_be_kept_as_long_as_they_stay_true() {
    let app = TestApp::start().await;
    Team::found(&app).await;
    for path in ["/openapi.json", "/docs/", "/docs/swagger-ui.css"] {
        assert_eq!(app.get(path).await.header("cache-control"), Some("public, max-age=300"), "{path}");
    }
    assert_eq!(app.get("/docs/nothing").await.header("cache-control"), PRIVATE);
    tests::eventually("the log has a signed head", async || app.get("/v1/proof/checkpoint").await.status == 200).await;
    for path in ["/v1/proof/checkpoint", "/v1/proof/keys", "/v1/proof/inclusion?position=1", "/v1/proof/consistency?from=1"] {
        let answer = app.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-cache")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_for_operators_only_is_not_public() {
    let app = TestApp::start_with(&[("BACKSCROLL_PROOF_PUBLIC", "false")]).await;
    let team = Team::found(&app).await;
    tests::eventually("the log has a signed head", async || team.operator.get("/v1/proof/checkpoint").await.status == 200).await;
    assert_eq!(team.operator.get("/v1/proof/checkpoint").await.header("cache-control"), PRIVATE);
}
