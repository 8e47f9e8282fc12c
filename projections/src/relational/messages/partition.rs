//! The monthly partitions of messages. They are created when they are needed.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Utc};
use sqlx::{Executor, PgConnection, query_scalar};

use super::record::MessageTable;

/// A month, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month of a time.
    pub(crate) fn of(at: DateTime<Utc>) -> Self {
        Self { year: at.year(), month: at.month() }
    }

    fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }

    /// The partition's name, as in the seed: `messages_2024_01`.
    fn table(self, message_table: MessageTable) -> String {
        format!("{}_{:04}_{:02}", message_table.name(), self.year, self.month)
    }

    fn first_moment(self) -> String {
        format!("{:04}-{:02}-01 00:00:00+00", self.year, self.month)
    }
}

/// Creates the partitions of these months in the current schema, if they do not exist.
pub(crate) async fn ensure(connection: &mut PgConnection, months: &BTreeSet<(MessageTable, Month)>) -> sqlx::Result<()> {
    for (message_table, month) in months {
        let table = month.table(*message_table);
        let known = query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "known!""#, table).fetch_one(&mut *connection).await?;
        if !known {
            create(connection, *message_table, *month).await?;
        }
    }
    Ok(())
}

/// Creates the table first and then attaches it, so that other partitions can be read meanwhile. Attaching blocks only
/// other attaching.
async fn create(connection: &mut PgConnection, message_table: MessageTable, month: Month) -> sqlx::Result<()> {
    let (parent, table) = (message_table.name(), month.table(message_table));
    let (from, to) = (month.first_moment(), month.next().first_moment());
    let create = format!("CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)");
    let attach = format!("ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES FROM ('{from}') TO ('{to}')");
    connection.execute(create.as_str()).await?;
    connection.execute(attach.as_str()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn december_ends_where_january_begins() {
        let month = Month::of("2023-12-31T23:59:59.999999Z".parse().expect("a time"));
        assert_eq!(MessageTable::ALL.map(|message_table| month.table(message_table)), ["messages_2023_12", "messages_archive_2023_12"]);
        assert_eq!(month.first_moment(), "2023-12-01 00:00:00+00");
        assert_eq!(month.next().first_moment(), "2024-01-01 00:00:00+00");
    }
}
