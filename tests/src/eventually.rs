//! Waiting for a condition, with a limit. Tests do not sleep for a guessed time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The longest time that a condition may take. On a machine that others load too, half a minute was too short.
const LIMIT: Duration = Duration::from_secs(120);
/// The time between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns as soon as `condition` holds.
///
/// # Panics
/// Panics if the condition does not hold within two minutes.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let gives_up_at = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < gives_up_at, "this was still not so after {LIMIT:?}: {what}");
        sleep(LOOK_EVERY).await;
    }
}
