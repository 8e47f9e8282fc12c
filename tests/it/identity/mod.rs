//! Sign-in and sessions: sessions end when they must, and nobody signs in by guessing or forging.

mod forged;
mod generations;
mod guesses;
mod passwords;
mod wrong_tokens;

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::PASSWORD;
use tests::{Person, TestApp};

const ME: &str = "/v1/users/me";
const NEW_PASSWORD: &str = "violet anchor pancake";

/// Signs the same user in again.
async fn another_session(app: &TestApp, person: &Person) -> Person {
    person.with_token(app.sign_in(&person.email).await)
}

async fn change_password(person: &Person, to: &str) -> Answer {
    person.put("/v1/users/me/password", json!({"current_password": PASSWORD, "new_password": to})).await
}

/// Checks that the server refuses the token.
async fn is_refused(person: &Person) {
    person.get(ME).await.expect_problem(401, "auth.token_invalid");
}

/// A second server with the same stores.
async fn another_node(first: &TestApp, more: &[(&str, &str)]) -> TestApp {
    let shared = [
        ("BACKSCROLL_POSTGRES_URL", first.database.url.as_str()),
        ("BACKSCROLL_NATS_STREAM", &first.stream),
        ("BACKSCROLL_REDIS_KEY_PREFIX", &first.redis_prefix),
    ];
    TestApp::start_with(&[&shared, more].concat()).await
}

async fn run(app: &TestApp, statement: &str) {
    sqlx::query(statement).execute(&app.app().pool).await.expect("a statement");
}

async fn count(app: &TestApp, statement: &str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(&app.app().pool).await.expect("a count")
}

fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().map_or(&[], Vec::as_slice)
}
