//! Projections: their positions, and the events that they could not apply. For the server's operators.

use actix_web::get;
use actix_web::web::Data;
use projections::{Connections, ProjectionState};

use super::headers::QueryHeaders;
use crate::extract::{Page, QueryAnswer, ReadingNow};
use crate::problem::Problem;

/// List the projections, with their positions and parked events
///
/// Operators only. A projection builds the tables that answer queries. `lag` says how many events it is behind.
#[utoipa::path(tag = "projections", params(QueryHeaders), responses((status = 200, description = "The projections.", body = Page<ProjectionState>)))]
#[get("/projections")]
pub async fn list_projections(
    ReadingNow(reading): ReadingNow,
    stores: Data<Connections>,
) -> Result<QueryAnswer<Page<ProjectionState>>, Problem> {
    reading.access.operator().await?;
    Ok(reading.answer(Page::whole(projections::states(&stores.pool).await?)))
}
