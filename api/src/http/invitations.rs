//! Invitations to a workspace: create, list, revoke and accept them.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use commands::Commands;
use domain::WorkspaceCommand;
use domain::ids::{InvitationId, WorkspaceId};
use domain::permission::{Permission, Role};
use domain::text::{Email, InvalidText};
use projections::ReadModels;
use projections::relational::invitations::InvitationRow;
use serde::{Deserialize, Serialize};
use state::invitations::InvitationTokens;
use state::token::Token;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::Done;
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

/// An invitation that was created.
#[derive(Serialize, ToSchema)]
pub struct InvitationCreated {
    /// The invitation.
    #[schema(value_type = Uuid)]
    invitation_id: InvitationId,
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
) -> Result<Done<InvitationCreated>, Problem> {
    let workspace_id = path.workspace_id;
    let invitation = parse(&command.body.input, settings.invitation_lifetime)?;
    let appended = commands.workspace(&command.asked(), workspace_id, invitation).await?;
    let invitation_id = appended.id.into();
    let token = invitations.give_out(workspace_id, invitation_id).await?.expose().to_owned();
    let location = format!("/v1/workspaces/{workspace_id}/invitations/{invitation_id}");
    Ok(Done::created(appended, location, InvitationCreated { invitation_id, token }).no_store())
}

fn parse(input: &Invite, lifetime: std::time::Duration) -> Result<WorkspaceCommand, InvalidText> {
    let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::days(7));
    Ok(WorkspaceCommand::Invite {
        invitation_id: Uuid::now_v7().into(),
        email: Email::parse(&input.email)?,
        role: input.role.unwrap_or(Role::Member),
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

/// Revoke an invitation
///
/// Requires the permission `member.invite`. The token cannot be used any more.
#[utoipa::path(tag = "invitations", params(InvitationPath, CommandHeaders), responses((status = 204, description = "The invitation is revoked.")))]
#[delete("/workspaces/{workspace_id}/invitations/{invitation_id}")]
pub async fn revoke_invitation(path: Path<InvitationPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let revoke = WorkspaceCommand::RevokeInvitation { invitation_id: path.invitation_id };
    Ok(Done::no_content(commands.workspace(&command.asked(), path.workspace_id, revoke).await?))
}

/// The workspace that the caller has joined.
#[derive(Serialize, ToSchema)]
pub struct InvitationAccepted {
    /// The workspace.
    #[schema(value_type = Uuid)]
    workspace_id: WorkspaceId,
}

/// Accept an invitation and become a member of its workspace
///
/// The caller must have registered with the address that was invited. The token is in the link that the inviter sent. A
/// former member is not invited again: an admin reactivates them.
#[utoipa::path(tag = "invitations", params(InvitationTokenPath, CommandHeaders),
    responses((status = 200, description = "The invitation is accepted.", body = InvitationAccepted)))]
#[post("/invitations/{token}/acceptance")]
pub async fn accept_invitation(
    path: Path<InvitationTokenPath>,
    command: Command,
    commands: Data<Commands>,
    invitations: Data<InvitationTokens>,
) -> Result<Done<InvitationAccepted>, Problem> {
    let (workspace_id, invitation_id) = find(&invitations, &path.token).await?;
    let appended = commands.accept_invitation(&command.asked(), workspace_id, invitation_id).await?;
    Ok(Done::with(appended, InvitationAccepted { workspace_id }))
}

async fn find(invitations: &InvitationTokens, token: &str) -> Result<(WorkspaceId, InvitationId), Problem> {
    let found = match Token::parse_invitation(token) {
        Some(token) => invitations.find(&token).await?,
        None => None,
    };
    found.ok_or_else(|| Problem::not_found("workspace.invitation_not_found", "there is no such invitation: ask the inviter for a new one"))
}
