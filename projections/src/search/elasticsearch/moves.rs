//! Moves workspaces that have become too large for a shared index, while they are searched and written. From a first
//! barrier on, events are written to both places, and a scan of the rows fills the new one. Behind a second barrier
//! both are counted, and searches are switched to the new one. The old place is emptied later, when no search on it is
//! running.

use std::time::Duration;

use elasticsearch::http::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection, query};
use stores::checkpoint;
use stores::elasticsearch::ElasticError;
use stores::error::chain;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::indices::{Model, Place, Stage};
use super::projector::{NAME, SearchProjector};
use super::rebuild::{places, take_the_lock};
use super::rows::{self, Scan};
use super::{Elastic, models};
use crate::connections::Connections;
use crate::rebuild::RebuildError;

/// How often to look for workspaces that are too large for their place.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long a search may still run in the place that a workspace has left.
const EMPTIED_AFTER: Duration = Duration::from_secs(60);

/// Moves workspaces until `shutdown`.
pub(crate) async fn run_moves(stores: Connections, shutdown: CancellationToken) {
    loop {
        tokio::select! { () = sleep(LOOK_INTERVAL) => {}, () = shutdown.cancelled() => return }
        let moved = tokio::select! { moved = rebalance(&stores, EMPTIED_AFTER) => moved, () = shutdown.cancelled() => return };
        if let Err(error) = moved {
            tracing::warn!(error = %chain(&error), "workspaces could not be moved; it will be tried again");
        }
    }
}

/// Moves every workspace that is too large for its place, and empties places that were left longer than `emptied_after`
/// ago. Returns the moved workspaces. Does nothing while a rebuild is running.
///
/// # Errors
/// A store fails. The next call continues the moves.
pub async fn rebalance(stores: &Connections, emptied_after: Duration) -> Result<Vec<Uuid>, RebuildError> {
    let Some(elastic) = stores.elastic.clone() else { return Ok(Vec::new()) };
    let mut connection = match take_the_lock(stores).await {
        Err(RebuildError::UnderWay(_)) => return Ok(Vec::new()),
        connection => connection?,
    };
    let moved = move_all(stores, &elastic, &mut connection, emptied_after).await;
    checkpoint::end_rebuilding(&mut connection, NAME).await;
    moved
}

async fn move_all(
    stores: &Connections,
    elastic: &Elastic,
    connection: &mut PgConnection,
    emptied_after: Duration,
) -> Result<Vec<Uuid>, RebuildError> {
    let Some(model) = models::live(connection, &elastic.settings.prefix).await? else { return Ok(Vec::new()) };
    empty_left_places(elastic, connection, &model, emptied_after).await?;
    let mut moved = Vec::new();
    for (workspace_id, place) in places(connection, elastic).await? {
        if must_move(&model, workspace_id, place) {
            move_workspace(stores, elastic, connection, model.model_id, workspace_id, place).await?;
            moved.push(workspace_id);
        }
    }
    Ok(moved)
}

/// A workspace moves only to a larger place, and finishes one move before the next. Only a rebuild moves it back to a
/// shared index.
fn must_move(model: &Model, workspace_id: Uuid, place: Place) -> bool {
    match model.routes.get(&workspace_id) {
        None => true,
        Some(route) if route.stage == Stage::Moving => true,
        Some(route) => route.stage == Stage::Settled && route.place < place,
    }
}

async fn move_workspace(
    stores: &Connections,
    elastic: &Elastic,
    connection: &mut PgConnection,
    model_id: i64,
    workspace_id: Uuid,
    place: Place,
) -> Result<(), RebuildError> {
    let model = begin(elastic, connection, model_id, workspace_id, place).await?;
    tracing::info!(workspace.id = %workspace_id, place = place.as_str(), "a workspace moves to other indices");
    let mut writer = SearchProjector::live(stores, elastic);
    let mut after = Some(Uuid::nil());
    while let Some(from) = after {
        let chunk = rows::scan(connection, Scan::MessagesOfWorkspace(workspace_id), from).await?;
        writer.write(connection, &model, &chunk.documents).await?;
        after = chunk.last;
    }
    end(elastic, connection, &model, workspace_id).await
}

/// From here on every batch writes to both places: an older batch that did not know of the move has ended, because this
/// transaction has locked the checkpoint.
async fn begin(
    elastic: &Elastic,
    connection: &mut PgConnection,
    model_id: i64,
    workspace_id: Uuid,
    place: Place,
) -> Result<Model, RebuildError> {
    let mut tx = connection.begin().await?;
    checkpoint::lock(&mut tx, NAME).await?;
    query!(
        "INSERT INTO search_routes AS r (model_id, workspace_id, kind) VALUES ($1, $2, $3)
         ON CONFLICT (model_id, workspace_id) DO UPDATE SET kind = $3, previous = r.kind, state = 'moving', changed_at = now()
         WHERE r.state = 'settled'",
        model_id,
        workspace_id,
        place.as_str()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let model = models::read(connection, &elastic.settings.prefix, model_id).await?;
    Ok(model.ok_or_else(|| ElasticError::Lost(format!("the indices of model {model_id}")))?)
}

/// Switches searches to the new place if it has as many messages as the old one.
async fn end(elastic: &Elastic, connection: &mut PgConnection, model: &Model, workspace_id: Uuid) -> Result<(), RebuildError> {
    let mut tx = connection.begin().await?;
    checkpoint::lock(&mut tx, NAME).await?;
    let Some(route) = model.routes.get(&workspace_id) else { return Ok(()) };
    let (old, new) = (indices_of(model, route.previous, workspace_id), indices_of(model, route.place, workspace_id));
    let (old, new) = (count(elastic, &old, workspace_id).await?, count(elastic, &new, workspace_id).await?);
    if old != new {
        return Err(RebuildError::Write(
            format!("{old} messages of workspace {workspace_id} are in the old place, {new} in the new one").into(),
        ));
    }
    query!(
        "UPDATE search_routes SET state = 'moved', changed_at = now() WHERE model_id = $1 AND workspace_id = $2",
        model.model_id,
        workspace_id
    )
    .execute(&mut *tx)
    .await?;
    if let Some(moved) = models::read(&mut tx, &elastic.settings.prefix, model.model_id).await? {
        let aliases = moved.reading_aliases(&elastic.indices(&moved.pattern()).await?);
        elastic.point_aliases(&moved, &aliases).await?;
    }
    Ok(tx.commit().await?)
}

/// A workspace without messages has no index of its own yet.
async fn count(elastic: &Elastic, indices: &str, workspace_id: Uuid) -> Result<u64, ElasticError> {
    elastic.client.ask(Method::Post, &format!("/{indices}/_refresh?ignore_unavailable=true"), None).await?;
    let body = json!({"query": {"term": {"workspace_id": workspace_id}}});
    let counted = elastic.client.ask(Method::Post, &format!("/{indices}/_count?ignore_unavailable=true"), Some(&body)).await?;
    counted["count"].as_u64().ok_or_else(|| ElasticError::Unreadable("the answer to a count has no number"))
}

async fn empty_left_places(
    elastic: &Elastic,
    connection: &mut PgConnection,
    model: &Model,
    emptied_after: Duration,
) -> Result<(), RebuildError> {
    let left = query!(
        "SELECT workspace_id, previous FROM search_routes
         WHERE model_id = $1 AND state = 'moved' AND changed_at <= now() - make_interval(secs => $2)",
        model.model_id,
        emptied_after.as_secs_f64()
    );
    for row in left.fetch_all(&mut *connection).await? {
        let indices = indices_of(model, Place::named(&row.previous), row.workspace_id);
        let body = json!({"query": {"term": {"workspace_id": row.workspace_id}}});
        let path = format!("/{indices}/_delete_by_query?conflicts=proceed&ignore_unavailable=true&refresh=true");
        elastic.client.ask(Method::Post, &path, Some(&body)).await?;
        query!(
            "UPDATE search_routes SET state = 'settled', changed_at = now() WHERE model_id = $1 AND workspace_id = $2",
            model.model_id,
            row.workspace_id
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The pattern of a place's indices.
fn indices_of(model: &Model, place: Place, workspace_id: Uuid) -> String {
    match place {
        Place::Shared | Place::Own => model.concrete(&model.index_in(place, workspace_id, chrono::DateTime::UNIX_EPOCH)),
        Place::Monthly => model.concrete(&format!("messages_{workspace_id}_*")),
    }
}
