//! Recovery, when a batch is not written. If the database refuses a batch, its requests are written one by one, so that
//! only the wrong request fails. If the outcome of a call is unknown because the connection failed, the writer first
//! looks it up in the log.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::Retryable;
use chrono::{DateTime, Utc};
use sqlx::query_scalar;
use stores::error::chain;
use stores::retry;
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use super::append::{Job, MOVED_MAX, Writer, Written};
use super::claim::ClaimChange;
use super::prepared::Prepared;
use super::request::Outcome;
use super::{StoreError, claim, idempotency, versions};

/// How long the writer tries to look up the outcome of a call that was cut off.
const LOOK_UP_MAX: Duration = Duration::from_secs(8);

impl Writer {
    /// Finds out whether a call that was cut off took effect. The log shows it once no append is running.
    pub(super) async fn look_up(&self, batch: &[Job], recorded_ats: Vec<DateTime<Utc>>, error: sqlx::Error) -> Result<Written, StoreError> {
        warn!(error = %chain(&error), "an append was cut off; its outcome is looked up in the log");
        let first = batch.first().and_then(|job| job.prepared.rows.first()).map(|row| row.event_id);
        let gives_up_at = Instant::now() + LOOK_UP_MAX;
        let in_time = |_: &sqlx::Error, pause: Option<Duration>| pause.filter(|pause| Instant::now() + *pause <= gives_up_at);
        let found = (|| self.event_after_the_head()).retry(retry::LOOK_UP).adjust(in_time).await?;
        let is_there = found.is_some() && found == first;
        Ok(if is_there { Written::Yes(recorded_ats) } else { Written::Moved })
    }

    async fn event_after_the_head(&self) -> Result<Option<Uuid>, sqlx::Error> {
        query_scalar!(r#"SELECT settled_head() AS "head!""#).fetch_one(&self.pool).await?;
        query_scalar!("SELECT event_id FROM events WHERE position = $1", self.memory.head + 1).fetch_optional(&self.pool).await
    }

    /// Writes the requests one by one, so that only the wrong request fails.
    pub(super) async fn write_one_by_one(&mut self, batch: Vec<Job>) {
        self.stats.one_by_one.fetch_add(1, Ordering::Relaxed);
        for job in batch {
            self.write_alone(job).await;
        }
    }

    async fn write_alone(&mut self, job: Job) {
        for _ in 0..MOVED_MAX {
            if let Some(outcome) = self.check(&job.prepared) {
                return job.answer(Ok(outcome));
            }
            match self.write(std::slice::from_ref(&job)).await {
                Ok(Written::Yes(recorded_ats)) => {
                    self.remember(vec![job], &recorded_ats);
                    return self.send_answers();
                }
                Ok(Written::Refused(refusal)) => {
                    let outcome = self.explain(&job.prepared, refusal).await;
                    return job.answer(outcome);
                }
                Ok(Written::Moved) => {}
                Err(error) => return job.answer(Err(error)),
            }
            if let Err(error) = self.catch_up(i64::MAX).await {
                return job.answer(Err(error));
            }
        }
        job.answer(Err(StoreError::Busy));
    }

    /// Finds out which unique value was used already.
    async fn explain(&mut self, prepared: &Prepared, refusal: Box<dyn sqlx::error::DatabaseError>) -> Result<Outcome, StoreError> {
        if let Some(key) = &prepared.idempotency_key
            && let Some(remembered) = idempotency::remembered(&self.pool, prepared.request.metadata.actor, key).await?
        {
            return Ok(prepared.replay(&remembered));
        }
        let released = |claim: &claim::Claim| prepared.request.claims.contains(&ClaimChange::Release(claim.clone()));
        let taken = prepared.request.claims.iter().filter_map(|change| match change {
            ClaimChange::Take(claim, _) => Some(claim.clone()),
            ClaimChange::Release(_) => None,
        });
        let held = claim::holders(&self.pool, &self.keys, &taken.collect::<Vec<_>>()).await?;
        if let Some((claim, holder)) = held.into_iter().find(|(claim, _)| !released(claim)) {
            return Ok(Outcome::ClaimTaken { claim, holder });
        }
        let streams = prepared.request.writes.iter().map(|w| w.stream).collect::<Vec<_>>();
        for (stream, version) in versions::versions(&self.pool, &streams).await? {
            self.memory.record_version(stream, version);
            self.caches.record_other_event(stream, version);
        }
        self.check(prepared).ok_or_else(|| StoreError::from(sqlx::Error::Database(refusal)))
    }
}
