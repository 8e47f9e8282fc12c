//! Projections: how far each is, what it could not apply, and building it anew. For the server's operators.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use projections::ProjectionState;

use super::headers::QueryHeaders;
use super::path::ProjectionPath;
use crate::app::App;
use crate::extract::{Actor, Page, Reading, Seen};
use crate::problem::Problem;
use crate::replays::Replay;

/// Shows where every projection is, and what it could not apply. Operators only.
#[utoipa::path(tag = "projections", params(QueryHeaders), responses((status = 200, description = "The projections.", body = Page<ProjectionState>)))]
#[get("/projections")]
pub async fn list_projections(reading: Reading, app: Data<App>) -> Result<Seen<Page<ProjectionState>>, Problem> {
    app.commands.operator(reading.actor).await?;
    Ok(reading.answer(Page::whole(projections::states(&app.pool).await?)))
}

/// Begins to build a projection anew from the log. Readers see the old one until the new one is proved equal. Operators only.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses((status = 202, description = "The replay has begun.", body = Replay)))]
#[post("/projections/{name}/replays")]
pub async fn start_replay(path: Path<ProjectionPath>, actor: Actor, app: Data<App>) -> Result<HttpResponse, Problem> {
    app.commands.operator(actor.user_id).await?;
    let replay = app.replays.start(&path.name)?;
    Ok(HttpResponse::Accepted().insert_header((LOCATION, format!("/v1/projections/{}/replays/current", path.name))).json(replay))
}

/// Shows how far the latest replay of a projection is, or what came of it. Operators only.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses((status = 200, description = "The replay.", body = Replay)))]
#[get("/projections/{name}/replays/current")]
pub async fn get_current_replay(path: Path<ProjectionPath>, actor: Actor, app: Data<App>) -> Result<HttpResponse, Problem> {
    app.commands.operator(actor.user_id).await?;
    let none = || Problem::not_found("replay.not_found", "this server has not replayed that projection since it started");
    Ok(HttpResponse::Ok().json(app.replays.current(&path.name).ok_or_else(none)?))
}
