//! The earlier texts of a message.

use actix_web::get;
use actix_web::web::{Data, Path};
use projections::ReadModels;
use projections::relational::messages::EditRow;

use super::headers::QueryHeaders;
use super::members::PageQuery;
use super::path::MessagePath;
use crate::extract::{Cursor, Page, Query, QueryAnswer, Reading, page_limit};
use crate::problem::Problem;

/// List a message's earlier texts, oldest first
///
/// Everybody who may see the channel may ask. The current text is not among them. A deleted message has none.
#[utoipa::path(tag = "messages", params(MessagePath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The earlier texts.", body = Page<EditRow>)))]
#[get("/messages/{message_id}/edits")]
pub async fn list_edits(
    path: Path<MessagePath>,
    query: Query<PageQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<EditRow>>, Problem> {
    reading.access.message(path.message_id).await?;
    let (after, limit) = (Cursor::<i64>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let rows = read_models.edits_of(path.message_id, after, limit + 1).await?;
    Ok(reading.answer(Page::cut(rows, limit, |row| row.position)))
}
