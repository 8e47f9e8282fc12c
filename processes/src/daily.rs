//! The daily retention run. A run that broke off, or whose time came while no server ran, is done as soon as a server
//! runs.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cursor;
use super::retention::{PROCESS, Retention, RunError};

/// How often to check whether a run is due: another node's run may have broken off.
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// Runs retention at this time of every day (UTC), until `shutdown`.
pub async fn run(retention: Retention, at: NaiveTime, shutdown: CancellationToken) {
    loop {
        let looked = shutdown.run_until_cancelled(run_if_due(&retention, at)).await;
        match looked {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(%error, "retention could not run; it will be tried again"),
        }
        if shutdown.run_until_cancelled(sleep(CHECK_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Runs retention if it is due and no other node runs it.
async fn run_if_due(retention: &Retention, at: NaiveTime) -> Result<(), RunError> {
    let now = Utc::now();
    if cursor::finished_at(&retention.pool, PROCESS, now).await? >= due(now, at) {
        return Ok(());
    }
    match retention.run(None).await {
        Err(RunError::UnderWay) => Ok(()),
        Err(error) => Err(error),
        Ok(report) => {
            info!(messages = report.messages(), channels = report.channels.len(), "the daily retention run is done");
            Ok(())
        }
    }
}

/// When the last run was due.
#[must_use]
pub fn due(now: DateTime<Utc>, at: NaiveTime) -> DateTime<Utc> {
    let today = now.date_naive().and_time(at).and_utc();
    if today <= now { today } else { today - TimeDelta::days(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_due_since_the_last_set_time() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let two = NaiveTime::from_hms_opt(2, 0, 0).expect("a time");
        assert_eq!(due(at("2026-11-25T02:00:00Z"), two), at("2026-11-25T02:00:00Z"));
        assert_eq!(due(at("2026-11-25T01:59:59Z"), two), at("2026-11-24T02:00:00Z"));
    }
}
