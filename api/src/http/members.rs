//! Members of a workspace: their list, their roles and their permissions.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, put};
use commands::Commands;
use domain::WorkspaceCommand;
use domain::ids::UserId;
use domain::permission::{Overrides, Permission, Role};
use domain::text::{Department, DisplayName, Title};
use identity::confirmation::Confirmations;
use projections::ReadModels;
use projections::relational::guests::GuestSight;
use projections::relational::members::MemberRow;
use projections::relational::users::DirectoryRow;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answer::{Done, RowFollows};
use super::command_rows::{By, CommandRows};
use super::headers::{CommandHeaders, QueryHeaders};
use super::path::{MemberPath, WorkspacePath};
use super::schema;
use super::sight::{seen, sight_of};
use crate::config::Secret;
use crate::extract::{Body, Checks, Command, Cursor, List, Page, Query, QueryAnswer, Reading, no_cursor, page_limit, reject_unless_line};
use crate::problem::Problem;

/// The most characters of a directory search.
const SEARCH_CHARS_MAX: usize = 200;

/// A page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next` cursor of the previous page.
    pub after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    pub limit: Option<u16>,
}

/// The most members that a request may name.
const IDS_MAX: usize = 100;

/// A page of members, or the members with these identifiers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// Only these users, on one page. Those who are not members are not listed.
    #[param(value_type = Vec<Uuid>, style = Form, explode = false, required = false, max_items = 100)]
    ids: Option<List<UserId>>,
    /// The `next` cursor of the previous page.
    after: Option<String>,
    /// The number of rows. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// List a workspace's members, deactivated ones too, or those with the given identifiers
///
/// Requires the permission `member.list`. A guest sees the people of the guest's channels. A page for a guest may have
/// fewer rows than `limit` although there is a next page.
#[utoipa::path(tag = "members", params(WorkspacePath, MembersQuery, QueryHeaders),
    responses((status = 200, description = "The members.", body = Page<MemberRow>)))]
#[get("/workspaces/{workspace_id}/members")]
pub async fn list_members(
    path: Path<WorkspacePath>,
    query: Query<MembersQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<MemberRow>>, Problem> {
    reading.access.may(path.workspace_id, Permission::MemberList).await?;
    let (after, limit) = (Cursor::<UserId>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let sight = sight_of(&read_models, &reading.access, path.workspace_id).await?;
    if let Some(ids) = &query.ids {
        let mut rows = read_models.members_among(path.workspace_id, ids.at_most("ids", IDS_MAX)?).await?;
        rows.retain(|row| sight.sees(row.user_id.into()));
        return Ok(reading.answer(Page::whole(rows)));
    }
    let rows = match sight.channels() {
        Some(channels) => {
            let guest = GuestSight { user_id: reading.actor, channels: &channels };
            read_models.members_of_guest(guest, path.workspace_id, after, limit + 1).await?
        }
        None => read_models.members(path.workspace_id, after, limit + 1).await?,
    };
    let mut page = Page::cut(rows, limit, |row| row.user_id);
    page.items.retain(|row| sight.sees(row.user_id.into()));
    Ok(reading.answer(page))
}

/// Get a workspace member
///
/// Requires the permission `member.list`. A guest sees the people of the guest's channels. A deactivated member is
/// shown too.
#[utoipa::path(tag = "members", params(MemberPath, QueryHeaders), responses((status = 200, description = "The member.", body = MemberRow)))]
#[get("/workspaces/{workspace_id}/members/{user_id}")]
pub async fn get_member(
    path: Path<MemberPath>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<MemberRow>, Problem> {
    reading.access.may(path.workspace_id, Permission::MemberList).await?;
    let missing = || Problem::not_found("workspace.member_not_found", "this user is not a member of the workspace");
    if !sight_of(&read_models, &reading.access, path.workspace_id).await?.sees(path.user_id) {
        return Err(missing());
    }
    let member = read_models.member(path.workspace_id, path.user_id).await?;
    Ok(reading.answer(member.ok_or_else(missing)?))
}

/// A search in a workspace's directory.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DirectoryQuery {
    /// A part of a name, an email address, a title or a department. If absent, all members are listed.
    #[param(min_length = 1, max_length = 200, example = "ann")]
    q: Option<String>,
    /// The `next` cursor of the previous page.
    after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// List active members with their profiles, by display name
///
/// Requires the permission `member.list`. `q` limits the list to members whose names or profile contain a text. A guest
/// sees the people of the guest's channels, without addresses, and `q` does not search addresses for a guest.
#[utoipa::path(tag = "members", params(WorkspacePath, DirectoryQuery, QueryHeaders),
    responses((status = 200, description = "The members that match.", body = Page<DirectoryRow>)))]
#[get("/workspaces/{workspace_id}/directory")]
pub async fn search_directory(
    path: Path<WorkspacePath>,
    query: Query<DirectoryQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<DirectoryRow>>, Problem> {
    reading.access.may(path.workspace_id, Permission::MemberList).await?;
    let sought = query.q.as_deref();
    sought.map_or(Ok(()), |text| reject_unless_line("q", text, SEARCH_CHARS_MAX))?;
    let (after, limit) = (Cursor::<(String, Uuid)>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let is_line = |(name, _): &(String, Uuid)| reject_unless_line("after", name, DisplayName::CHARS_MAX);
    after.as_ref().map_or(Ok(()), is_line).map_err(|_| no_cursor("after"))?;
    let sight = sight_of(&read_models, &reading.access, path.workspace_id).await?;
    let rows = match sight.channels() {
        Some(channels) => {
            let guest = GuestSight { user_id: reading.actor, channels: &channels };
            read_models.user_directory_of_guest(guest, path.workspace_id, sought, after, limit + 1).await?
        }
        None => read_models.user_directory(path.workspace_id, sought, after, limit + 1).await?,
    };
    let mut page = Page::cut(rows, limit, |row| (row.display_name.clone(), row.user_id));
    page.items = seen(&sight, page.items);
    Ok(reading.answer(page))
}

/// The new role of a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRole {
    /// The role.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// The caller's password. Required if the role is `owner`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, format = Password)]
    current_password: Option<Secret>,
}

/// Change a member's role in a workspace, except the last owner's
///
/// Requires the permission `member.manage`, and a rank that is not below the member's. Making another owner requires
/// the caller's password. The last owner keeps the role: `hand_over_workspace` changes that.
#[utoipa::path(tag = "members", request_body = ChangeRole, params(MemberPath, CommandHeaders),
    responses((status = 200, description = "The member with the new role.", body = MemberRow), RowFollows))]
#[put("/workspaces/{workspace_id}/members/{user_id}/role")]
pub async fn change_member_role(
    path: Path<MemberPath>,
    command: Command<Body<ChangeRole>>,
    commands: Data<Commands>,
    confirmations: Data<Confirmations>,
    rows: CommandRows,
) -> Result<Done<MemberRow>, Problem> {
    let ChangeRole { role, current_password } = &command.body.input;
    if *role == Role::Owner {
        let missing = || Problem::invalid("password.required", "current_password", "send your password to make a member an owner");
        let password = current_password.clone().ok_or_else(missing)?;
        confirmations.confirm(&command.actor.context(), password).await?;
    }
    let change = WorkspaceCommand::ChangeMemberRole { user_id: path.user_id, role: *role };
    let asked = command.asked_without_secret(role.as_str().as_bytes());
    let appended = commands.workspace(&asked, path.workspace_id, change).await?;
    let row = rows.member(By(command.actor.user_id, &appended), path.workspace_id, path.user_id).await;
    Ok(Done::changed(appended, row))
}

/// A member's title and department in this workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberDetails {
    /// The job title. If absent, the title is cleared.
    #[schema(min_length = 1, max_length = 200, example = "Engineer")]
    title: Option<String>,
    /// The department. If absent, the department is cleared.
    #[schema(min_length = 1, max_length = 100, example = "Research")]
    department: Option<String>,
}

/// Replace a member's title and department in a workspace
///
/// Requires the permission `member.manage`. An absent member of the body clears the value. The title replaces the one
/// of the user's own profile in this workspace.
#[utoipa::path(tag = "members", request_body = MemberDetails, params(MemberPath, CommandHeaders),
    responses((status = 200, description = "The member with the new details.", body = MemberRow), RowFollows))]
#[put("/workspaces/{workspace_id}/members/{user_id}/details")]
pub async fn change_member_details(
    path: Path<MemberPath>,
    command: Command<Body<MemberDetails>>,
    rows: CommandRows,
) -> Result<Done<MemberRow>, Problem> {
    let input = &command.body.input;
    let mut checks = Checks::default();
    let title = checks.note(input.title.as_deref().map(Title::parse).transpose());
    let department = checks.note(input.department.as_deref().map(Department::parse).transpose());
    let (Some(title), Some(department)) = (title, department) else { return Err(checks.refusal()) };
    let change = WorkspaceCommand::ChangeMemberDetails { user_id: path.user_id, title, department };
    rows.change_member(&command, (path.workspace_id, path.user_id), change).await
}

/// Permissions that a member has in addition to their role (`true`), or lacks despite it (`false`).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPermissions {
    /// Permissions by name, such as `channel.create_public`. docs/EVENTS.md lists them.
    #[schema(value_type = BTreeMap<String, bool>, example = json!({"channel.create_public": false}))]
    permissions: Overrides,
}

/// Replace a member's permission overrides
///
/// Requires the permission `member.manage`. Send all overrides: the former ones are replaced. Nobody can give a
/// permission that they do not have, or grant themselves one.
#[utoipa::path(tag = "members", request_body = MemberPermissions, params(MemberPath, CommandHeaders),
    responses((status = 200, description = "The member with the new overrides.", body = MemberRow), RowFollows))]
#[put("/workspaces/{workspace_id}/members/{user_id}/permissions")]
pub async fn change_member_permissions(
    path: Path<MemberPath>,
    command: Command<Body<MemberPermissions>>,
    rows: CommandRows,
) -> Result<Done<MemberRow>, Problem> {
    let permissions = command.body.input.permissions.clone();
    let change = WorkspaceCommand::ChangeMemberPermissions { user_id: path.user_id, permissions };
    rows.change_member(&command, (path.workspace_id, path.user_id), change).await
}

/// Leave a workspace
///
/// The caller's messages stay. The last owner hands the workspace over first. To come back, the caller asks an admin to
/// reactivate them. If the caller has left already, nothing changes.
#[utoipa::path(tag = "members", params(WorkspacePath, CommandHeaders),
    responses((status = 204, description = "The caller is not an active member any more.")))]
#[delete("/workspaces/{workspace_id}/members/me")]
pub async fn leave_workspace(path: Path<WorkspacePath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.leave_workspace(&command.asked(), path.workspace_id).await?))
}

/// Deactivate a member; their messages stay
///
/// Requires the permission `member.manage`, and a rank that is not below the member's. The member cannot use the
/// workspace any more. The account on the server and the other workspaces stay.
#[utoipa::path(tag = "members", params(MemberPath, CommandHeaders), responses((status = 200, description = "The member, who is deactivated.", body = MemberRow), RowFollows))]
#[put("/workspaces/{workspace_id}/members/{user_id}/deactivation")]
pub async fn deactivate_member(path: Path<MemberPath>, command: Command, rows: CommandRows) -> Result<Done<MemberRow>, Problem> {
    let change = WorkspaceCommand::DeactivateMember { user_id: path.user_id };
    rows.change_member(&command, (path.workspace_id, path.user_id), change).await
}

/// Reactivate a deactivated member
///
/// Requires the permission `member.manage`. The member is in the same channels as before. Nobody can give more
/// permissions than they have.
#[utoipa::path(tag = "members", params(MemberPath, CommandHeaders), responses((status = 204, description = "The member is active again.")))]
#[delete("/workspaces/{workspace_id}/members/{user_id}/deactivation")]
pub async fn reactivate_member(path: Path<MemberPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let change = WorkspaceCommand::ReactivateMember { user_id: path.user_id };
    Ok(Done::no_content(commands.workspace(&command.asked(), path.workspace_id, change).await?))
}
