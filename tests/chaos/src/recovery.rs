//! Waits until everything works again, and until the relay and the projector have reached the end of the log.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// The longest time for recovery without help, counted from the removal of the fault.
pub const RECOVERY_MAX: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Repeats a check until it succeeds. Returns the time that it took, or `None` if it took longer than `limit`.
pub async fn wait_until<F: Future<Output = Result<bool>>>(limit: Duration, is_so: impl Fn() -> F) -> Option<Duration> {
    let began = Instant::now();
    loop {
        // A failed check counts as "not yet".
        if matches!(tokio::time::timeout(limit, is_so()).await, Ok(Ok(true))) {
            return Some(began.elapsed());
        }
        if began.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Posts through this server, and reads the message there.
///
/// # Errors
/// Fails if the server does not answer.
pub async fn works(http: &reqwest::Client, door: &str, token: &str, channel: Uuid) -> Result<bool> {
    let text = format!("recovered {}", Uuid::now_v7());
    let post = http.request(Method::POST, format!("{door}/v1/channels/{channel}/messages")).bearer_auth(token);
    let answer = post.header("Idempotency-Key", &text.replace(' ', "-")).json(&json!({"content": text})).send().await?;
    let position = answer.headers().get("Backscroll-Position").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if answer.status() != 201 {
        return Ok(false);
    }
    let posted = answer.json::<Value>().await?;
    let id = posted.get("message_id").and_then(Value::as_str).unwrap_or_default();
    let shown = http.get(format!("{door}/v1/messages/{id}")).bearer_auth(token);
    let shown = shown.header("Backscroll-Min-Position", position.unwrap_or_default()).send().await?;
    Ok(shown.status() == 200 && shown.text().await?.contains(&text))
}

/// Whether the relay and the projector have reached the end of the log.
///
/// # Errors
/// Fails if Postgres does not answer.
pub async fn is_level(pool: &PgPool) -> Result<bool> {
    let sql = "SELECT (SELECT max(position) FROM public.events) = ALL (ARRAY[
                   (SELECT position FROM public.relay_cursor),
                   (SELECT position FROM public.projection_checkpoints WHERE projection = 'relational')])";
    Ok(sqlx::query_scalar::<_, Option<bool>>(sql).fetch_one(pool).await?.unwrap_or(false))
}

/// The positions of the relay, the projector and the log, for the report.
pub async fn whereabouts(pool: &PgPool) -> String {
    let sql = "SELECT format('log %s, relay %s, projection %s', (SELECT max(position) FROM public.events),
                   (SELECT position FROM public.relay_cursor),
                   (SELECT position FROM public.projection_checkpoints WHERE projection = 'relational'))";
    sqlx::query_scalar::<_, String>(sql).fetch_one(pool).await.unwrap_or_else(|error| error.to_string())
}
