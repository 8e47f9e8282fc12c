//! The Elasticsearch backend. It answers only while its projection is close behind the rows. Otherwise, or if
//! Elasticsearch does not answer in time, it returns an error, and the next backend is asked.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use elasticsearch::http::Method;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use stores::breaker::Breaker;
use stores::elasticsearch::ElasticError;

use super::documents::Family;
use super::indices::Model;
use super::{Elastic, NAME, analytics, messages, models, people};
use crate::connections::Connections;
use crate::relational;
use crate::search::{AnalyticsQuery, BackendName, Bucket, Hits, MessageQuery, PeopleQuery, PersonHit, SearchBackend, SearchError};

/// How long Elasticsearch may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The most events that the documents may be behind the rows. If they are further behind, they are being filled or are
/// catching up after a failure.
const LAG_MAX: i64 = 1_000;

/// How long to wait until the documents contain what the caller has just changed.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The backend that searches Elasticsearch.
#[derive(Clone, Debug)]
pub struct ElasticSearch {
    stores: Connections,
    elastic: Elastic,
    breaker: Arc<Breaker>,
}

/// Why the backend does not answer although Elasticsearch may be reachable.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("elasticsearch did not answer a moment ago")]
    Resting,
    #[error("elasticsearch is being filled")]
    Filling,
    #[error("elasticsearch is {0} events behind the rows")]
    WaitError(i64),
}

impl ElasticSearch {
    /// The backend of these connections, if they have Elasticsearch.
    #[must_use]
    pub fn new(stores: &Connections) -> Option<Self> {
        let elastic = stores.elastic.clone()?;
        Some(Self { stores: stores.clone(), elastic, breaker: Arc::new(Breaker::of("elasticsearch")) })
    }

    /// Returns the model to search, if it may be searched.
    async fn ready(&self, min_position: Option<i64>, workspace: (Family, uuid::Uuid)) -> Result<Model, SearchError> {
        if self.breaker.is_open() {
            return Err(unavailable(NotReady::Resting));
        }
        let mut connection = self.stores.pool.acquire().await?;
        let model = models::live(&mut connection, &self.elastic.settings.prefix).await?;
        drop(connection);
        let model = model.ok_or_else(|| unavailable(NotReady::Filling))?;
        let progress = &self.stores.progress;
        if let Some(position) = min_position {
            progress.wait_for(NAME, position, WAIT_MAX).await.map_err(|behind| SearchError::Unavailable(Box::new(behind)))?;
            let (family, workspace_id) = workspace;
            let alias = model.read_alias(family, workspace_id);
            self.or_unavailable(self.elastic.refresh(&alias).await)?;
        }
        let of = async |projection| progress.position(projection).await.map_err(|error| SearchError::Unavailable(Box::new(error)));
        let behind = of(relational::NAME).await? - of(NAME).await?;
        if behind > LAG_MAX { Err(unavailable(NotReady::WaitError(behind))) } else { Ok(model) }
    }

    /// Searches the indices of an alias.
    async fn search(&self, alias: &str, body: &Value) -> Result<Value, SearchError> {
        let path = format!("/{alias}/_search");
        self.or_unavailable(self.elastic.client.ask_within(ANSWER_MAX, Method::Post, &path, Some(body)).await)
    }

    fn or_unavailable<T>(&self, answer: Result<T, ElasticError>) -> Result<T, SearchError> {
        match answer {
            Ok(answer) => {
                self.breaker.worked();
                Ok(answer)
            }
            Err(error) => {
                self.breaker.failed(&self.elastic.diagnose(&error));
                Err(unavailable(error))
            }
        }
    }

    async fn find_messages(&self, query: &MessageQuery) -> Result<Hits, SearchError> {
        if query.channels.is_empty() {
            return Ok(Hits { total_is_exact: true, ..Hits::default() });
        }
        messages::check_page(query)?;
        let workspace_id = query.workspace_id.0;
        let model = self.ready(query.min_position, (Family::Messages, workspace_id)).await?;
        let asked_at = Utc::now();
        let answer = self.search(&model.read_alias(Family::Messages, workspace_id), &messages::body(query)).await?;
        messages::page(query, &answer, asked_at).map_err(unavailable)
    }

    async fn find_people(&self, query: &PeopleQuery) -> Result<Vec<PersonHit>, SearchError> {
        let Some(search) = people::Search::of(query) else { return Ok(Vec::new()) };
        let workspace_id = query.workspace_id.0;
        let model = self.ready(query.min_position, (Family::Users, workspace_id)).await?;
        let alias = model.read_alias(Family::Users, workspace_id);
        let mut hits = Vec::new();
        if let Some(body) = search.beginning() {
            hits.extend(people::found(&self.search(&alias, &body).await?).map_err(unavailable)?);
        }
        if hits.len() < search.limit()
            && let Some(body) = search.nearly()
        {
            hits.extend(search.nearest(&self.search(&alias, &body).await?).map_err(unavailable)?);
            hits.truncate(search.limit());
        }
        Ok(hits)
    }

    async fn count(&self, query: &AnalyticsQuery) -> Result<Vec<Bucket>, SearchError> {
        let workspace_id = query.workspace_id.0;
        let model = self.ready(query.min_position, (Family::Messages, workspace_id)).await?;
        let answer = self.search(&model.read_alias(Family::Messages, workspace_id), &analytics::body(query)).await?;
        analytics::buckets(query, &answer).map_err(unavailable)
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> SearchError {
    SearchError::Unavailable(Box::new(error))
}

impl SearchBackend for ElasticSearch {
    fn name(&self) -> BackendName {
        BackendName::Elasticsearch
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> BoxFuture<'a, Result<Hits, SearchError>> {
        self.find_messages(query).boxed()
    }

    fn people<'a>(&'a self, query: &'a PeopleQuery) -> BoxFuture<'a, Result<Vec<PersonHit>, SearchError>> {
        self.find_people(query).boxed()
    }

    fn analytics<'a>(&'a self, query: &'a AnalyticsQuery) -> BoxFuture<'a, Result<Vec<Bucket>, SearchError>> {
        self.count(query).boxed()
    }
}

/// The filter for messages that can be found: messages of a workspace that are not deleted and not from the system.
pub(super) fn findable(workspace_id: uuid::Uuid) -> Vec<Value> {
    vec![
        json!({"term": {"workspace_id": workspace_id}}),
        json!({"term": {"is_deleted": false}}),
        json!({"bool": {"must_not": {"term": {"message_type": "system"}}}}),
    ]
}
