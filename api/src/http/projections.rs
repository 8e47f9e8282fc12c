//! Projections: how far each is, and what it could not apply. For the server's operators.

use actix_web::get;
use actix_web::web::Data;
use projections::ProjectionState;

use super::headers::QueryHeaders;
use crate::app::App;
use crate::extract::{Page, Reading, Seen};
use crate::problem::Problem;

/// Shows where every projection is, and what it could not apply. Operators only.
#[utoipa::path(tag = "projections", params(QueryHeaders), responses((status = 200, description = "The projections.", body = Page<ProjectionState>)))]
#[get("/projections")]
pub async fn list_projections(reading: Reading, app: Data<App>) -> Result<Seen<Page<ProjectionState>>, Problem> {
    reading.access.operator().await?;
    Ok(reading.answer(Page::whole(projections::states(&app.pool).await?)))
}
