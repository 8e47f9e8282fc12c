//! The thread in the row of a message: the latest answer, and the people who answered. It is read when the row is read,
//! not kept in the row (docs/decisions/0049-a-clients-start-is-read-in-one-snapshot.md).

use std::collections::HashMap;

use shapes::Person;
use sqlx::types::Json;
use sqlx::{PgConnection, query_file};

use super::rows::{MessageRow, ThreadSummary};
use crate::read_models::{QueryError, ReadModels};

/// How many answers of a thread are looked at for the people who take part.
const ANSWERS_MAX: i64 = 500;
/// How many people of a thread are shown.
const PARTICIPANTS_SHOWN: i64 = 5;

/// Adds to the messages that began a thread what their rows say about it. Costs nothing if none of them did.
pub(crate) async fn add_threads(connection: &mut PgConnection, rows: &mut [MessageRow]) -> sqlx::Result<()> {
    let roots = rows.iter().filter(|row| has_thread(row));
    let (mut ids, mut channels, mut moments) = (Vec::new(), Vec::new(), Vec::new());
    for root in roots {
        ids.push(root.message_id);
        channels.push(root.channel_id);
        moments.push(root.created_at);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let file = query_file!("src/relational/sql/thread_summaries.sql", &ids, &channels, &moments, ANSWERS_MAX, PARTICIPANTS_SHOWN);
    let mut threads = HashMap::new();
    for thread in file.fetch_all(connection).await? {
        let summary = ThreadSummary {
            last_reply_at: thread.last_reply_at,
            participants: thread.participants.0,
            participant_count: thread.participant_count,
        };
        threads.insert(thread.message_id, summary);
    }
    for row in rows.iter_mut().filter(|row| has_thread(row)) {
        row.thread = threads.remove(&row.message_id).map(Json);
    }
    Ok(())
}

fn has_thread(row: &MessageRow) -> bool {
    row.reply_count > 0
}

impl ReadModels {
    /// The same, for rows that are answered.
    pub(crate) async fn with_threads(&self, mut rows: Vec<MessageRow>) -> Result<Vec<MessageRow>, QueryError> {
        if rows.iter().any(has_thread) {
            add_threads(&mut *self.pool.acquire().await?, &mut rows).await?;
        }
        Ok(rows)
    }
}
