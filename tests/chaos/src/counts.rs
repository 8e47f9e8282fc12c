//! Compares the unread counts of the API, which may come from Redis, with a count of the rows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::check::Violation;
use crate::load::{Person, World};
use crate::recovery::{RECOVERY_MAX, wait_until};
use crate::stack::HttpServer;

/// The count that stands for `more`: the server counts only this number of the newest messages, of all authors.
const MANY: i64 = 1_000;
/// The largest number of reported differences.
const TOLD_MAX: usize = 5;

/// The unread count of each channel.
type Counts = BTreeMap<String, i64>;

/// The unread counts that differ from the rows, at any server, once no client writes any more.
pub async fn judge(servers: &[HttpServer], world: &World, pool: &PgPool) -> Vec<Violation> {
    let (http, mut found) = (reqwest::Client::new(), Vec::new());
    // These two users have never moved a read marker.
    for person in [&world.owner].into_iter().chain(world.members.first()) {
        for door in servers {
            let differences = || differences(&http, &door.url, person, world.workspace, pool);
            // The read tables have reached the end of the log. The cache may still be a moment behind.
            if wait_until(RECOVERY_MAX, || async { Ok(differences().await?.is_empty()) }).await.is_none() {
                found.push(format!("unread counts by {} are wrong: {:?}", door.url, differences().await));
            }
        }
    }
    found
}

async fn differences(http: &reqwest::Client, door: &str, person: &Person, workspace: Uuid, pool: &PgPool) -> Result<Vec<String>> {
    let expected = counted(pool, person.id, workspace).await?;
    let answered = all_pages(http, &format!("{door}/v1/workspaces/{workspace}/unread?limit=100"), person).await?;
    let channels = expected.keys().chain(answered.keys()).collect::<BTreeSet<_>>();
    let differs = channels.into_iter().filter(|channel| expected.get(*channel) != answered.get(*channel));
    let told = differs.map(|id| format!("{id}: answered {:?}, counted {:?}", answered.get(id), expected.get(id)));
    Ok(told.take(TOLD_MAX).collect())
}

/// The unread counts of all pages at this address.
async fn all_pages(http: &reqwest::Client, address: &str, person: &Person) -> Result<Counts> {
    let (mut counts, mut page) = (Counts::new(), address.to_owned());
    loop {
        let answer = http.get(&page).bearer_auth(&person.token).send().await?;
        ensure!(answer.status().is_success(), "unread counts: {}", answer.status());
        let answer = answer.json().await?;
        counts.append(&mut told(&answer)?);
        match answer.get("next").and_then(Value::as_str) {
            Some(next) => page = format!("{address}&after={next}"),
            None => return Ok(counts),
        }
    }
}

/// Reads the unread count of each channel on a page. If the answer says `more`, the count is [`MANY`].
fn told(answer: &Value) -> Result<Counts> {
    let channels = answer.get("channels").and_then(Value::as_array).context("no channels")?;
    let count = |channel: &Value| {
        let id = channel.get("channel_id")?.as_str()?.to_owned();
        let more = channel.get("more")?.as_bool()?;
        Some((id, if more { MANY } else { channel.get("unread")?.as_i64()? }))
    };
    channels.iter().map(|channel| count(channel).context("a channel without counts")).collect()
}

async fn counted(pool: &PgPool, user: Uuid, workspace: Uuid) -> Result<Counts> {
    let sql = "SELECT cm.channel_id::text,
                      CASE WHEN count(m.message_id) > 1000 THEN 1000 ELSE count(m.message_id) FILTER (WHERE m.user_id <> cm.user_id) END
               FROM read.channel_members cm
               JOIN read.channels c ON c.channel_id = cm.channel_id AND NOT c.is_archived
               LEFT JOIN read.messages m ON m.channel_id = cm.channel_id AND m.thread_id IS NULL AND NOT m.is_deleted
                 AND m.message_type <> 'system' AND m.created_at > cm.joined_at
               WHERE cm.user_id = $1 AND cm.workspace_id = $2 AND cm.is_active
               GROUP BY cm.channel_id";
    let rows = sqlx::query_as::<_, (String, i64)>(sql).bind(user).bind(workspace).fetch_all(pool).await?;
    Ok(rows.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_parsed_and_one_without_counts_is_an_error() {
        let answer = serde_json::json!({"channels": [
            {"channel_id": "a", "unread": 3, "more": false}, {"channel_id": "b", "unread": 990, "more": true}]});
        assert_eq!(told(&answer).ok(), Some(Counts::from([("a".to_owned(), 3), ("b".to_owned(), MANY)])));
        assert!(told(&serde_json::json!({"channels": [{"channel_id": "a"}]})).is_err());
    }
}
