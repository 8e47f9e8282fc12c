//! Search as the handlers use it: the first backend answers, or the next one if it cannot. Hits are turned into rows
//! here.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use futures::future::BoxFuture;
use sqlx::{query, query_file_as};
use tracing::warn;
use uuid::Uuid;

use super::{
    AnalyticsQuery, BackendName, Bucket, Fragment, Hit, MessageQuery, PageKey, PeopleQuery, PersonHit, SearchBackend, SearchError, Span,
    highlight,
};
use crate::read_models::{QueryError, ReadModels};
use crate::relational::messages::MessageRow;
use crate::relational::users::DirectoryRow;

/// All searches. Cheap to clone.
#[derive(Clone)]
pub struct Search {
    models: ReadModels,
    /// In the order in which they are asked.
    backends: Arc<[Arc<dyn SearchBackend>]>,
}

/// An answer, and the backend that gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<T> {
    /// The backend.
    pub backend: BackendName,
    /// The answer.
    pub answer: T,
}

/// A page of found messages.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundMessages {
    /// The total number of hits.
    pub total: u64,
    /// Whether the total is exact. If not, there are more hits.
    pub total_is_exact: bool,
    /// The hits of this page. It may be shorter than asked for although there is a next one: messages deleted meanwhile
    /// are left out.
    pub hits: Vec<FoundMessage>,
    /// The end of this page, if there is another.
    pub next: Option<PageKey>,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundMessage {
    /// The message as of now.
    pub message: MessageRow,
    /// The score. Scores are comparable within one answer only.
    pub score: f32,
    /// The matching passages.
    pub highlights: Vec<Vec<Fragment>>,
}

/// The growth of a workspace on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrowthRow {
    /// The day's first moment, in UTC.
    pub day: DateTime<Utc>,
    /// The number of people that joined on that day.
    pub joined: i64,
    /// The number of people that had joined by the end of the day.
    pub members: i64,
}

impl Search {
    /// Asks these backends in order until one answers.
    #[must_use]
    pub fn new(models: ReadModels, backends: Vec<Arc<dyn SearchBackend>>) -> Self {
        Self { models, backends: backends.into() }
    }

    /// Searches messages.
    ///
    /// # Errors
    /// No backend answers, or the page came from another backend.
    pub async fn messages(&self, query: &MessageQuery) -> Result<Answered<FoundMessages>, SearchError> {
        let Answered { backend, answer } = self.ask(|backend| backend.messages(query)).await?;
        let mut rows = self.models.rows_of(&answer.hits).await?;
        let hits = answer.hits.iter().filter_map(|hit| {
            let message = rows.remove(&hit.message_id.0).filter(MessageRow::is_searchable)?;
            Some(FoundMessage { score: hit.score, highlights: highlight(&message.content, &query.text), message })
        });
        let hits = hits.collect();
        let answer = FoundMessages { total: answer.total, total_is_exact: answer.total_is_exact, hits, next: answer.next };
        Ok(Answered { backend, answer })
    }

    /// Searches people. The people of a guest's channels are searched in Postgres, which knows these channels.
    ///
    /// # Errors
    /// No backend answers.
    pub async fn people(&self, query: &PeopleQuery) -> Result<Answered<Vec<PersonHit>>, SearchError> {
        let knows_channels = |backend: BackendName| query.in_channels.is_none() || backend == BackendName::Postgres;
        self.ask_one_of(knows_channels, |backend| backend.people(query)).await
    }

    /// Counts messages.
    ///
    /// # Errors
    /// No backend answers.
    pub async fn analytics(&self, query: &AnalyticsQuery) -> Result<Answered<Vec<Bucket>>, SearchError> {
        self.ask(|backend| backend.analytics(query)).await
    }

    /// Returns the answer of the first backend that gives one.
    async fn ask<'a, T>(
        &'a self,
        ask: impl Fn(&'a dyn SearchBackend) -> BoxFuture<'a, Result<T, SearchError>>,
    ) -> Result<Answered<T>, SearchError> {
        self.ask_one_of(|_| true, ask).await
    }

    /// Returns the answer of the first of these backends that gives one.
    async fn ask_one_of<'a, T>(
        &'a self,
        is_asked: impl Fn(BackendName) -> bool,
        ask: impl Fn(&'a dyn SearchBackend) -> BoxFuture<'a, Result<T, SearchError>>,
    ) -> Result<Answered<T>, SearchError> {
        let mut outcome = Err(SearchError::Unavailable("there is no search backend".into()));
        for backend in self.backends.iter().filter(|backend| is_asked(backend.name())) {
            outcome = ask(backend.as_ref()).await.map(|answer| Answered { backend: backend.name(), answer });
            match &outcome {
                Err(SearchError::Unavailable(cause)) => {
                    warn!(
                        backend = backend.name().as_str(),
                        cause = cause.as_ref(),
                        "a search backend cannot answer; the next one is asked"
                    );
                }
                Ok(_) | Err(SearchError::ForeignPage | SearchError::Store(_)) => break,
            }
        }
        outcome
    }
}

impl ReadModels {
    /// Returns the growth of a workspace, day by day. Days on which nobody joined are left out.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn growth(&self, workspace_id: WorkspaceId, during: Span, limit: u16) -> Result<Vec<GrowthRow>, QueryError> {
        let file = query_file_as!(GrowthRow, "src/search/sql/member_growth.sql", workspace_id.0, during.from, during.to, i64::from(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns the directory rows of members, in the order of `user_ids`. Members that are not active are left out.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn directory_of(&self, workspace_id: WorkspaceId, user_ids: &[UserId]) -> Result<Vec<DirectoryRow>, QueryError> {
        let ids = user_ids.iter().map(|id| id.0).collect::<Vec<_>>();
        Ok(query_file_as!(DirectoryRow, "src/search/sql/people.sql", workspace_id.0, &ids).fetch_all(&self.pool).await?)
    }

    /// Returns the types of channels.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_types(&self, channel_ids: &[Uuid]) -> Result<HashMap<Uuid, String>, QueryError> {
        let rows = query!("SELECT channel_id, channel_type FROM channels WHERE channel_id = ANY ($1)", channel_ids).fetch_all(&self.pool);
        Ok(rows.await?.into_iter().map(|row| (row.channel_id, row.channel_type)).collect())
    }

    /// Reads the rows of hits. Messages that no longer exist are left out.
    async fn rows_of(&self, hits: &[Hit]) -> Result<HashMap<Uuid, MessageRow>, sqlx::Error> {
        if hits.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = hits.iter().map(|hit| hit.message_id.0).collect::<Vec<_>>();
        let moments = hits.iter().map(|hit| hit.created_at).collect::<Vec<_>>();
        let rows = query_file_as!(MessageRow, "src/search/sql/messages.sql", &ids, &moments).fetch_all(&self.pool).await?;
        let rows = self.with_threads(rows).await.map_err(|error| error.0)?;
        Ok(rows.into_iter().map(|row| (row.message_id, row)).collect())
    }
}
