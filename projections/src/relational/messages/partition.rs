//! The months that `messages` is partitioned by, made as they are needed.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Utc};
use sqlx::{Executor, PgConnection, query_scalar};

/// A month, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month of a moment.
    pub(crate) fn of(at: DateTime<Utc>) -> Self {
        Self { year: at.year(), month: at.month() }
    }

    fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }

    /// The partition's name, as in the seed: `messages_2024_01`.
    fn table(self) -> String {
        format!("messages_{:04}_{:02}", self.year, self.month)
    }

    fn first_moment(self) -> String {
        format!("{:04}-{:02}-01 00:00:00+00", self.year, self.month)
    }
}

/// Makes the partitions of those months, where they are not there yet, in the current schema.
pub(crate) async fn ensure(connection: &mut PgConnection, months: &BTreeSet<Month>) -> sqlx::Result<()> {
    for month in months {
        let known = query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "known!""#, month.table()).fetch_one(&mut *connection).await?;
        if !known {
            create(connection, *month).await?;
        }
    }
    Ok(())
}

/// Made apart and attached, so that readers of the other months go on reading: attaching locks out other attachers alone.
async fn create(connection: &mut PgConnection, month: Month) -> sqlx::Result<()> {
    let (table, from, to) = (month.table(), month.first_moment(), month.next().first_moment());
    let create = format!("CREATE TABLE {table} (LIKE messages INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)");
    let attach = format!("ALTER TABLE messages ATTACH PARTITION {table} FOR VALUES FROM ('{from}') TO ('{to}')");
    connection.execute(create.as_str()).await?;
    connection.execute(attach.as_str()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn december_ends_where_january_begins() {
        let month = Month::of("2023-12-31T23:59:59.999999Z".parse().expect("a time"));
        assert_eq!(month.table(), "messages_2023_12");
        assert_eq!(month.first_moment(), "2023-12-01 00:00:00+00");
        assert_eq!(month.next().first_moment(), "2024-01-01 00:00:00+00");
    }
}
