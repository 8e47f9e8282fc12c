//! Retention: preview a run, start a run, and list retained messages. The settings of the workspace and the channel say
//! how long messages are kept.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use commands::Commands;
use domain::permission::Permission;
use processes::retention::{ChannelRetention, Retention, RetentionReport};
use projections::ReadModels;
use serde::Serialize;
use utoipa::ToSchema;

use super::headers::QueryHeaders;
use super::messages::{HistoryQuery, MessagePage, reject_unless_in_list};
use super::path::{ChannelPath, WorkspacePath};
use crate::extract::{Actor, Query, QueryAnswer, Reading};
use crate::problem::Problem;

/// The messages that a retention run would take now.
#[derive(Serialize, ToSchema)]
pub struct RetentionPreview {
    /// The number of messages that would leave.
    messages: i64,
    /// The number of messages that are old enough, but would stay because of legal holds.
    held: i64,
    /// The channels with a policy, one by one.
    channels: Vec<ChannelRetention>,
}

impl RetentionPreview {
    fn of(report: RetentionReport) -> Self {
        Self { messages: report.messages(), held: report.held(), channels: report.channels }
    }
}

/// Preview a retention run: which messages would leave, and which ones legal holds keep
///
/// Requires the permission `retention.manage`. The messages are counted by channel, with the policy that applies.
/// Nothing changes.
#[utoipa::path(tag = "retention", params(WorkspacePath, QueryHeaders),
    responses((status = 200, description = "The preview.", body = RetentionPreview)))]
#[get("/workspaces/{workspace_id}/retention/preview")]
pub async fn preview_retention(
    path: Path<WorkspacePath>,
    reading: Reading,
    retention: Data<Retention>,
) -> Result<QueryAnswer<RetentionPreview>, Problem> {
    reading.access.may(path.workspace_id, Permission::RetentionManage).await?;
    let report = retention.preview(Some(path.workspace_id)).await?;
    Ok(reading.answer(RetentionPreview::of(report)))
}

/// Start a retention run in the workspace, without waiting for the daily one
///
/// Requires the permission `retention.run`, which only owners have. The answer comes at once, and the preview shows the
/// progress. Messages under a legal hold stay.
#[utoipa::path(tag = "retention", params(WorkspacePath), responses((status = 202, description = "The run has begun.")))]
#[post("/workspaces/{workspace_id}/retention/runs")]
pub async fn start_retention_run(
    path: Path<WorkspacePath>,
    actor: Actor,
    commands: Data<Commands>,
    retention: Data<Retention>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.may(path.workspace_id, Permission::RetentionRun).await?;
    retention.start(path.workspace_id).await?;
    Ok(HttpResponse::Accepted().insert_header((LOCATION, format!("/v1/workspaces/{}/retention/preview", path.workspace_id))).finish())
}

/// List a channel's archived messages, oldest first, with replies
///
/// The retention policy moved these messages out of the channel. Requires the permission `archive.read`, and a channel
/// that the caller may read. Purged messages are not here: nobody can read them.
#[utoipa::path(tag = "retention", params(ChannelPath, HistoryQuery, QueryHeaders),
    responses((status = 200, description = "The page.", body = MessagePage)))]
#[get("/channels/{channel_id}/retained-messages")]
pub async fn list_retained_messages(
    path: Path<ChannelPath>,
    query: Query<HistoryQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<MessagePage>, Problem> {
    reading.access.archive(path.channel_id).await?;
    let (page, limit) = query.parse()?;
    let rows = read_models.archive(path.channel_id, page, limit + 1).await?;
    reject_unless_in_list(page, &rows)?;
    Ok(reading.answer(MessagePage::cut(rows, page, limit).showing(query.shown())))
}
