//! The documents of the search projection in a real Elasticsearch, read without our own client.

mod backend;
mod faults;
mod fill;
mod moves;
mod projector;
mod rebuild;
mod secured;
mod switch;
mod view;

use std::time::Duration;

use api::config::Settings;
use projections::search::elasticsearch::Elastic;
use projections::{RebuildError, RebuildOptions, RebuildReport};
use reqwest::Method;
use serde_json::{Value, json};
use stores::elasticsearch::ElasticSettings;
use tests::elastic::{documents, expect};
use tests::eventually;
use tests::place::{Place, WITH_ELASTICSEARCH};

use crate::projections::Fixture;

/// The longest time that the projection may be behind. Elasticsearch creates its indices first.
const LIMIT: Duration = Duration::from_secs(60);

/// A test set-up with a search projection.
pub struct SearchHouse {
    pub fixture: Fixture,
    /// The prefix of the indices.
    pub prefix: String,
    /// Removes the indices when it is dropped.
    _place: Place,
}

impl SearchHouse {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with changed settings.
    pub async fn start_with(change: impl FnOnce(&mut ElasticSettings)) -> Self {
        let mut this = Self::without_projector(change).await;
        this.fixture.reading.start_projector(None);
        this
    }

    pub async fn without_projector(change: impl FnOnce(&mut ElasticSettings)) -> Self {
        let place = Place::create(&[WITH_ELASTICSEARCH]).await;
        let settings = Settings::from_sources(&place.environment, None).expect("settings");
        let mut settings = settings.search.elasticsearch.resolved().expect("settings of Elasticsearch");
        change(&mut settings);
        let prefix = settings.prefix.clone();
        let mut fixture = Fixture::without_projector().await;
        fixture.reading.stores = fixture.reading.stores.with_elastic(Some(Elastic::new(settings).expect("an address")));
        Self { fixture, prefix, _place: place }
    }

    /// Waits until every event is in Elasticsearch.
    pub async fn settle(&self) {
        let head = self.fixture.writing.commands.store().catch_up().await.expect("the head");
        self.fixture.reading.progress.wait_for(projections::SEARCH, head, LIMIT).await.expect("the search projector keeps up");
    }

    /// The documents of messages, as searches see them.
    pub async fn messages(&self) -> Vec<(String, i64, Value)> {
        documents(&format!("{}messages_shared_0,{0}messages_shared_1", self.prefix)).await
    }

    /// The documents of members, as searches see them.
    pub async fn members(&self) -> Vec<(String, i64, Value)> {
        documents(&format!("{}users_shared_0,{0}users_shared_1", self.prefix)).await
    }

    /// The document of one message.
    pub async fn message(&self, id: domain::ids::MessageId) -> Value {
        let all = self.messages().await;
        all.into_iter().find(|(found, ..)| *found == id.to_string()).map(|(.., source)| source).unwrap_or_default()
    }

    /// Runs a rebuild, after the one that made the first indices has ended.
    pub async fn rebuild(&self) -> Result<RebuildReport, RebuildError> {
        let mut outcome = Err(RebuildError::LogTooFast);
        eventually("no other rebuild runs", async || {
            outcome = projections::rebuild(&self.fixture.reading.stores, projections::SEARCH, RebuildOptions::default(), |_| {}).await;
            !matches!(outcome, Err(RebuildError::UnderWay(_)))
        })
        .await;
        outcome
    }

    /// The indices themselves, without their aliases.
    pub async fn indices(&self) -> Vec<String> {
        let found = expect(Method::GET, &format!("/{}*/_alias", self.prefix), None).await;
        found.as_object().into_iter().flat_map(|indices| indices.keys().cloned()).collect()
    }

    /// The columns of every message's row that its document also has, in the order of [`Self::messages`].
    pub async fn rows(&self) -> Vec<(String, Value)> {
        let rows = sqlx::query_as::<_, (uuid::Uuid, String, bool, bool)>(
            "SELECT message_id, content, is_deleted, is_pinned FROM messages ORDER BY message_id::text",
        );
        let rows = rows.fetch_all(&self.fixture.reading.pool).await.expect("the rows");
        rows.into_iter()
            .map(|(id, content, is_deleted, is_pinned)| {
                (id.to_string(), json!({"content": content, "is_deleted": is_deleted, "is_pinned": is_pinned}))
            })
            .collect()
    }

    /// Checks that there is a document for each message's row and no other, and that they are equal.
    pub async fn assert_equal(&self) {
        let found = self.messages().await.into_iter().map(|(id, _, source)| {
            (id, json!({"content": source["content"], "is_deleted": source["is_deleted"], "is_pinned": source["is_pinned"]}))
        });
        assert_eq!(found.collect::<Vec<_>>(), self.rows().await);
    }
}
