//! Rate limits: true sliding windows that all servers share. They never lock a user out.

use std::time::Duration;

use redis::AsyncCommands;
use reqwest::Method;
use serde_json::json;
use tests::answer::Answer;
use tests::person::{PASSWORD, send};
use tests::{Person, Team, TestApp, eventually};
use tokio::time::Instant;

use crate::cache::settled;

const ME: &str = "/v1/users/me";

/// A server with these limits. All other classes have a limit that tests do not reach.
async fn limited(limits: &str) -> TestApp {
    TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", &format!("all=1000000/60 {limits}"))]).await
}

/// The times when a request was sent and answered. The server granted it in between.
async fn granted(person: &Person) -> Option<(Instant, Instant)> {
    let sent = Instant::now();
    let answer = person.get(ME).await;
    match answer.status.as_u16() {
        200 => Some((sent, Instant::now())),
        _ => {
            answer.expect_problem(429, "request.rate_limited");
            None
        }
    }
}

fn left(answer: &Answer) -> &str {
    answer.header("ratelimit").unwrap_or_else(|| panic!("no RateLimit: {answer:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_window_grants_more_than_its_limit_wherever_it_begins() {
    let (limit, window) = (4, Duration::from_secs(1));
    let app = limited("read=4/1").await;
    let ann = app.sign_up("ann").await;
    let mut grants = vec![granted(&ann).await.expect("the first")];
    let began = Instant::now();
    // Fixed windows would begin anew about now. A burst at that moment would then be granted twice the limit.
    eventually("the window is almost over", async || began.elapsed() > window.mul_f64(0.8)).await;
    eventually("the limit is used three times", async || {
        grants.extend(granted(&ann).await);
        grants.len() >= 3 * limit
    })
    .await;
    for (first, over) in grants.iter().zip(&grants[limit..]) {
        assert!(over.1 - first.0 >= window, "{} requests in {:?}", limit + 1, over.1 - first.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_limited_by_user_and_channel_and_the_headers_have_the_rest() {
    let app = limited("message=2/60").await;
    let team = Team::found(&app).await;
    let first = team.post(&team.member, team.general, "one").await;
    assert_eq!(first.header("ratelimit-policy"), Some(r#""write";q=1000000;w=60, "message";q=2;w=60"#));
    assert!(left(&first).contains(r#""message";r=1;t="#), "{first:?}");
    first.expect(201);
    team.post(&team.member, team.general, "two").await.expect(201);

    let third = team.post(&team.member, team.general, "three").await;
    let seconds = third.header("retry-after").and_then(|text| text.parse::<u64>().ok()).expect("Retry-After");
    assert!((1..=60).contains(&seconds) && left(&third).contains(&format!(r#""message";r=0;t={seconds}"#)), "{third:?}");
    third.expect_problem(429, "request.rate_limited");

    team.post(&team.owner, team.general, "somebody else").await.expect(201);
    let elsewhere = team.channel(&team.owner, "public", "random", &[&team.member]).await;
    team.post(&team.member, elsewhere, "elsewhere").await.expect(201);
    team.member.put(&format!("{ME}/custom-status"), json!({"text": "waiting"})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_a_counted_request_has_the_rest_of_the_limit() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for path in [ME, "/v1/workspaces", "/v1/workspaces/0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b"] {
        assert!(left(&ann.get(path).await).starts_with(r#""read";r=9"#), "{path}");
    }
    let refused = app.post("/v1/sessions", &json!({"login": ann.email, "password": "wrong"})).await;
    assert!(left(&refused).starts_with(r#""sign_in";r=9"#), "{refused:?}");
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(app.get(path).await.header("ratelimit"), None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_window() {
    let first = limited("read=4/60").await;
    let shared = [
        ("BACKSCROLL_POSTGRES_URL", first.database.url.as_str()),
        ("BACKSCROLL_NATS_STREAM", &first.stream),
        ("BACKSCROLL_REDIS_KEY_PREFIX", &first.redis_prefix),
        ("BACKSCROLL_RATE_LIMITS", "read=4/60"),
    ];
    let second = TestApp::start_with(&shared).await;
    let ann = first.sign_up("ann").await;
    for app in [&first, &second, &first, &second] {
        ann.at(app).get(ME).await.expect(200);
    }
    for app in [&first, &second] {
        ann.at(app).get(ME).await.expect_problem(429, "request.rate_limited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_no_user_is_locked_out_and_the_limits_hold() {
    let app =
        TestApp::start_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1"), ("BACKSCROLL_RATE_LIMITS", "read=3/60 write=2/60")]).await;
    let (ann, ben) = (app.sign_up("ann").await, app.sign_up("ben").await);
    for left_over in [2, 1, 0] {
        let answer = ann.get(ME).await;
        assert!(left(&answer).starts_with(&format!(r#""read";r={left_over};"#)), "{answer:?}");
        answer.expect(200);
    }
    let refused = ann.get(ME).await;
    assert!(refused.header("retry-after").is_some());
    refused.expect_problem(429, "request.rate_limited");
    ann.put(&format!("{ME}/custom-status"), json!({"text": "still here"})).await.expect(200);
    ben.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_session_are_limited_by_address() {
    let settings = [("BACKSCROLL_RATE_LIMITS", "sign_in=4/60"), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")];
    let app = TestApp::start_with(&settings).await;
    let ann = app.sign_up("ann").await;
    let sign_in = |address: &'static str| {
        let login = json!({"login": ann.email, "password": PASSWORD});
        let request = reqwest::Client::new().request(Method::POST, format!("{}/v1/sessions", app.url));
        async move { send(request.header("X-Forwarded-For", address).json(&login)).await.status.as_u16() }
    };
    for expected in [201, 201, 201, 201, 429] {
        assert_eq!(sign_in("192.0.2.1").await, expected);
    }
    assert_eq!(sign_in("192.0.2.2").await, 201);
    for n in 1..=5 {
        let expected = if n == 5 { 429 } else { 201 };
        let address = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:f::", "2001:db8::9", "2001:db8::a"][n - 1];
        assert_eq!(sign_in(address).await, expected, "a /64 network counts as one address");
    }
    ann.get(ME).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_the_best_plan_of_their_workspaces() {
    let app = TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", "read=0 free.read=1000/60 pro.read=2000/60")]).await;
    let team = Team::found(&app).await;
    // Plans come from the read model, which sees new members a moment later.
    settled(&app).await;
    let policy = async |token| team.member.with_token(token).get(ME).await.header("ratelimit-policy").map(str::to_owned);
    let upgrade = async |plan: &str| {
        team.operator.put(&team.path("/plan"), json!({"plan": plan})).await.expect(204);
        settled(&app).await;
        app.sign_in(&team.member.email).await
    };
    assert_eq!(policy(team.member.token.clone()).await.as_deref(), Some(r#""read";q=1000;w=60"#));
    assert_eq!(policy(upgrade("pro").await).await.as_deref(), Some(r#""read";q=2000;w=60"#));
    assert_eq!(policy(upgrade("enterprise").await).await, None, "0 is no limit");
    assert_eq!(policy(upgrade("free").await).await.as_deref(), Some(r#""read";q=1000;w=60"#), "a plan can be reduced again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_keeps_no_more_times_than_its_limit_and_removes_times_in_the_future() {
    let app = limited("read=4/60").await;
    let ann = app.sign_up("ann").await;
    for _ in 0..10 {
        ann.get(ME).await;
    }
    let key = format!("{}rate_limit:{{{}}}:read", app.redis_prefix, ann.id);
    let mut redis = app.redis().await.expect("Redis");
    assert_eq!(redis.llen::<_, usize>(&key).await.expect("the window"), 4);
    assert!((1..=120_000).contains(&redis.pttl::<_, i64>(&key).await.expect("the time to live")));

    let tomorrow = chrono::Utc::now().timestamp_micros() + 86_400_000_000;
    redis.lpush::<_, _, ()>(&key, vec![tomorrow; 4]).await.expect("times in the future");
    ann.get(ME).await.expect(200);
    assert_eq!(redis.llen::<_, usize>(&key).await.expect("the window"), 1);
}
