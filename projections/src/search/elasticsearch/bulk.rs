//! Writes many documents. Requests are limited in bytes and in number of documents, and two run at a time. Only
//! documents that failed for the moment are sent again. A document with an older version than the stored one is
//! ignored. Documents that are rejected for their content are returned.

use backon::BackoffBuilder;
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use stores::elasticsearch::{Client, ElasticError, is_temporary};
use stores::retry;
use tokio::time::sleep;

use super::documents::{Document, Family};

/// How many requests run at a time.
const UNDER_WAY: usize = 2;

/// The limits of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) documents: usize,
}

/// A document, and an index to which it is written.
#[derive(Clone, Debug)]
pub(crate) struct Write<'a> {
    /// The alias for writing to the index.
    pub(crate) index: String,
    pub(crate) document: &'a Document,
}

/// A document whose content Elasticsearch rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) family: Family,
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) reason: String,
}

/// The result of writing one document.
enum Outcome {
    /// This document or a newer one is stored.
    Done,
    /// A later try may succeed.
    Again,
    /// Its content was rejected.
    Rejected(String),
    /// Its index does not exist.
    Lost,
}

/// Writes documents, and returns those whose content is rejected.
///
/// # Errors
/// Elasticsearch does not answer or is overloaded for longer than the retries take, or an index was lost.
pub(crate) async fn write(client: &Client, limits: Limits, writes: Vec<Write<'_>>) -> Result<Vec<Rejection>, ElasticError> {
    let mut rejections = Vec::new();
    let mut under_way = FuturesUnordered::new();
    for request in split(limits, writes) {
        if under_way.len() == UNDER_WAY
            && let Some(ended) = under_way.next().await
        {
            rejections.extend(ended?);
        }
        under_way.push(send(client, request));
    }
    while let Some(ended) = under_way.next().await {
        rejections.extend(ended?);
    }
    Ok(rejections)
}

/// Splits the writes into requests. A single document may exceed the limit.
fn split(limits: Limits, writes: Vec<Write<'_>>) -> Vec<Vec<Write<'_>>> {
    let mut requests = Vec::new();
    let (mut request, mut bytes) = (Vec::new(), 0);
    for write in writes {
        let size = write.size();
        if !request.is_empty() && (bytes + size > limits.bytes || request.len() >= limits.documents) {
            requests.push(std::mem::take(&mut request));
            bytes = 0;
        }
        bytes += size;
        request.push(write);
    }
    if !request.is_empty() {
        requests.push(request);
    }
    requests
}

/// Sends one request, and repeats it until every document is stored or rejected.
async fn send(client: &Client, mut writes: Vec<Write<'_>>) -> Result<Vec<Rejection>, ElasticError> {
    let mut rejections = Vec::new();
    let mut pauses = retry::DOCUMENTS.build();
    loop {
        let failure = match client.bulk(lines(&writes)).await {
            Ok(answer) => {
                writes = documents_to_retry(&answer, writes, &mut rejections)?;
                None
            }
            Err(error) if error.is_too_large() => return send_in_halves(client, writes, &error, rejections).await,
            Err(error) if !error.is_temporary() => return Err(error),
            Err(error) => Some(error),
        };
        if writes.is_empty() {
            return Ok(rejections);
        }
        let Some(pause) = pauses.next() else { return Err(failure.unwrap_or_else(|| still_refused(&writes))) };
        sleep(pause).await;
    }
}

fn still_refused(writes: &[Write<'_>]) -> ElasticError {
    let reason = format!("{} documents are still refused after {} tries", writes.len(), retry::DOCUMENTS_TRIES_MAX);
    ElasticError::Refused { status: 429, kind: "overloaded".into(), reason }
}

/// Elasticsearch's own limit is lower than ours: sends the request in halves.
async fn send_in_halves(
    client: &Client,
    mut writes: Vec<Write<'_>>,
    error: &ElasticError,
    mut rejections: Vec<Rejection>,
) -> Result<Vec<Rejection>, ElasticError> {
    if let [write] = writes.as_slice() {
        rejections.push(write.rejected(error.to_string()));
        return Ok(rejections);
    }
    let second = writes.split_off(writes.len() / 2);
    for half in [writes, second] {
        rejections.extend(Box::pin(send(client, half)).await?);
    }
    Ok(rejections)
}

/// Returns the documents that must be sent again.
fn documents_to_retry<'a>(answer: &Value, writes: Vec<Write<'a>>, rejections: &mut Vec<Rejection>) -> Result<Vec<Write<'a>>, ElasticError> {
    if answer["errors"] == false {
        return Ok(Vec::new());
    }
    let items = answer["items"].as_array().filter(|items| items.len() == writes.len());
    let items = items.ok_or_else(|| ElasticError::Unreadable("the answer to a bulk request has fewer items than the request"))?;
    let mut again = Vec::new();
    for (item, write) in items.iter().zip(writes) {
        match outcome(item) {
            Outcome::Done => {}
            Outcome::Again => again.push(write),
            Outcome::Rejected(reason) => rejections.push(write.rejected(reason)),
            Outcome::Lost => return Err(ElasticError::Lost(format!("the index {}", write.index))),
        }
    }
    Ok(again)
}

/// A stored newer version means done. A missing right or a full disk may be repaired, so the write is tried again.
fn outcome(item: &Value) -> Outcome {
    let item = item.as_object().and_then(|item| item.values().next()).unwrap_or(&Value::Null);
    let error = &item["error"];
    let status = item["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    match (status, error["type"].as_str().unwrap_or_default()) {
        (200..300 | 409, _) => Outcome::Done,
        (404, "") => Outcome::Done,
        (404, _) => Outcome::Lost,
        (401 | 403, _) => Outcome::Again,
        (status, _) if is_temporary(status) => Outcome::Again,
        (_, kind) => Outcome::Rejected(format!("{kind}: {}", error["reason"].as_str().unwrap_or_default())),
    }
}

fn lines(writes: &[Write<'_>]) -> Bytes {
    let mut lines = BytesMut::with_capacity(writes.iter().map(Write::size).sum());
    for write in writes {
        lines.put_slice(write.action().as_bytes());
        lines.put_slice(&write.document.source);
        lines.put_u8(b'\n');
    }
    lines.freeze()
}

impl Write<'_> {
    /// Our names and identifiers need no escaping.
    fn action(&self) -> String {
        let (index, Document { id, version, .. }) = (&self.index, self.document);
        format!("{{\"index\":{{\"_index\":\"{index}\",\"_id\":\"{id}\",\"version\":{version},\"version_type\":\"external_gte\"}}}}\n")
    }

    fn size(&self) -> usize {
        const ACTION_BYTES: usize = 90;
        self.document.source.len() + self.index.len() + self.document.id.len() + ACTION_BYTES
    }

    fn rejected(&self, reason: String) -> Rejection {
        Rejection { family: self.document.family, id: self.document.id.clone(), version: self.document.version, reason }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn document(id: &str, bytes: usize) -> Document {
        let (family, workspace_id, moment) = (Family::Messages, Uuid::nil(), DateTime::UNIX_EPOCH);
        Document { family, id: id.into(), workspace_id, moment, version: 7, checksum: 0, source: vec![b'x'; bytes] }
    }

    fn write_of(document: &Document) -> Write<'_> {
        Write { index: "i".into(), document }
    }

    #[test]
    fn requests_are_bounded_in_bytes_and_in_number() {
        let documents =
            [document("a", 500), document("b", 500), document("c", 5_000), document("d", 1), document("e", 1), document("f", 1)];
        let requests = split(Limits { bytes: 1_500, documents: 2 }, documents.iter().map(write_of).collect());
        let ids = requests.iter().map(|request| request.iter().map(|w| w.document.id.as_str()).collect::<String>()).collect::<Vec<_>>();
        assert_eq!(ids, ["ab", "c", "de", "f"]);
    }

    #[test]
    fn only_temporary_refusals_are_sent_again() {
        let documents = ["done", "older", "busy", "wrong"].map(|id| document(id, 1));
        let answer = json!({"errors": true, "items": [
            {"index": {"status": 201}},
            {"index": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}},
            {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception"}}},
            {"index": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no"}}},
        ]});
        let mut rejections = Vec::new();
        let again = documents_to_retry(&answer, documents.iter().map(write_of).collect(), &mut rejections).expect("nothing is lost");
        assert_eq!(again.iter().map(|w| w.document.id.as_str()).collect::<Vec<_>>(), ["busy"]);
        assert_eq!(
            rejections.iter().map(|r| (r.id.as_str(), r.reason.as_str())).collect::<Vec<_>>(),
            [("wrong", "document_parsing_exception: no")]
        );
    }

    #[test]
    fn a_write_to_a_lost_index_is_an_error_and_not_a_rejection() {
        let documents = [document("a", 1)];
        let answer = json!({"errors": true, "items": [{"index": {"status": 404, "error": {"type": "index_not_found_exception"}}}]});
        let judged = documents_to_retry(&answer, documents.iter().map(write_of).collect(), &mut Vec::new());
        assert!(matches!(judged, Err(ElasticError::Lost(_))));
    }
}
