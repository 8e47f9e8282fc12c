//! Waiting for a condition, with a limit: tests do not sleep for a time that somebody guessed.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns once `condition` holds.
///
/// # Panics
/// It does not hold within 30 seconds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let gives_up_at = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < gives_up_at, "it did not come about in {LIMIT:?} that {what}");
        sleep(LOOK_EVERY).await;
    }
}
