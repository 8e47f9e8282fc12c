//! Invitations to a workspace: create, list, revoke and accept them.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use commands::Commands;
use domain::WorkspaceCommand;
use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::permission::{Permission, Role};
use domain::text::{Email, InvalidText};
use projections::ReadModels;
use projections::relational::invitations::{InvitationRow, NewInvitation};
use projections::relational::workspaces::WorkspaceRow;
use serde::{Deserialize, Serialize};
use state::invitations::InvitationTokens;
use state::token::Token;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::{Done, RowFollows};
use super::command_rows::{By, CommandRows};
use super::headers::{CommandHeaders, QueryHeaders};
use super::members::PageQuery;
use super::path::{InvitationPath, InvitationTokenPath, WorkspacePath};
use super::schema;
use crate::config::Settings;
use crate::extract::{Body, Command, Cursor, Page, Query, QueryAnswer, Reading, no_cursor, page_limit, reject_unless_moment};
use crate::problem::Problem;

/// The person to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The email address.
    #[schema(min_length = 3, max_length = 255, example = "ben@example.org")]
    email: String,
    /// The role that the person gets. The default is `member`.
    #[schema(value_type = Option<schema::Role>)]
    role: Option<Role>,
    /// The time until which the invitation can be accepted. The default is a week from now.
    expires_at: Option<DateTime<Utc>>,
}

/// An invitation that was created, with its token.
#[derive(Serialize, ToSchema)]
pub struct InvitationCreated {
    /// The invitation.
    #[serde(flatten)]
    invitation: InvitationRow,
    /// The token that accepts the invitation. Everyone who has it can accept the invitation, so send it to the invited
    /// person only. No list shows it.
    #[schema(example = "bsi_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    token: String,
}

/// Invite a person to a workspace by email address
///
/// Requires the permission `member.invite`. The server sends no mail: the caller sends the `token` of the answer, which
/// is shown only once, to the person. An address of a member, or of a former one, is refused. The answer does not tell
/// whether an address has an account in other workspaces.
#[utoipa::path(tag = "invitations", request_body = Invite, params(WorkspacePath, CommandHeaders),
    responses((status = 201, description = "The invitation is created.", body = InvitationCreated)))]
#[post("/workspaces/{workspace_id}/invitations")]
pub async fn invite(
    path: Path<WorkspacePath>,
    command: Command<Body<Invite>>,
    settings: Data<Settings>,
    commands: Data<Commands>,
    invitations: Data<InvitationTokens>,
    rows: CommandRows,
) -> Result<Done<InvitationCreated>, Problem> {
    let (workspace_id, caller) = (path.workspace_id, command.actor.user_id);
    let new = parse(&command.body.input, workspace_id, caller, settings.invitation_lifetime)?;
    let NewInvitation { email, role, expires_at, .. } = new.clone();
    let invite = WorkspaceCommand::Invite { invitation_id: new.invitation_id, email, role, expires_at };
    let appended = commands.workspace(&command.asked(), workspace_id, invite).await?;
    let invitation_id = appended.id.into();
    let token = invitations.give_out(workspace_id, invitation_id).await?.expose().to_owned();
    // A repeated request finds the invitation as it is now. The token must not wait for the read model.
    let now = if appended.replayed { rows.invitation(By(caller, &appended), workspace_id, invitation_id).await } else { None };
    let sent = || InvitationRow::just_sent(NewInvitation { invitation_id, ..new }, (appended.position, appended.recorded_at));
    let location = format!("/v1/workspaces/{workspace_id}/invitations/{invitation_id}");
    Ok(Done::created(appended, location, InvitationCreated { invitation: now.unwrap_or_else(sent), token }).no_store())
}

fn parse(input: &Invite, workspace_id: WorkspaceId, invited_by: UserId, lifetime: Duration) -> Result<NewInvitation, InvalidText> {
    let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::days(7));
    Ok(NewInvitation {
        invitation_id: Uuid::now_v7().into(),
        workspace_id,
        email: Email::parse(&input.email)?,
        role: input.role.unwrap_or(Role::Member),
        invited_by,
        expires_at: input.expires_at.unwrap_or_else(|| Utc::now() + lifetime),
    })
}

/// List the open invitations: neither accepted nor revoked
///
/// Requires the permission `member.invite`. Invitations that were accepted or revoked are not in the list. A guest with
/// the permission sees only invitations of their own, because guests see nobody's address.
#[utoipa::path(tag = "invitations", params(WorkspacePath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The open invitations.", body = Page<InvitationRow>)))]
#[get("/workspaces/{workspace_id}/invitations")]
pub async fn list_invitations(
    path: Path<WorkspacePath>,
    query: Query<PageQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<InvitationRow>>, Problem> {
    reading.access.may(path.workspace_id, Permission::MemberInvite).await?;
    let (after, limit) = (Cursor::<(DateTime<Utc>, Uuid)>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    after.map_or(Ok(()), |(created_at, _)| reject_unless_moment("after", created_at)).map_err(|_| no_cursor("after"))?;
    let rows = read_models.invitations(path.workspace_id, after, limit + 1).await?;
    let mut page = Page::cut(rows, limit, |row| (row.created_at, row.invitation_id));
    if reading.access.active_member(path.workspace_id).await? == Role::Guest {
        page.items.retain(|row| row.invited_by == reading.actor.0);
    }
    Ok(reading.answer(page))
}

/// Get an invitation, open or not
///
/// A guest with the permission to invite sees only invitations of their own.
#[utoipa::path(tag = "invitations", params(InvitationPath, QueryHeaders),
    responses((status = 200, description = "The invitation.", body = InvitationRow)))]
#[get("/workspaces/{workspace_id}/invitations/{invitation_id}")]
pub async fn get_invitation(
    path: Path<InvitationPath>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<InvitationRow>, Problem> {
    reading.access.may(path.workspace_id, Permission::MemberInvite).await?;
    let is_guest = reading.access.active_member(path.workspace_id).await? == Role::Guest;
    let row = read_models.invitation(path.workspace_id, path.invitation_id).await?;
    let row = row.filter(|row| !is_guest || row.invited_by == reading.actor.0);
    Ok(reading.answer(row.ok_or_else(invitation_not_found)?))
}

/// Revoke an invitation
///
/// Requires the permission `member.invite`. The token cannot be used any more.
#[utoipa::path(tag = "invitations", params(InvitationPath, CommandHeaders), responses((status = 204, description = "The invitation is revoked.")))]
#[delete("/workspaces/{workspace_id}/invitations/{invitation_id}")]
pub async fn revoke_invitation(path: Path<InvitationPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let revoke = WorkspaceCommand::RevokeInvitation { invitation_id: path.invitation_id };
    Ok(Done::no_content(commands.workspace(&command.asked(), path.workspace_id, revoke).await?))
}

/// Accept an invitation and become a member of its workspace
///
/// The caller must have registered with the address that was invited. The token is in the link that the inviter sent. A
/// former member is not invited again: an admin reactivates them.
#[utoipa::path(tag = "invitations", params(InvitationTokenPath, CommandHeaders),
    responses((status = 200, description = "The workspace that the caller has joined.", body = WorkspaceRow), RowFollows))]
#[post("/invitations/{token}/acceptance")]
pub async fn accept_invitation(
    path: Path<InvitationTokenPath>,
    command: Command,
    commands: Data<Commands>,
    invitations: Data<InvitationTokens>,
    rows: CommandRows,
) -> Result<Done<WorkspaceRow>, Problem> {
    let (workspace_id, invitation_id) = find(&invitations, &path.token).await?;
    let appended = commands.accept_invitation(&command.asked(), workspace_id, invitation_id).await?;
    let row = rows.workspace(By(command.actor.user_id, &appended), workspace_id).await;
    Ok(Done::changed(appended, row))
}

async fn find(invitations: &InvitationTokens, token: &str) -> Result<(WorkspaceId, InvitationId), Problem> {
    let found = match Token::parse_invitation(token) {
        Some(token) => invitations.find(&token).await?,
        None => None,
    };
    found.ok_or_else(invitation_not_found)
}

fn invitation_not_found() -> Problem {
    Problem::not_found("workspace.invitation_not_found", "there is no such invitation: ask the inviter for a new one")
}
