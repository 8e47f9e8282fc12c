//! Divides the months of `messages` by age: a search reads the newest two, then six more, then the rest, and stops when
//! it has enough.
//!
//! The dividing times are written into the statement, and not passed as parameters. So Postgres leaves months out when
//! it plans, and reads no index for a condition that all messages of a month fulfil.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{PgPool, query_scalar};

/// How long they are remembered. Outdated times only divide the months differently: the results are the same.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The dividing times, as far as this process knows them. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct AgeBoundsCache(Arc<Mutex<Option<(Instant, AgeBounds)>>>);

/// The dividing times, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AgeBounds(Vec<DateTime<Utc>>);

impl AgeBoundsCache {
    /// Returns the present dividing times, or those of a moment ago.
    pub(super) async fn bounds(&self, pool: &PgPool) -> sqlx::Result<AgeBounds> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, bounds)) = known.filter(|(since, _)| since.elapsed() < REMEMBERED_FOR) {
            return Ok(bounds);
        }
        let bounds = AgeBounds::read(pool).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), bounds.clone()));
        Ok(bounds)
    }
}

impl AgeBounds {
    async fn read(pool: &PgPool) -> sqlx::Result<Self> {
        let months = query_scalar!(
            r#"SELECT to_timestamp(right(c.relname, 7), 'YYYY_MM') AS "month!"
               FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = to_regclass('messages')
               ORDER BY 1 DESC
               LIMIT 8"#
        );
        let months = months.fetch_all(pool).await?;
        Ok(Self([1, 7].into_iter().filter_map(|nth| months.get(nth).copied()).collect()))
    }

    /// The condition of each part, the newest first. Each message is in exactly one part.
    pub(super) fn conditions(&self) -> Vec<String> {
        let since = self.0.iter().map(|cut| format!("created_at >= {}", literal(*cut))).chain([String::new()]);
        let until = std::iter::once(String::new()).chain(self.0.iter().map(|cut| format!("created_at < {}", literal(*cut))));
        let both = since.zip(until).map(|(since, until)| match (since.is_empty(), until.is_empty()) {
            (true, true) => "TRUE".to_owned(),
            (false, false) => format!("{since} AND {until}"),
            (true, false) | (false, true) => since + &until,
        });
        both.collect()
    }
}

fn literal(moment: DateTime<Utc>) -> String {
    format!("'{}'::timestamptz", moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_in_one_part_however_many_months_there_are() {
        let at = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap_or_default();
        assert_eq!(AgeBounds::default().conditions(), ["TRUE"]);
        assert_eq!(
            AgeBounds(vec![at(31)]).conditions(),
            ["created_at >= '1970-02-01T00:00:00Z'::timestamptz", "created_at < '1970-02-01T00:00:00Z'::timestamptz"]
        );
        let three = AgeBounds(vec![at(31), at(0)]).conditions();
        assert_eq!(three.len(), 3);
        assert_eq!(three[1], "created_at >= '1970-01-01T00:00:00Z'::timestamptz AND created_at < '1970-02-01T00:00:00Z'::timestamptz");
    }
}
