//! Guesses at an account's password are slowed down, from however many addresses they come. The owner of the account
//! can still sign in, and the audit records the attack.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::{PASSWORD, send};
use tests::{Person, TestApp};

use super::{ME, NEW_PASSWORD, another_session, change_password, count};

/// The number of attempts at an account that the server checks here before it refuses them.
const TAKEN: usize = 5;

async fn limited() -> TestApp {
    limited_with(&[]).await
}

async fn limited_with(more: &[(&str, &str)]) -> TestApp {
    let limits = [("BACKSCROLL_RATE_LIMITS", "all=1000000/60 sign_in_account=5/900"), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")];
    TestApp::start_with(&[&limits, more].concat()).await
}

async fn sign_in_from(app: &TestApp, address: &str, body: &Value) -> Answer {
    let request = reqwest::Client::new().post(format!("{}/v1/sessions", app.url)).header("X-Forwarded-For", address);
    send(request.json(body)).await
}

fn with(login: &str, password: &str) -> Value {
    json!({"login": login, "password": password})
}

/// Guesses from as many addresses. Returns the number of guesses that the server checked.
async fn guess(app: &TestApp, login: &str, guesses: usize) -> usize {
    let mut taken = 0;
    for number in 0..guesses {
        let answer = sign_in_from(app, &format!("198.51.100.{number}"), &with(login, &format!("guess number {number}"))).await;
        if answer.status == 401 {
            taken += 1;
        } else {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            answer.expect_problem(429, "request.rate_limited");
        }
    }
    taken
}

async fn ann_from(app: &TestApp, address: &str) -> (Person, Value) {
    let ann = app.sign_up("ann").await;
    app.app().credentials.of(ann.id.into()).await.expect("Postgres").expect("a password");
    let started = sign_in_from(app, address, &with(&ann.email, PASSWORD)).await.expect(201);
    (ann, started)
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_many_addresses_are_refused_and_the_owner_signs_in_from_a_known_one() {
    let app = limited().await;
    let (ann, _) = ann_from(&app, "203.0.113.5").await;
    assert_eq!(guess(&app, &ann.email, 12).await, TAKEN);
    // The right password gets the same answer, so it reveals nothing.
    sign_in_from(&app, "198.51.100.77", &with(&ann.email, PASSWORD)).await.expect_problem(429, "request.rate_limited");
    for _ in 0..2 {
        sign_in_from(&app, "203.0.113.5", &with(&ann.email, PASSWORD)).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_sends_its_token_is_known_at_every_address() {
    let app = limited().await;
    let (ann, started) = ann_from(&app, "203.0.113.5").await;
    let ben = app.sign_up("ben").await;
    let of_ben = sign_in_from(&app, "203.0.113.6", &with(&ben.email, PASSWORD)).await.expect(201);
    guess(&app, &ann.email, 8).await;
    let showing = |token: &Value| json!({"login": ann.email, "password": PASSWORD, "device_token": token});
    let made_up = json!(format!("bsd_{}", "A".repeat(43)));
    for (number, token) in [&of_ben["device_token"], &made_up].into_iter().enumerate() {
        let address = format!("192.0.2.{number}");
        sign_in_from(&app, &address, &showing(token)).await.expect_problem(429, "request.rate_limited");
    }
    let again = sign_in_from(&app, "192.0.2.9", &showing(&started["device_token"])).await.expect(201);
    assert_eq!(again["device_token"], started["device_token"], "the token of the device stays the same");
    let wrong = sign_in_from(&app, "192.0.2.9", &showing(&json!("bsd_"))).await.expect_problem(422, "input.invalid");
    assert_eq!(wrong["field"], "device_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_address_has_a_limit_too_and_an_ipv6_network_is_one_address() {
    let app = limited().await;
    let (ann, _) = ann_from(&app, "2001:db8:1:2::1").await;
    guess(&app, &ann.email, 8).await;
    sign_in_from(&app, "2001:db8:1:3::1", &with(&ann.email, PASSWORD)).await.expect_problem(429, "request.rate_limited");
    sign_in_from(&app, "2001:db8:1:2:ffff::9", &with(&ann.email, PASSWORD)).await.expect(201);
    for number in 0..TAKEN {
        sign_in_from(&app, &format!("2001:db8:1:2::{number}"), &with(&ann.email, "a wrong one")).await.expect(401);
    }
    sign_in_from(&app, "2001:db8:1:2::1", &with(&ann.email, PASSWORD)).await.expect_problem(429, "request.rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_login_is_refused_alike_and_an_account_has_one_limit_for_username_and_email() {
    let app = limited().await;
    let ann = app.sign_up("ann").await;
    assert_eq!(guess(&app, "nobody@example.org", 8).await, TAKEN);
    assert_eq!(guess(&app, &ann.email.to_uppercase(), 3).await, 3);
    assert_eq!(guess(&app, &ann.username, 8).await, TAKEN - 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_that_succeed_do_not_count() {
    let app = limited().await;
    let ann = app.sign_up("ann").await;
    for number in 0..3 * TAKEN {
        sign_in_from(&app, &format!("203.0.113.{number}"), &with(&ann.email, PASSWORD)).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_guesses_are_refused_too() {
    let app = limited_with(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")]).await;
    let (ann, _) = ann_from(&app, "203.0.113.5").await;
    for number in 0..2 * TAKEN {
        sign_in_from(&app, &format!("203.0.113.{}", 20 + number), &with(&ann.email, PASSWORD)).await.expect(201);
    }
    assert_eq!(guess(&app, &ann.email, 12).await, TAKEN);
    sign_in_from(&app, "203.0.113.5", &with(&ann.email, PASSWORD)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_of_a_session_cannot_guess_the_password_or_lock_the_owner_out() {
    let app = limited().await;
    let ann = app.sign_up("ann").await;
    let stolen = another_session(&app, &ann).await;
    let change = |guess: &str| json!({"current_password": guess, "new_password": NEW_PASSWORD});
    for number in 0..TAKEN {
        stolen.put("/v1/users/me/password", change(&format!("guess {number}"))).await.expect_problem(422, "password.wrong");
    }
    stolen.put("/v1/users/me/password", change(PASSWORD)).await.expect_problem(429, "request.rate_limited");
    // Other requests that need the password count in the same window.
    let confirmed = json!({"current_password": PASSWORD});
    stolen.post("/v1/users/me/export", confirmed).await.expect_problem(429, "request.rate_limited");
    app.sign_in(&ann.email).await;
    change_password(&ann, NEW_PASSWORD).await.expect(204);
    stolen.get(ME).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_makes_other_devices_unknown() {
    let app = limited().await;
    let (ann, thief) = ann_from(&app, "203.0.113.66").await;
    change_password(&ann, NEW_PASSWORD).await.expect(204);
    guess(&app, &ann.email, 8).await;
    let showing = json!({"login": ann.email, "password": "a guess", "device_token": thief["device_token"]});
    sign_in_from(&app, "203.0.113.66", &showing).await.expect_problem(429, "request.rate_limited");
    app.sign_in_with(&ann.email, NEW_PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_counts_the_refused_sign_ins_that_are_not_recorded_one_by_one() {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let ann = app.sign_up("ann").await;
    guess(&app, &ann.email, 30).await;
    for number in 0..25 {
        sign_in_from(&app, "198.51.100.200", &with(&format!("nobody-{number}"), "guess")).await.expect(401);
    }
    let of_ann = format!("SELECT count(*) FROM events WHERE payload->'session.refused'->>'user_id' = '{}'", ann.id);
    let all = "SELECT count(*) FROM events WHERE event_type = 'session.refused'";
    assert_eq!((count(&app, &of_ann).await, count(&app, all).await), (20, 40));
    app.app().sign_ins.summarise_refused().await;
    let untold = "SELECT coalesce(sum((payload->'session.refused'->>'not_recorded')::int), 0)::int8 FROM events WHERE event_type = 'session.refused'";
    assert_eq!((count(&app, &of_ann).await, count(&app, all).await, count(&app, untold).await), (21, 42, 9 + 4));
    app.app().sign_ins.summarise_refused().await;
    assert_eq!(count(&app, all).await, 42, "the summary is recorded once");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_the_limit_refuses_are_in_the_summary_too() {
    let app = limited().await;
    let ann = app.sign_up("ann").await;
    guess(&app, &ann.email, 12).await;
    app.app().sign_ins.summarise_refused().await;
    let told = "SELECT sum(1 + coalesce((payload->'session.refused'->>'not_recorded')::int, 0))::int8 FROM events WHERE event_type = 'session.refused'";
    assert_eq!(count(&app, told).await, 12);
}
