//! The months of `messages`, parted by age: a search looks through the newest two, then through six more, then through the rest, and stops where
//! enough was found.
//!
//! The moments at which they are parted stand in the statement itself, and not as its parameters: Postgres then leaves months out when it plans,
//! and knows that a condition which all of a month fulfils is no reason to read an index for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{PgPool, query_scalar};

/// For how long they are remembered. What is out of date parts the months elsewhere, and finds the same.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Where the months are parted, as far as this process knows. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ages(Arc<Mutex<Option<(Instant, Cuts)>>>);

/// The moments at which the months are parted, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cuts(Vec<DateTime<Utc>>);

impl Ages {
    /// Where they are parted now, or were a moment ago.
    pub(super) async fn cuts(&self, pool: &PgPool) -> sqlx::Result<Cuts> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, cuts)) = known.filter(|(since, _)| since.elapsed() < REMEMBERED_FOR) {
            return Ok(cuts);
        }
        let cuts = Cuts::read(pool).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), cuts.clone()));
        Ok(cuts)
    }
}

impl Cuts {
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

    /// What is true of the messages of each part, the newest first: each message is in one.
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
        assert_eq!(Cuts::default().conditions(), ["TRUE"]);
        assert_eq!(
            Cuts(vec![at(31)]).conditions(),
            ["created_at >= '1970-02-01T00:00:00Z'::timestamptz", "created_at < '1970-02-01T00:00:00Z'::timestamptz"]
        );
        let three = Cuts(vec![at(31), at(0)]).conditions();
        assert_eq!(three.len(), 3);
        assert_eq!(three[1], "created_at >= '1970-01-01T00:00:00Z'::timestamptz AND created_at < '1970-02-01T00:00:00Z'::timestamptz");
    }
}
