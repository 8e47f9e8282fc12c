//! Requests with invalid tokens are cheap for the server and do not block other users. No flood of requests prevents a
//! user from signing out.

use state::token::Token;
use tests::{Person, TestApp};

use super::{ME, another_node, is_refused, run};

async fn limited(limits: &str) -> TestApp {
    let limits = format!("all=1000000/60 {limits}");
    TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", &limits), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]).await
}

/// The same user with an invented token, at this address.
fn stranger(person: &Person, address: &str) -> Person {
    person.with_token(Token::of_new_session().expose().to_owned()).coming_from(address, "Stranger/1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_remembered_and_not_read_from_the_database_again() {
    let app = TestApp::start().await;
    let second = another_node(&app, &[]).await;
    let ann = app.sign_up("ann").await;
    let wrong = ann.with_token(Token::of_new_session().expose().to_owned());
    is_refused(&wrong).await;
    // A second read of the database would find this session.
    run(
        &app,
        &format!(
            "INSERT INTO secret.sessions (token_hash, session_id, user_id, device_type, created_at, last_activity, expires_at)
             VALUES (sha256('{}'::bytea), gen_random_uuid(), '{}', 'x', now(), now(), now() + interval '1 hour')",
            wrong.token, ann.id
        ),
    )
    .await;
    is_refused(&wrong).await;
    wrong.at(&second).get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_limited_by_address_and_do_not_block_signed_in_users() {
    let app = limited("wrong_token=4/60").await;
    let ann = app.sign_up("ann").await.coming_from("2001:db8::1", "Ann/1");
    ann.get(ME).await.expect(200);
    is_refused(&stranger(&ann, "2001:db8::2")).await;
    let again = stranger(&ann, "2001:db8::3");
    is_refused(&again).await;
    is_refused(&again).await;
    is_refused(&stranger(&ann, "2001:db8::4").with_token("rubbish".into())).await;
    let refused = stranger(&ann, "2001:db8::5").get(ME).await;
    assert!(
        refused.header("retry-after").is_some() && refused.header("ratelimit").is_some_and(|left| left.contains("\"wrong_token\";r=0"))
    );
    refused.expect_problem(429, "request.rate_limited");
    again.get(ME).await.expect_problem(429, "request.rate_limited");
    ann.get(ME).await.expect(200);
    is_refused(&stranger(&ann, "2001:db8:0:1::1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_sign_ins_does_not_prevent_a_sign_out() {
    let app = limited("sign_in=2/60").await;
    let ann = app.sign_up("ann").await;
    let sign_in = serde_json::json!({"login": ann.email, "password": tests::person::PASSWORD});
    app.post("/v1/sessions", &sign_in).await.expect_problem(429, "request.rate_limited");
    let out = ann.delete("/v1/sessions/current").await;
    assert!(out.header("ratelimit").is_some_and(|left| left.starts_with("\"sign_out\";")), "{out:?}");
    out.expect(204);
    is_refused(&ann).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_and_sign_outs_of_others_do_not_prevent_a_sign_out() {
    let app = limited("sign_out=3/60 wrong_token=3/60").await;
    let ann = app.sign_up("ann").await;
    ann.get(ME).await.expect(200);
    for _ in 0..3 {
        stranger(&ann, "127.0.0.1").delete("/v1/sessions/current").await.expect_problem(401, "auth.token_invalid");
    }
    stranger(&ann, "127.0.0.1").delete("/v1/sessions/current").await.expect_problem(429, "request.rate_limited");
    ann.delete("/v1/sessions/current").await.expect(204);
    is_refused(&ann.coming_from("203.0.113.1", "Ann/1")).await;
}
