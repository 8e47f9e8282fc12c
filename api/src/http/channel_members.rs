//! Members of a channel: list, add and remove them, and set roles and notification levels.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, Responder, delete, get, post, put};
use commands::Commands;
use domain::ChannelCommand;
use domain::channel::{MemberRole, NotificationLevel};
use domain::ids::UserId;
use projections::ReadModels;
use projections::cache::Caches;
use projections::relational::channel_members::ChannelMemberRow;
use projections::relational::channels::ChannelRow;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{Done, RowFollows};
use super::command_rows::CommandRows;
use super::headers::{CommandHeaders, QueryHeaders};
use super::members::PageQuery;
use super::path::{ChannelMemberPath, ChannelPath};
use super::schema;
use crate::extract::{Body, Command, Cursor, Page, Query, Reading, page_limit};
use crate::problem::Problem;

/// List a channel's members
///
/// Everybody who may see the channel may ask. The order is that of the users' identifiers.
#[utoipa::path(tag = "channel members", params(ChannelPath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The members.", body = Page<ChannelMemberRow>)))]
#[get("/channels/{channel_id}/members")]
pub async fn list_channel_members(
    path: Path<ChannelPath>,
    query: Query<PageQuery>,
    reading: Reading,
    request: HttpRequest,
    caches: Data<Caches>,
    read_models: Data<ReadModels>,
) -> Result<HttpResponse, Problem> {
    let workspace_id = reading.access.channel(path.channel_id).await?;
    let (after, limit) = (Cursor::<UserId>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    if after.is_none()
        && let Some(first) = caches.first_members(workspace_id, path.channel_id, limit + 1, reading.min_position).await?
    {
        return Ok(Reading::answer_json_at(first.position, first_page(&first.rows, limit)));
    }
    let rows = read_models.channel_members(path.channel_id, after, limit + 1).await?;
    Ok(reading.answer(Page::cut(rows, limit, |row| row.user_id)).respond_to(&request))
}

/// The same page as [`Page::cut`] gives, from rows that are already JSON.
fn first_page(rows: &[(UserId, String)], limit: u16) -> String {
    let shown = &rows[..rows.len().min(usize::from(limit))];
    let next = shown.last().filter(|_| rows.len() > shown.len()).map(|(user_id, _)| format!(r#","next":"{}""#, Cursor(*user_id)));
    let items = shown.iter().map(|(_, row)| row.as_str()).collect::<Vec<_>>().join(",");
    format!(r#"{{"items":[{items}]{}}}"#, next.unwrap_or_default())
}

/// The member to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMember {
    /// An active member of the workspace.
    #[schema(value_type = Uuid)]
    user_id: UserId,
}

/// Add a workspace member to a channel
///
/// The person must be an active member of the workspace. The caller must be in the channel, and needs the permission
/// `channel.add_members`. Nobody can be added to a conversation: begin another one with more people.
#[utoipa::path(tag = "channel members", request_body = AddMember, params(ChannelPath, CommandHeaders),
    responses((status = 200, description = "The member.", body = ChannelMemberRow), RowFollows))]
#[post("/channels/{channel_id}/members")]
pub async fn add_channel_member(
    path: Path<ChannelPath>,
    command: Command<Body<AddMember>>,
    rows: CommandRows,
) -> Result<Done<ChannelMemberRow>, Problem> {
    let add = ChannelCommand::AddMember { user_id: command.body.input.user_id };
    rows.change_channel_member(&command, (path.channel_id, command.body.input.user_id), add).await
}

/// Remove another member from a channel
///
/// The person's messages stay. Admins of the channel may do this, and members with the permission `channel.manage`, but
/// not to a person who ranks above them. Nobody is removed from #general. To go oneself, use `leave_channel`.
#[utoipa::path(tag = "channel members", params(ChannelMemberPath, CommandHeaders),
    responses((status = 204, description = "The member is not in the channel any more.")))]
#[delete("/channels/{channel_id}/members/{user_id}")]
pub async fn remove_channel_member(path: Path<ChannelMemberPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let remove = ChannelCommand::RemoveMember { user_id: path.user_id };
    Ok(Done::no_content(commands.channel(&command.asked(), path.channel_id, remove).await?))
}

/// Join a public channel
///
/// Everybody who may browse the workspace's public channels may join one. A private channel needs a member who adds the
/// caller. A member stays one.
#[utoipa::path(tag = "channel members", params(ChannelPath, CommandHeaders), responses((status = 200, description = "The channel that the caller is in.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/membership")]
pub async fn join_channel(path: Path<ChannelPath>, command: Command, rows: CommandRows) -> Result<Done<ChannelRow>, Problem> {
    rows.change_channel(&command, path.channel_id, ChannelCommand::Join).await
}

/// Leave a channel
///
/// The caller's messages stay. Nobody leaves #general or a conversation. The last admin of a channel names another one
/// first, unless nobody else is in it.
#[utoipa::path(tag = "channel members", params(ChannelPath, CommandHeaders),
    responses((status = 204, description = "The caller is not in the channel any more.")))]
#[delete("/channels/{channel_id}/membership")]
pub async fn leave_channel(path: Path<ChannelPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.channel(&command.asked(), path.channel_id, ChannelCommand::Leave).await?))
}

/// The new role of a member in a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeChannelRole {
    /// The role.
    #[schema(value_type = schema::ChannelRole)]
    role: MemberRole,
}

/// Change a member's role in a channel
///
/// Admins of the channel may do this, and members with the permission `channel.manage`. Nobody can demote a member who
/// ranks above them, or the last admin of a channel with people in it.
#[utoipa::path(tag = "channel members", request_body = ChangeChannelRole, params(ChannelMemberPath, CommandHeaders),
    responses((status = 200, description = "The member with the new role.", body = ChannelMemberRow), RowFollows))]
#[put("/channels/{channel_id}/members/{user_id}/role")]
pub async fn change_channel_role(
    path: Path<ChannelMemberPath>,
    command: Command<Body<ChangeChannelRole>>,
    rows: CommandRows,
) -> Result<Done<ChannelMemberRow>, Problem> {
    let change = ChannelCommand::ChangeMemberRole { user_id: path.user_id, role: command.body.input.role };
    rows.change_channel_member(&command, (path.channel_id, path.user_id), change).await
}

/// The events of which the caller wants to be notified.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeNotificationLevel {
    /// The level.
    #[schema(value_type = schema::NotificationLevel)]
    level: NotificationLevel,
}

/// Change the caller's notification level in a channel
///
/// The level decides what counts as unread in the totals of `get_unread`. Only members of the channel have one, and
/// each changes only their own.
#[utoipa::path(tag = "channel members", request_body = ChangeNotificationLevel, params(ChannelPath, CommandHeaders),
    responses((status = 200, description = "The caller as a member, with the new level.", body = ChannelMemberRow), RowFollows))]
#[put("/channels/{channel_id}/notification-level")]
pub async fn change_notification_level(
    path: Path<ChannelPath>,
    command: Command<Body<ChangeNotificationLevel>>,
    rows: CommandRows,
) -> Result<Done<ChannelMemberRow>, Problem> {
    let change = ChannelCommand::ChangeNotificationLevel { level: command.body.input.level };
    rows.change_channel_member(&command, (path.channel_id, command.actor.user_id), change).await
}
