//! Moves of workspaces that have outgrown a shared index, while they are searched and written to. From a barrier on, events are written to
//! both places; a scan of the rows fills the new one; behind another barrier both are counted, and searches are led to the new one. The old
//! place is emptied a while later, when no search that began there is under way.

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
use crate::connections::Stores;
use crate::rebuild::RebuildError;

/// How often to look who has outgrown their place.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long a search may still be under way in the place that a workspace has left.
const EMPTIED_AFTER: Duration = Duration::from_secs(60);

/// Looks after the indices until `shutdown`.
pub(crate) async fn tend(stores: Stores, shutdown: CancellationToken) {
    loop {
        tokio::select! { () = sleep(LOOK_INTERVAL) => {}, () = shutdown.cancelled() => return }
        let moved = tokio::select! { moved = rebalance(&stores, EMPTIED_AFTER) => moved, () = shutdown.cancelled() => return };
        if let Err(error) = moved {
            tracing::warn!(error = %chain(&error), "workspaces could not be moved; it is tried again");
        }
    }
}

/// Moves every workspace that has outgrown its place, and empties places that were left `emptied_after` ago. Answers with who was moved. Does
/// nothing while a rebuild is under way.
///
/// # Errors
/// A store fails: what was begun goes on the next time.
pub async fn rebalance(stores: &Stores, emptied_after: Duration) -> Result<Vec<Uuid>, RebuildError> {
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
    stores: &Stores,
    elastic: &Elastic,
    connection: &mut PgConnection,
    emptied_after: Duration,
) -> Result<Vec<Uuid>, RebuildError> {
    let Some(model) = models::live(connection, &elastic.settings.prefix).await? else { return Ok(Vec::new()) };
    empty_left_places(elastic, connection, &model, emptied_after).await?;
    let mut moved = Vec::new();
    for (workspace_id, place) in places(connection, elastic).await? {
        if is_to_move(&model, workspace_id, place) {
            move_workspace(stores, elastic, connection, model.model_id, workspace_id, place).await?;
            moved.push(workspace_id);
        }
    }
    Ok(moved)
}

/// A workspace goes up only, and finishes one move before the next. It comes back to a shared index by a rebuild.
fn is_to_move(model: &Model, workspace_id: Uuid, place: Place) -> bool {
    match model.routes.get(&workspace_id) {
        None => true,
        Some(route) if route.stage == Stage::Moving => true,
        Some(route) => route.stage == Stage::Settled && route.place < place,
    }
}

async fn move_workspace(
    stores: &Stores,
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

/// From here on every batch writes to both places: one that did not know it yet has ended when the checkpoint is ours.
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
    Ok(model.ok_or_else(|| ElasticError::Lost(format!("those of model {model_id}")))?)
}

/// Where as many messages are in both places, searches go to the new one.
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

/// A workspace without a message has no index of its own yet.
async fn count(elastic: &Elastic, indices: &str, workspace_id: Uuid) -> Result<u64, ElasticError> {
    elastic.client.ask(Method::Post, &format!("/{indices}/_refresh?ignore_unavailable=true"), None).await?;
    let body = json!({"query": {"term": {"workspace_id": workspace_id}}});
    let counted = elastic.client.ask(Method::Post, &format!("/{indices}/_count?ignore_unavailable=true"), Some(&body)).await?;
    counted["count"].as_u64().ok_or_else(|| ElasticError::Unreadable("a count is answered without one"))
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

/// What matches the indices of a place.
fn indices_of(model: &Model, place: Place, workspace_id: Uuid) -> String {
    match place {
        Place::Shared | Place::Own => model.concrete(&model.index_in(place, workspace_id, chrono::DateTime::UNIX_EPOCH)),
        Place::Monthly => model.concrete(&format!("messages_{workspace_id}_*")),
    }
}
