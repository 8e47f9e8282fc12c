//! The proof of the log, public or for operators only.

use tests::{Team, TestApp, eventually};

const OPERATIONS: [&str; 6] = [
    "/v1/proof/checkpoint",
    "/v1/proof/keys",
    "/v1/proof/tile/0/000.p/1",
    "/v1/proof/tile/entries/000.p/1",
    "/v1/proof/inclusion?position=1",
    "/v1/proof/consistency?from=1",
];

async fn signed(app: &TestApp) {
    eventually("a head is signed", async || app.app().proofs.newest().await.expect("the heads").is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_is_public_and_its_readers_are_limited_by_address() {
    let app = TestApp::start().await;
    app.get("/v1/proof/checkpoint").await.expect_problem(404, "proof.no_head");
    app.get("/v1/proof/inclusion?position=1").await.expect_problem(404, "proof.no_head");
    app.sign_up("ann").await;
    signed(&app).await;
    for path in OPERATIONS {
        let answer = app.get(path).await;
        assert!(
            answer.header("ratelimit").is_some_and(|left| left.starts_with("\"read\"")),
            "a request of {path} counts towards the limit"
        );
        answer.expect(200);
    }
    let head = app.get("/v1/proof/checkpoint").await;
    assert_eq!((head.header("content-type"), head.header("cache-control")), (Some("text/plain; charset=utf-8"), Some("no-cache")));
    let tile = app.get("/v1/proof/tile/0/000.p/1").await;
    assert_eq!(tile.header("content-type"), Some("application/octet-stream"));
    assert!(tile.header("cache-control").is_some_and(|how| how.contains("immutable")));
    let metrics = app.as_operator("/metrics").await.expect(200);
    assert!(metrics.as_str().is_some_and(|text| text.contains("backscroll_position{part=\"proof\"} ")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_or_tile_outside_the_tree_is_refused() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    signed(&app).await;
    for path in [
        "/v1/proof/tile/0/000.p/255",
        "/v1/proof/tile/0/000",
        "/v1/proof/tile/7/000",
        "/v1/proof/tile/entries/001",
        "/v1/proof/tile/63/x018/x446/x744/x073/x709/x551/615",
    ] {
        app.get(path).await.expect_problem(404, "proof.no_such_tile");
    }
    for path in [
        "/v1/proof/tile/0/0",
        "/v1/proof/tile/00/000",
        "/v1/proof/tile/64/000",
        "/v1/proof/tile/-1/000",
        "/v1/proof/tile/0/000.p/0",
        "/v1/proof/tile/0/000.p/256",
        "/v1/proof/tile/entries/x000/000",
        "/v1/proof/tile/0/..%2F000",
    ] {
        app.get(path).await.expect_problem(400, "request.path_invalid");
    }
    for (query, field) in
        [("position=0", "position"), ("position=999999", "position"), ("position=1&size=999999", "size"), ("position=1&size=0", "size")]
    {
        let refused = app.get(&format!("/v1/proof/inclusion?{query}")).await.expect_problem(404, "proof.not_in_tree");
        assert_eq!(refused["field"], field, "{query}");
    }
    for (query, field) in [("from=0", "from"), ("from=999999", "from"), ("from=1&to=999999", "to")] {
        let refused = app.get(&format!("/v1/proof/consistency?{query}")).await.expect_problem(404, "proof.not_in_tree");
        assert_eq!(refused["field"], field, "{query}");
    }
    for query in ["", "?position=-1", "?position=x", "?position=1&other=2"] {
        app.get(&format!("/v1/proof/inclusion{query}")).await.expect_problem(400, "request.query_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_not_public_is_for_operators_only() {
    let app = TestApp::start_with(&[("BACKSCROLL_PROOF_PUBLIC", "false")]).await;
    let team = Team::found(&app).await;
    signed(&app).await;
    for path in OPERATIONS {
        app.get(path).await.expect_problem(401, "auth.token_missing");
        team.owner.get(path).await.expect_problem(403, "server.operators_only");
        team.operator.get(path).await.expect(200);
    }
}
