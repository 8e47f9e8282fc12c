//! Elasticsearch of the campaign, read without the product: do its documents equal the rows of the read tables?

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{PgPool, Row};

use crate::servers::Servers;

/// The longest time until the documents equal the rows, after the last write. An Elasticsearch that lost its data is
/// filled again.
pub const CONVERGED_MAX: Duration = Duration::from_secs(90);
/// The setting with the address of Elasticsearch.
pub const ELASTICSEARCH: &str = "BACKSCROLL_ELASTICSEARCH_URL";
/// The number of indices that the workspaces are spread over.
pub const POOLS: usize = 2;
/// The number of documents that are read at a time.
const PAGE: usize = 5_000;
/// The largest number of reported differences.
const TOLD_MAX: usize = 5;

/// The content of each message, or of each member, by identifier.
type Documents = HashMap<String, Value>;

/// Elasticsearch, if the campaign uses it.
#[derive(Clone, Debug)]
pub struct Index {
    url: String,
    http: reqwest::Client,
}

impl Index {
    /// The Elasticsearch of these servers.
    ///
    /// # Errors
    /// Fails if TLS cannot be set up, which does not happen.
    pub fn of(servers: &Servers) -> Result<Option<Self>> {
        let Ok(url) = servers.address(ELASTICSEARCH) else { return Ok(None) };
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Some(Self { url: url.to_owned(), http }))
    }

    /// The differences between the documents and the rows.
    ///
    /// # Errors
    /// Fails if Elasticsearch or Postgres does not answer.
    pub async fn differences(&self, pool: &PgPool) -> Result<Vec<String>> {
        let mut found = compare(&stored_messages(pool).await?, &self.messages().await?, "message");
        found.extend(compare(&stored_members(pool).await?, &self.members().await?, "member"));
        found.truncate(TOLD_MAX);
        Ok(found)
    }

    /// Whether there are no differences.
    ///
    /// # Errors
    /// Fails if Elasticsearch or Postgres does not answer.
    pub async fn is_level(&self, pool: &PgPool) -> Result<bool> {
        Ok(self.differences(pool).await?.is_empty())
    }

    async fn messages(&self) -> Result<Documents> {
        let of = |source: &Value| {
            let content = Some(&source["content"]).filter(|_| source["is_deleted"] != json!(true));
            json!([content, source["is_deleted"], source["is_pinned"], source["reply_count"]])
        };
        self.documents("messages", "message_id", of).await
    }

    async fn members(&self) -> Result<Documents> {
        let of = |source: &Value| json!([source["username"], source["display_name"], source["status"], source["role"]]);
        self.documents("users", "member_id", of).await
    }

    /// Every document of a family, read through the aliases as searches read it.
    async fn documents(&self, family: &str, key: &str, of: impl Fn(&Value) -> Value) -> Result<Documents> {
        let aliases = (0..POOLS).map(|pool| format!("backscroll_{family}_shared_{pool}")).collect::<Vec<_>>().join(",");
        self.ask(&format!("/{aliases}/_refresh"), None).await?;
        let (mut all, mut after) = (Documents::new(), json!(""));
        loop {
            let query = json!({"size": PAGE, "sort": [{key: "asc"}], "search_after": [after]});
            let found = self.ask(&format!("/{aliases}/_search"), Some(&query)).await?;
            let hits = found["hits"]["hits"].as_array().cloned().unwrap_or_default();
            let Some(last) = hits.last() else { return Ok(all) };
            after = last["sort"][0].clone();
            for hit in &hits {
                let id = hit["_source"][key].as_str().context("a document without an identifier")?;
                let twice = all.insert(id.to_owned(), of(&hit["_source"])).is_some();
                ensure!(!twice, "{id} has two documents");
            }
        }
    }

    async fn ask(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        let request = self.http.request(Method::POST, format!("{}{path}", self.url));
        let answer = body.into_iter().fold(request, |request, body| request.json(body)).send().await?;
        let (status, said) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "Elasticsearch: {status}: {}", said["error"]["reason"]);
        Ok(said)
    }
}

async fn stored_messages(pool: &PgPool) -> Result<Documents> {
    let sql = "SELECT message_id::text, jsonb_build_array(CASE WHEN NOT is_deleted THEN content END, is_deleted, is_pinned, reply_count)
               FROM read.messages";
    rows(pool, sql).await
}

async fn stored_members(pool: &PgPool) -> Result<Documents> {
    let sql = "SELECT m.member_id::text, jsonb_build_array(u.username, u.display_name, m.status, m.role)
               FROM read.workspace_members m JOIN read.users u ON u.user_id = m.user_id";
    rows(pool, sql).await
}

async fn rows(pool: &PgPool, sql: &'static str) -> Result<Documents> {
    let rows = sqlx::query(sql).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn compare(rows: &Documents, documents: &Documents, what: &str) -> Vec<String> {
    let missing = rows.iter().filter(|(id, row)| documents.get(*id) != Some(row));
    let missing = missing.map(|(id, row)| format!("{what} {id}: the row says {row}, the document {:?}", documents.get(id)));
    let surplus = documents.keys().filter(|id| !rows.contains_key(*id)).map(|id| format!("{what} {id} has a document and no row"));
    missing.chain(surplus).take(TOLD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_different_and_extra_documents_are_reported() {
        let of = |entries: &[(&str, &str)]| entries.iter().map(|(id, text)| ((*id).to_owned(), json!([text]))).collect::<Documents>();
        let rows = of(&[("1", "one"), ("2", "two")]);
        assert!(compare(&rows, &rows, "message").is_empty());
        for documents in [of(&[("1", "one")]), of(&[("1", "one"), ("2", "other")]), of(&[("1", "one"), ("2", "two"), ("3", "three")])] {
            assert_eq!(compare(&rows, &documents, "message").len(), 1, "{documents:?}");
        }
    }
}
