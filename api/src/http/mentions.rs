//! Messages that mention the caller.

use actix_web::get;
use actix_web::web::{Data, Path};
use commands::ReadAccess;
use projections::ReadModels;
use projections::relational::messages::MessageRow;

use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use super::with::MessageListQuery;
use crate::extract::{Page, Query, QueryAnswer, Reading, page_limit, read_place};
use crate::problem::Problem;

/// List the messages that mention the caller, newest first
///
/// Everybody sees only their own. A page may have fewer rows than `limit` although there is a next page: messages of
/// channels that the caller has left are not listed.
#[utoipa::path(tag = "messages", params(WorkspacePath, MessageListQuery, QueryHeaders),
    responses((status = 200, description = "The messages.", body = Page<MessageRow>)))]
#[get("/workspaces/{workspace_id}/mentions")]
pub async fn list_mentions(
    path: Path<WorkspacePath>,
    query: Query<MessageListQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<MessageRow>>, Problem> {
    reading.access.active_member(path.workspace_id).await?;
    let (after, limit) = (read_place("after", query.after.as_deref())?, page_limit(query.limit)?);
    let rows = read_models.mentions_of(reading.actor, path.workspace_id, after, limit + 1).await?;
    let mut page = Page::cut(rows, limit, MessageRow::cursor);
    page.items = query.shown().of_messages(readable(&reading.access.recent().await?, page.items).await?);
    Ok(reading.answer(page))
}

async fn readable(access: &ReadAccess, mut rows: Vec<MessageRow>) -> Result<Vec<MessageRow>, Problem> {
    let channels = rows.iter().map(|row| row.channel_id.into()).collect::<Vec<_>>();
    let readable = access.readable_channels(&channels).await?;
    rows.retain(|row| readable.contains(&row.channel_id.into()));
    Ok(rows)
}
