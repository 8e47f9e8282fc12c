//! Counts messages by aggregation.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stores::elasticsearch::ElasticError;
use uuid::Uuid;

use super::backend::findable;
use super::messages::within;
use crate::search::{AnalyticsQuery, Bucket, BucketKey, CountedBy};

/// Authors are counted exactly up to this number, and approximately beyond it.
const AUTHORS_EXACT_MAX: u32 = 40_000;

/// The request to Elasticsearch.
pub(super) fn body(query: &AnalyticsQuery) -> Value {
    let mut filter = findable(query.workspace_id.0);
    filter.extend(within(&query.during));
    let most = |field: &str| json!({"terms": {"field": field, "size": query.limit, "order": [{"_count": "desc"}, {"_key": "asc"}]}});
    let mut buckets = match query.by {
        CountedBy::Channel => most("channel_id"),
        CountedBy::Person => most("user_id"),
        CountedBy::Day => json!({"date_histogram": {"field": "created_at", "calendar_interval": "day", "min_doc_count": 1}}),
        CountedBy::Hour => json!({"terms": {"field": "sent_hour", "size": 24, "order": {"_key": "asc"}}}),
    };
    buckets["aggs"] = json!({"authors": {"cardinality": {"field": "user_id", "precision_threshold": AUTHORS_EXACT_MAX}}});
    json!({"size": 0, "track_total_hits": false, "query": {"bool": {"filter": filter}}, "aggs": {"buckets": buckets}})
}

/// The buckets of the answer.
pub(super) fn buckets(query: &AnalyticsQuery, answer: &Value) -> Result<Vec<Bucket>, ElasticError> {
    let unreadable = || ElasticError::Unreadable("the answer to an aggregation has no buckets");
    let found = answer["aggregations"]["buckets"]["buckets"].as_array().ok_or_else(unreadable)?;
    let buckets = found.iter().take(usize::from(query.limit)).map(|found| {
        Some(Bucket {
            key: key(query.by, &found["key"])?,
            messages: found["doc_count"].as_u64()?,
            authors: found["authors"]["value"].as_u64()?,
        })
    });
    buckets.collect::<Option<_>>().ok_or_else(unreadable)
}

fn key(by: CountedBy, key: &Value) -> Option<BucketKey> {
    let id = || key.as_str()?.parse::<Uuid>().ok();
    match by {
        CountedBy::Channel => Some(BucketKey::Channel(id()?.into())),
        CountedBy::Person => Some(BucketKey::Person(id()?.into())),
        CountedBy::Day => Some(BucketKey::Day(DateTime::<Utc>::from_timestamp_millis(key.as_i64()?)?)),
        CountedBy::Hour => Some(BucketKey::Hour(u8::try_from(key.as_u64()?).ok()?)),
    }
}
