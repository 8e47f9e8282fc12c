//! Counts messages. System messages and deleted messages are not counted.

use sqlx::{PgPool, query_file};

use crate::search::{AnalyticsQuery, Bucket, BucketKey, CountedBy, SearchError};

pub(super) async fn count(pool: &PgPool, query: &AnalyticsQuery) -> Result<Vec<Bucket>, SearchError> {
    let (workspace_id, from, to, limit) = (query.workspace_id.0, query.during.from, query.during.to, i64::from(query.limit));
    Ok(match query.by {
        CountedBy::Channel => {
            let file = query_file!("src/search/sql/count_by_channel.sql", workspace_id, from, to, limit);
            let rows = file.fetch_all(pool).await?.into_iter();
            rows.map(|row| bucket(BucketKey::Channel(row.key.into()), row.messages, row.authors)).collect()
        }
        CountedBy::Person => {
            let file = query_file!("src/search/sql/count_by_person.sql", workspace_id, from, to, limit);
            let rows = file.fetch_all(pool).await?.into_iter();
            rows.map(|row| bucket(BucketKey::Person(row.key.into()), row.messages, row.authors)).collect()
        }
        CountedBy::Day => {
            let file = query_file!("src/search/sql/count_by_day.sql", workspace_id, from, to, limit);
            let rows = file.fetch_all(pool).await?.into_iter();
            rows.map(|row| bucket(BucketKey::Day(row.key), row.messages, row.authors)).collect()
        }
        CountedBy::Hour => {
            let file = query_file!("src/search/sql/count_by_hour.sql", workspace_id, from, to, limit);
            let rows = file.fetch_all(pool).await?.into_iter();
            rows.map(|row| bucket(BucketKey::Hour(u8::try_from(row.key).unwrap_or_default()), row.messages, row.authors)).collect()
        }
    })
}

fn bucket(key: BucketKey, messages: i64, authors: i64) -> Bucket {
    Bucket { key, messages: u64::try_from(messages).unwrap_or_default(), authors: u64::try_from(authors).unwrap_or_default() }
}
