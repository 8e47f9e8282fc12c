//! Workspaces: their details, domain, settings, plan and owner.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, patch, post, put};
use commands::{AccessRefusal, CommandError, Commands, NewWorkspace};
use domain::WorkspaceCommand;
use domain::ids::UserId;
use domain::retention::{RetentionAction, RetentionPolicy};
use domain::text::{AvatarUrl, Description, WorkspaceDomain, WorkspaceName};
use domain::workspace::{Details, Plan, WorkspaceSettings};
use identity::confirmation::Confirmations;
use projections::ReadModels;
use projections::relational::members::MemberRow;
use projections::relational::workspaces::WorkspaceRow;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::{Done, RowFollows};
use super::command_rows::{By, CommandRows};
use super::headers::{CommandHeaders, IfMatchHeader, IfNoneMatchHeader, QueryHeaders};
use super::members::PageQuery;
use super::path::WorkspacePath;
use super::schema;
use crate::config::{Secret, Settings};
use crate::extract::{
    Body, Change, Checks, Command, Cursor, Page, Query, QueryAnswer, Reading, RequestedHost, Tagged, no_cursor, page_limit,
};
use crate::problem::Problem;

/// A new workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorkspace {
    /// The name.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    name: String,
    /// Unique on this server.
    #[schema(min_length = 1, max_length = 100, example = "acme.example.org")]
    domain: Option<String>,
    /// A description.
    #[schema(min_length = 1, max_length = 10000)]
    description: Option<String>,
    /// The address of the picture.
    #[schema(min_length = 1, max_length = 2000, example = "https://example.org/acme.png")]
    avatar_url: Option<String>,
    /// The most active members. The default is a setting of the server.
    #[schema(minimum = 1, maximum = 1000000)]
    max_members: Option<u32>,
}

impl CreateWorkspace {
    fn parse(&self, members_max: u32, each_max: u32) -> Result<NewWorkspace, Problem> {
        let max_members = self.max_members.unwrap_or(members_max);
        let mut checks = Checks::default();
        let parsed = (
            checks.note(WorkspaceName::parse(&self.name)),
            checks.note(self.domain.as_deref().map(WorkspaceDomain::parse).transpose()),
            checks.note(self.description.as_deref().map(Description::parse).transpose()),
            checks.note(self.avatar_url.as_deref().map(AvatarUrl::parse).transpose()),
            checks.note(check_members_max(max_members)),
        );
        let (Some(name), Some(domain), Some(description), Some(avatar_url), Some(())) = parsed else {
            return Err(checks.refusal());
        };
        Ok(NewWorkspace {
            workspace_id: Uuid::now_v7().into(),
            general_channel_id: Uuid::now_v7().into(),
            details: Details { name, description, avatar_url },
            domain,
            max_members,
            each_max: Some(each_max),
        })
    }
}

fn check_members_max(max_members: u32) -> Result<(), Problem> {
    if (1..=1_000_000).contains(&max_members) {
        return Ok(());
    }
    Err(Problem::invalid("input.invalid", "max_members", "max_members must be 1 to 1000000"))
}

/// Create a workspace with its #general channel
///
/// Every user may create workspaces, up to a limit of the server. The caller becomes the owner. The workspace comes
/// with a #general channel that every member is in.
#[utoipa::path(tag = "workspaces", request_body = CreateWorkspace, params(CommandHeaders),
    responses((status = 201, description = "The workspace is created.", body = WorkspaceRow), RowFollows))]
#[post("/workspaces")]
pub async fn create_workspace(
    command: Command<Body<CreateWorkspace>>,
    settings: Data<Settings>,
    commands: Data<Commands>,
    rows: CommandRows,
) -> Result<Done<WorkspaceRow>, Problem> {
    let new = command.body.input.parse(settings.workspace_members_max, settings.workspaces_per_person_max)?;
    let appended = commands.create_workspace(&command.asked(), new).await?;
    let workspace_id = appended.id.into();
    let row = rows.workspace(By(command.actor.user_id, &appended), workspace_id).await;
    Ok(Done::created(appended, format!("/v1/workspaces/{workspace_id}"), row))
}

/// List the caller's workspaces, by name
///
/// The list has the workspaces that the caller is an active member of.
#[utoipa::path(tag = "workspaces", params(PageQuery, QueryHeaders),
    responses((status = 200, description = "The caller's workspaces.", body = Page<WorkspaceRow>)))]
#[get("/workspaces")]
pub async fn list_workspaces(
    query: Query<PageQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<WorkspaceRow>>, Problem> {
    let (after, limit) = (Cursor::<(String, Uuid)>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    // Names of earlier releases may have characters that no new name may have.
    if after.as_ref().is_some_and(|(name, _)| name.is_empty() || name.contains(char::is_control)) {
        return Err(no_cursor("after"));
    }
    let rows = read_models.page_of_workspaces(reading.actor, after, limit + 1).await?;
    let mut page = Page::cut(rows, limit, |row| (row.name.clone(), row.workspace_id));
    let ids = page.items.iter().map(|row| row.workspace_id.into()).collect::<Vec<_>>();
    let mine = reading.access.recent().await?.workspaces_among(&ids).await?;
    page.items.retain(|row| mine.contains(&row.workspace_id.into()));
    Ok(reading.answer(page))
}

/// Get the workspace whose domain is the host of the request
///
/// A client that serves one workspace asks this, so that people need not choose. The host is that of the request's
/// address; of a request from one of `trusted_proxies`, that of `X-Forwarded-Host`. The caller must be a member.
#[utoipa::path(tag = "workspaces", params(QueryHeaders), responses((status = 200, description = "The workspace.", body = WorkspaceRow)))]
#[get("/workspaces/current")]
pub async fn get_current_workspace(
    host: RequestedHost,
    reading: Reading,
    commands: Data<Commands>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<WorkspaceRow>, Problem> {
    let domain = host.0.and_then(|host| WorkspaceDomain::parse(&host).ok());
    let domain = domain.ok_or(CommandError::from(AccessRefusal::WorkspaceNotFound))?;
    let workspace_id = commands.workspace_at(&domain).await?;
    reading.access.active_member(workspace_id).await?;
    Ok(reading.answer(reading.row(async || read_models.workspace(workspace_id).await).await?))
}

/// Get a workspace of the caller
///
/// Active members may ask. For anybody else the workspace does not exist.
#[utoipa::path(tag = "workspaces", params(WorkspacePath, QueryHeaders, IfNoneMatchHeader), responses(
    (status = 200, description = "The workspace.", body = WorkspaceRow, headers(("ETag", description = "For `If-Match` and `If-None-Match`."))),
    (status = 304, description = "The row is the one that `If-None-Match` names.")))]
#[get("/workspaces/{workspace_id}")]
pub async fn get_workspace(
    path: Path<WorkspacePath>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<Tagged<WorkspaceRow>, Problem> {
    reading.access.active_member(path.workspace_id).await?;
    let workspace = reading.row(async || read_models.workspace(path.workspace_id).await).await?;
    Ok(reading.answer_row(workspace.position, workspace))
}

/// Changes of a workspace. An absent field stays, and `null` clears a field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWorkspace {
    /// The name. It cannot be cleared.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Change<String>,
    /// Its purpose.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 10000)]
    description: Change<String>,
    /// The address of the picture.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    avatar_url: Change<String>,
}

/// A parsed change of a workspace's details.
struct DetailsChange {
    name: Option<WorkspaceName>,
    description: Change<Description>,
    avatar_url: Change<AvatarUrl>,
}

impl ChangeWorkspace {
    fn parse(&self) -> Result<DetailsChange, Problem> {
        let mut checks = Checks::default();
        let name = checks.note(self.name.parse_required("name", |text| WorkspaceName::parse(text)));
        let description = checks.note(self.description.parse(|text| Description::parse(text)));
        let avatar_url = checks.note(self.avatar_url.parse(|text| AvatarUrl::parse(text)));
        let (Some(name), Some(description), Some(avatar_url)) = (name, description, avatar_url) else {
            return Err(checks.refusal());
        };
        Ok(DetailsChange { name, description, avatar_url })
    }
}

impl DetailsChange {
    fn of(&self, before: &Details) -> Details {
        Details {
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            description: self.description.of(before.description.as_ref()),
            avatar_url: self.avatar_url.of(before.avatar_url.as_ref()),
        }
    }
}

/// Change a workspace's name, description and picture (JSON Merge Patch)
///
/// An absent member stays as it is, and `null` clears it. Requires the permission `workspace.update`.
#[utoipa::path(tag = "workspaces", request_body = ChangeWorkspace, params(WorkspacePath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The workspace with its new details.", body = WorkspaceRow), RowFollows))]
#[patch("/workspaces/{workspace_id}")]
pub async fn change_workspace(
    path: Path<WorkspacePath>,
    command: Command<Body<ChangeWorkspace>>,
    commands: Data<Commands>,
    rows: CommandRows,
) -> Result<Done<WorkspaceRow>, Problem> {
    let change = command.body.input.parse()?;
    let asked = command.asked();
    let appended = commands.workspace_with(&asked, path.workspace_id, "change workspace details", |workspace| {
        let before = workspace.details.as_ref().ok_or(AccessRefusal::WorkspaceNotFound)?;
        Ok(WorkspaceCommand::ChangeDetails(change.of(before)))
    });
    let appended = appended.await?;
    let row = rows.workspace(By(command.actor.user_id, &appended), path.workspace_id).await;
    Ok(Done::changed(appended, row))
}

/// Changes of a workspace's settings. An absent field stays, and `null` clears a field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSettings {
    /// How long messages are kept in channels without their own policy. Its members are merged too. Without a policy,
    /// messages are kept for ever.
    #[serde(default)]
    #[schema(value_type = Option<schema::RetentionPolicy>)]
    retention_policy: Change<ChangePolicy>,
    /// The largest file that may be uploaded, in bytes.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 1)]
    upload_max_bytes: Change<u64>,
    /// The minutes within which authors may edit a message. If absent, there is no limit.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0)]
    edit_window_minutes: Change<u32>,
}

/// Changes of a retention policy. An absent member stays, and `null` gives it its default.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePolicy {
    #[serde(default)]
    days: Change<u32>,
    #[serde(default)]
    action: Change<RetentionAction>,
    #[serde(default)]
    keep_pinned: Change<bool>,
}

impl ChangePolicy {
    fn of(&self, before: RetentionPolicy) -> RetentionPolicy {
        let default = RetentionPolicy::default();
        RetentionPolicy {
            days: self.days.of(before.days.as_ref()),
            action: self.action.of(Some(&before.action)).unwrap_or(default.action),
            keep_pinned: self.keep_pinned.of(Some(&before.keep_pinned)).unwrap_or(default.keep_pinned),
        }
    }
}

impl ChangeSettings {
    fn of(&self, before: &WorkspaceSettings) -> WorkspaceSettings {
        WorkspaceSettings {
            retention_policy: match &self.retention_policy {
                Change::Keep => before.retention_policy,
                Change::Clear => None,
                Change::Set(policy) => Some(policy.of(before.retention_policy.unwrap_or_default())),
            },
            upload_max_bytes: self.upload_max_bytes.of(before.upload_max_bytes.as_ref()),
            edit_window_minutes: self.edit_window_minutes.of(before.edit_window_minutes.as_ref()),
        }
    }
}

/// Change a workspace's settings (JSON Merge Patch)
///
/// An absent member stays as it is, and `null` removes the limit. Requires the permission `workspace.settings`. A
/// changed retention policy also needs `retention.manage`.
#[utoipa::path(tag = "workspaces", request_body = ChangeSettings, params(WorkspacePath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The workspace with its new settings.", body = WorkspaceRow), RowFollows))]
#[patch("/workspaces/{workspace_id}/settings")]
pub async fn change_workspace_settings(
    path: Path<WorkspacePath>,
    command: Command<Body<ChangeSettings>>,
    commands: Data<Commands>,
    rows: CommandRows,
) -> Result<Done<WorkspaceRow>, Problem> {
    let change = &command.body.input;
    let asked = command.asked();
    let appended = commands.workspace_with(&asked, path.workspace_id, "change workspace settings", |workspace| {
        Ok(WorkspaceCommand::ChangeSettings(change.of(&workspace.settings)))
    });
    let appended = appended.await?;
    let row = rows.workspace(By(command.actor.user_id, &appended), path.workspace_id).await;
    Ok(Done::changed(appended, row))
}

/// The domain of a workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeDomain {
    /// Unique on this server.
    #[schema(min_length = 1, max_length = 100, example = "acme.example.org")]
    domain: String,
}

/// Change a workspace's domain
///
/// Owners of the workspace may do this, and operators, even if they are not members. `get_current_workspace` follows at
/// once. A domain belongs to one workspace of the server.
#[utoipa::path(tag = "workspaces", request_body = ChangeDomain, params(WorkspacePath, CommandHeaders, IfMatchHeader),
    responses((status = 204, description = "The domain is changed.")))]
#[put("/workspaces/{workspace_id}/domain")]
pub async fn change_workspace_domain(
    path: Path<WorkspacePath>,
    command: Command<Body<ChangeDomain>>,
    commands: Data<Commands>,
) -> Result<Done, Problem> {
    let domain = WorkspaceDomain::parse(&command.body.input.domain)?;
    Ok(Done::no_content(commands.change_domain(&command.asked(), path.workspace_id, Some(domain)).await?))
}

/// Remove a workspace's domain
///
/// Owners of the workspace may do this, and operators, even if they are not members. Another workspace can have the
/// domain then.
#[utoipa::path(tag = "workspaces", params(WorkspacePath, CommandHeaders),
    responses((status = 204, description = "The workspace has no domain.")))]
#[delete("/workspaces/{workspace_id}/domain")]
pub async fn remove_workspace_domain(path: Path<WorkspacePath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.change_domain(&command.asked(), path.workspace_id, None).await?))
}

/// The plan of a workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePlan {
    /// `free`, `pro` or `enterprise`. It decides the rate limits of the members (`rate_limits`).
    #[schema(value_type = String, example = "pro", pattern = "^(free|pro|enterprise)$")]
    plan: Plan,
}

/// Change a workspace's plan
///
/// Operators only, even if they are not members. The plan decides the rate limits of the members, which follow within a
/// minute.
#[utoipa::path(tag = "workspaces", request_body = ChangePlan, params(WorkspacePath, CommandHeaders, IfMatchHeader),
    responses((status = 204, description = "The plan is changed.")))]
#[put("/workspaces/{workspace_id}/plan")]
pub async fn change_workspace_plan(
    path: Path<WorkspacePath>,
    command: Command<Body<ChangePlan>>,
    commands: Data<Commands>,
) -> Result<Done, Problem> {
    let plan = command.body.input.plan;
    Ok(Done::no_content(commands.change_plan(&command.asked(), path.workspace_id, plan).await?))
}

/// The new owner of a workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// The new owner: an active member.
    #[schema(value_type = Uuid)]
    to: UserId,
    /// The caller's password.
    #[schema(value_type = String, min_length = 1, max_length = 200, format = Password)]
    current_password: Secret,
}

/// Hand the caller's ownership of a workspace over to another member
///
/// Owners only. Requires the caller's password. The other member becomes an owner, and the caller an admin.
#[utoipa::path(tag = "workspaces", request_body = HandOver, params(WorkspacePath, CommandHeaders),
    responses((status = 200, description = "The member who owns the workspace now.", body = MemberRow), RowFollows))]
#[put("/workspaces/{workspace_id}/owner")]
pub async fn hand_over_workspace(
    path: Path<WorkspacePath>,
    command: Command<Body<HandOver>>,
    commands: Data<Commands>,
    confirmations: Data<Confirmations>,
    rows: CommandRows,
) -> Result<Done<MemberRow>, Problem> {
    let HandOver { to, current_password } = &command.body.input;
    confirmations.confirm(&command.actor.context(), current_password.clone()).await?;
    let asked = command.asked_without_secret(to.0.as_bytes());
    let appended = commands.workspace(&asked, path.workspace_id, WorkspaceCommand::HandOver { to: *to }).await?;
    let row = rows.member(By(command.actor.user_id, &appended), path.workspace_id, *to).await;
    Ok(Done::changed(appended, row))
}
