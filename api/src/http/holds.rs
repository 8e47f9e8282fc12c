//! Legal holds of a workspace. The messages that a hold covers are not archived, purged or erased.

use actix_web::web::{Data, Path};
use actix_web::{get, post, put};
use commands::Commands;
use domain::WorkspaceCommand;
use domain::ids::{HoldId, UserId};
use domain::text::Reason;
use domain::workspace::{Hold, HoldTarget};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::Done;
use super::headers::{CommandHeaders, QueryHeaders};
use super::members::PageQuery;
use super::path::{HoldPath, WorkspacePath};
use super::schema;
use crate::extract::{Body, Command, Cursor, Page, Query, QueryAnswer, Reading, page_limit};
use crate::problem::Problem;

/// The legal hold to place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceHold {
    /// The workspace, channel or person that it covers.
    #[schema(value_type = schema::HoldTarget)]
    on: HoldTarget,
    /// The reason: the case, and the person who requested the hold.
    #[schema(min_length = 1, max_length = 1000, example = "Case 2026/114, letter of the court of 3 March")]
    reason: String,
}

/// An active legal hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingHold {
    /// The hold.
    #[schema(value_type = Uuid)]
    hold_id: HoldId,
    /// The workspace, channel or person that it covers.
    #[schema(value_type = schema::HoldTarget)]
    on: HoldTarget,
    /// The reason.
    reason: String,
    /// The user who placed it.
    #[schema(value_type = Uuid)]
    placed_by: UserId,
}

impl StandingHold {
    fn of((hold_id, hold): (HoldId, Hold)) -> Self {
        Self { hold_id, on: hold.on, reason: hold.reason.to_string(), placed_by: hold.placed_by }
    }
}

/// Place a legal hold on the workspace, a channel or a person
///
/// Requires the permission `holds.manage`. Nothing that a hold covers is archived, purged or erased until the hold is
/// released. The people who are concerned are not notified.
#[utoipa::path(tag = "holds", request_body = PlaceHold, params(WorkspacePath, CommandHeaders),
    responses((status = 201, description = "The hold is placed, and effective.", body = StandingHold)))]
#[post("/workspaces/{workspace_id}/holds")]
pub async fn place_hold(
    path: Path<WorkspacePath>,
    command: Command<Body<PlaceHold>>,
    commands: Data<Commands>,
) -> Result<Done<StandingHold>, Problem> {
    let workspace_id = path.workspace_id;
    let input = &command.body.input;
    let reason = Reason::parse(&input.reason)?;
    let place = WorkspaceCommand::PlaceHold { hold_id: Uuid::now_v7().into(), on: input.on, reason: reason.clone() };
    let appended = commands.workspace(&command.asked(), workspace_id, place).await?;
    let hold = Hold { on: input.on, reason, placed_by: command.actor.user_id };
    Ok(Done::created(appended, format!("/v1/workspaces/{workspace_id}/holds"), StandingHold::of((appended.id.into(), hold))))
}

/// List the active legal holds, oldest first
///
/// Requires the permission `holds.manage`. Released holds are not in the list; the audit has them.
#[utoipa::path(tag = "holds", params(WorkspacePath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The holds.", body = Page<StandingHold>)))]
#[get("/workspaces/{workspace_id}/holds")]
pub async fn list_holds(
    path: Path<WorkspacePath>,
    query: Query<PageQuery>,
    reading: Reading,
) -> Result<QueryAnswer<Page<StandingHold>>, Problem> {
    let (after, limit) = (Cursor::<HoldId>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let holds = reading.access.holds(path.workspace_id).await?;
    let page = Page::among(holds.into_iter().map(StandingHold::of).collect(), after, limit, |hold| hold.hold_id);
    Ok(reading.answer(page))
}

/// The reason to release a hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseHold {
    /// The reason.
    #[schema(min_length = 1, max_length = 1000, example = "Case 2026/114 is closed")]
    reason: String,
}

/// Release a legal hold
///
/// Requires the permission `holds.manage`. The next retention run takes the messages that only this hold kept.
#[utoipa::path(tag = "holds", request_body = ReleaseHold, params(HoldPath, CommandHeaders),
    responses((status = 204, description = "The hold is released.")))]
#[put("/workspaces/{workspace_id}/holds/{hold_id}/release")]
pub async fn release_hold(path: Path<HoldPath>, command: Command<Body<ReleaseHold>>, commands: Data<Commands>) -> Result<Done, Problem> {
    let release = WorkspaceCommand::ReleaseHold { hold_id: path.hold_id, reason: Reason::parse(&command.body.input.reason)? };
    Ok(Done::no_content(commands.workspace(&command.asked(), path.workspace_id, release).await?))
}
