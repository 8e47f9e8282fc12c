//! Parked events: those that a projection could not apply. Operators can retry or skip them.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use commands::Commands;
use domain::text::Reason;
use processes::parked;
use projections::{Connections, ParkedPayload};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::headers::CommandHeaders;
use super::members::PageQuery;
use super::path::{ParkedPath, ProjectionPath};
use crate::extract::{Actor, Body, Command, Cursor, Page, Query, page_limit};
use crate::problem::Problem;

/// The events that were applied.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppliedEvents)]
pub struct Applied {
    /// The number of applied events.
    applied: u64,
}

/// The reason to skip an event.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkipEvent {
    /// The position of the event, as the list shows it. By now, another event may be the one that blocks the key.
    position: i64,
    /// The reason. The log keeps it.
    #[schema(min_length = 1, max_length = 1000, example = "written by a tool that is not used any more")]
    reason: String,
}

/// List the events that a projection could not apply
///
/// Operators only. Each event comes with its stored payload, the error, and the number of events that wait behind it.
/// Everything else of the projection goes on.
#[utoipa::path(tag = "projections", params(ProjectionPath, PageQuery), responses((status = 200, description = "The parked events.", body = Page<ParkedPayload>)))]
#[get("/projections/{name}/parked")]
pub async fn list_parked(
    path: Path<ProjectionPath>,
    query: Query<PageQuery>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let (after, limit) = (Cursor::<(i64, String)>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let parked = projections::parked_payloads(&stores.pool, &path.name).await?;
    let page = Page::among(parked, after, limit, |row| (row.parked.first_position, row.parked.park_key.clone()));
    Ok(HttpResponse::Ok().json(page))
}

/// Retry the events that are parked under a key
///
/// Operators only. Do this after the cause is removed, for example with a newer release. If the event still cannot be
/// applied, it stays parked, and the answer is 409.
#[utoipa::path(tag = "projections", params(ParkedPath, CommandHeaders), responses((status = 200, description = "The events are applied.", body = Applied)))]
#[post("/projections/{name}/parked/{park_key}/retry")]
pub async fn retry_parked(
    path: Path<ParkedPath>,
    command: Command,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(command.actor.user_id).await?.operator().await?;
    let applied = parked::retry(&stores, &commands, &command.asked(), &path.name, &path.park_key).await?;
    Ok(HttpResponse::Ok().json(Applied { applied }))
}

/// Skip the event that a key is parked at, now and in every replay
///
/// Operators only. The events that wait behind it are applied. The log keeps the caller and the reason. The position in
/// the request guards against skipping another event than the one that was looked at.
#[utoipa::path(tag = "projections", params(ParkedPath, CommandHeaders), request_body = SkipEvent,
    responses((status = 200, description = "The event is skipped, and the events behind it are applied.", body = Applied)))]
#[post("/projections/{name}/parked/{park_key}/skip")]
pub async fn skip_parked(
    path: Path<ParkedPath>,
    command: Command<Body<SkipEvent>>,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(command.actor.user_id).await?.operator().await?;
    let SkipEvent { position, reason } = &command.body.input;
    let reason = Reason::parse(reason)?;
    let skip = parked::Skip { projection: &path.name, park_key: &path.park_key, position: *position, reason };
    let applied = parked::skip(&stores, &commands, &command.asked(), skip).await?;
    Ok(HttpResponse::Ok().json(Applied { applied }))
}
