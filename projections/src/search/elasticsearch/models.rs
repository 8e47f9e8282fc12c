//! What Postgres records about the indices: the live model, the places of large workspaces, and the documents that
//! Elasticsearch rejected.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, query, query_as, query_scalar};
use utoipa::ToSchema;
use uuid::Uuid;

use super::bulk::Rejection;
use super::documents::{Document, Family};
use super::indices::{Model, Place, Route, Stage};

/// A document that Elasticsearch rejects for its content. It cannot be found; the rest of its workspace can.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RejectedDocument)]
pub struct Rejected {
    /// `messages` or `users`.
    pub family: String,
    /// The document: a message, or a workspace and a user with a colon between them.
    pub document_id: String,
    /// The position of the rejected version.
    pub position: i64,
    /// The reason.
    pub reason: String,
    /// When it was last rejected.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub rejected_at: DateTime<Utc>,
}

/// Returns the live model.
pub(super) async fn live(connection: &mut PgConnection, prefix: &str) -> sqlx::Result<Option<Model>> {
    let found = query!("SELECT model_id, pools FROM search_models WHERE state = 'live'").fetch_optional(&mut *connection).await?;
    let Some(found) = found else { return Ok(None) };
    with_routes(connection, prefix, found.model_id, found.pools).await.map(Some)
}

/// Returns a model with its present places.
pub(super) async fn read(connection: &mut PgConnection, prefix: &str, model_id: i64) -> sqlx::Result<Option<Model>> {
    let pools = query_scalar!("SELECT pools FROM search_models WHERE model_id = $1", model_id).fetch_optional(&mut *connection).await?;
    let Some(pools) = pools else { return Ok(None) };
    with_routes(connection, prefix, model_id, pools).await.map(Some)
}

async fn with_routes(connection: &mut PgConnection, prefix: &str, model_id: i64, pools: i32) -> sqlx::Result<Model> {
    let routes = query!("SELECT workspace_id, kind, previous, state FROM search_routes WHERE model_id = $1", model_id);
    let routes = routes.fetch_all(connection).await?.into_iter().map(|row| {
        let stage = match row.state.as_str() {
            "moving" => Stage::Moving,
            "moved" => Stage::Moved,
            _ => Stage::Settled,
        };
        (row.workspace_id, Route { place: Place::named(&row.kind), previous: Place::named(&row.previous), stage })
    });
    Ok(Model { prefix: prefix.into(), model_id, pools: u32::try_from(pools).unwrap_or(1), routes: routes.collect() })
}

/// Creates a new model under construction. One that an earlier rebuild left unfinished is removed.
pub(super) async fn begin(connection: &mut PgConnection, prefix: &str, pools: u32, routes: &[(Uuid, Place)]) -> sqlx::Result<Model> {
    query!("DELETE FROM search_models WHERE state = 'building'").execute(&mut *connection).await?;
    let pools_stored = i32::try_from(pools).unwrap_or(i32::MAX);
    let model_id = query_scalar!("INSERT INTO search_models (pools) VALUES ($1) RETURNING model_id", pools_stored);
    let model_id = model_id.fetch_one(&mut *connection).await?;
    for (workspace_id, place) in routes {
        query!(
            "INSERT INTO search_routes (model_id, workspace_id, kind, state) VALUES ($1, $2, $3, 'settled')",
            model_id,
            workspace_id,
            place.as_str()
        )
        .execute(&mut *connection)
        .await?;
    }
    with_routes(connection, prefix, model_id, pools_stored).await
}

/// Makes a model live, and removes the others.
pub(super) async fn make_live(connection: &mut PgConnection, model_id: i64) -> sqlx::Result<()> {
    query!("DELETE FROM search_models WHERE model_id <> $1", model_id).execute(&mut *connection).await?;
    query!("UPDATE search_models SET state = 'live' WHERE model_id = $1", model_id).execute(connection).await.map(drop)
}

/// Removes a lost model, so that it is neither read nor written.
pub(super) async fn forget(connection: &mut PgConnection, model_id: i64) -> sqlx::Result<()> {
    query!("DELETE FROM search_models WHERE model_id = $1", model_id).execute(connection).await.map(drop)
}

/// Records rejected documents, and removes the records of documents that are now accepted.
pub(super) async fn note(connection: &mut PgConnection, model_id: i64, written: &[Document], refused: &[Rejection]) -> sqlx::Result<()> {
    for family in Family::ALL {
        let ids = written.iter().filter(|document| document.family == family).map(|document| document.id.clone()).collect::<Vec<_>>();
        query!(
            "DELETE FROM search_rejections WHERE model_id = $1 AND family = $2 AND document_id = ANY ($3)",
            model_id,
            family.as_str(),
            &ids
        )
        .execute(&mut *connection)
        .await?;
    }
    for rejection in refused {
        query!(
            "INSERT INTO search_rejections AS r (model_id, family, document_id, position, reason) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (model_id, family, document_id) DO UPDATE SET position = $4, reason = $5, rejected_at = now()",
            model_id,
            rejection.family.as_str(),
            rejection.id,
            rejection.version,
            rejection.reason
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The documents that the live model lacks because Elasticsearch rejected them.
pub(crate) async fn rejected(executor: impl sqlx::PgExecutor<'_>) -> sqlx::Result<Vec<Rejected>> {
    query_as!(
        Rejected,
        "SELECT family, document_id, position, reason, rejected_at FROM search_rejections
         WHERE model_id IN (SELECT model_id FROM search_models WHERE state = 'live') ORDER BY position, document_id LIMIT 1000"
    )
    .fetch_all(executor)
    .await
}

/// Records that the rows behind a parked key have changed without an event. The projector writes their documents again
/// with its next batch.
pub(crate) async fn refresh_later(connection: &mut PgConnection, park_key: &str) -> sqlx::Result<()> {
    query!("INSERT INTO search_refreshes (park_key) VALUES ($1)", park_key).execute(connection).await.map(drop)
}

/// Returns and removes the keys whose rows have changed without an event. The caller writes their documents in the same
/// transaction.
pub(super) async fn take_refreshes(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    query_scalar!("DELETE FROM search_refreshes RETURNING park_key").fetch_all(connection).await
}
