//! Erasing people: who may ask for it, what is in its way, and the erasure itself.
//!
//! An account is the server's. The user themselves and operators erase it; an owner of a workspace asks the operators for it, and nothing follows
//! from that by itself. All of it is judged twice: when somebody asks, and when the erasure is due.
//!
//! In which workspaces somebody is or was, and who runs the server, no stream of the write side says: the caller proposes them, from the read
//! side, and each is judged here, and guarded, as it is now.

use chrono::TimeDelta;
use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::permission::Role;
use domain::user::Erasure;
use domain::workspace::Subject;
use domain::{Context, StreamId, User, UserCommand, UserRefusal, Workspace, WorkspaceRefusal};
use tracing::instrument;

use crate::authorize::{self, AccessRefusal};
use crate::event_store::{Claim, ClaimChange, ClaimKind};
use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::users::another_operator_remains;
use crate::{Appended, Asked, CommandError, Commands};

/// What an erasure touches beside the account, as far as the caller knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The workspaces that the user is or was in.
    pub workspaces: &'a [WorkspaceId],
    /// Those who run the server.
    pub operators: &'a [UserId],
}

impl Commands {
    /// Has a user erased, once it has been waited for so long.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "request an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn request_erasure(
        &self,
        asked: &Asked,
        user_id: UserId,
        wait: TimeDelta,
        around: Around<'_>,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Request { user_id, wait, around }).await
    }

    /// Asks the operators for the erasure of somebody who is or was in the workspace, as an owner of it.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "propose an erasure", skip_all, fields(user.id = %user_id, workspace.id = %workspace_id))]
    pub async fn propose_erasure(&self, asked: &Asked, workspace_id: WorkspaceId, user_id: UserId) -> Result<Appended, CommandError> {
        self.execute(asked, &Propose { workspace_id, user_id }).await
    }

    /// Has a user not erased after all.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "cancel an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn cancel_erasure(&self, asked: &Asked, user_id: UserId) -> Result<Appended, CommandError> {
        self.execute(asked, &Cancel { user_id }).await
    }

    /// Cancels an erasure that nobody who may ask for it asks for any more. Where somebody does, nothing happens.
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "withdraw an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn withdraw_erasure(&self, asked: &Asked, user_id: UserId) -> Result<Appended, CommandError> {
        self.execute(asked, &Withdraw { user_id }).await
    }

    /// Erases a user whose erasure is due, for ever: their keys go with the event, in one transaction, and their memberships end with it.
    /// `invitations` are those that they accepted.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "erase a user", skip_all, fields(user.id = %user_id))]
    pub async fn erase(
        &self,
        asked: &Asked,
        user_id: UserId,
        around: Around<'_>,
        invitations: &[InvitationId],
    ) -> Result<Appended, CommandError> {
        let erased = self.execute(asked, &Erase { user_id, around, invitations }).await?;
        for owner in std::iter::once(user_id.0).chain(invitations.iter().map(|id| id.0)) {
            self.store.keys().forget(owner);
        }
        Ok(erased)
    }
}

/// Nothing stands in the way: no legal hold covers them, no workspace would be left without an owner, and the server not without an operator.
async fn nothing_in_the_way(reader: &mut Reader<'_>, user_id: UserId, user: &User, around: Around<'_>) -> Result<(), CommandError> {
    another_operator_remains(reader, user_id, user, around.operators).await?;
    for workspace_id in around.workspaces {
        let workspace = reader.workspace(*workspace_id).await?;
        if !workspace.members.contains_key(&user_id) {
            continue;
        }
        workspace.not_held(Subject::Person { user_id })?;
        if is_owner(&workspace, user_id) && !another_owner_remains(reader, &workspace, user_id).await? {
            return Err(UserRefusal::ErasureOfTheLastOwner.into());
        }
    }
    Ok(())
}

/// Whether the workspace has an owner beside the user who is not erased. Logs from before memberships ended with accounts have such owners.
async fn another_owner_remains(reader: &mut Reader<'_>, workspace: &Workspace, user_id: UserId) -> Result<bool, CommandError> {
    for other in workspace.members.keys().filter(|other| **other != user_id && is_owner(workspace, **other)) {
        if !reader.user(*other).await?.erased {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_owner(workspace: &Workspace, user_id: UserId) -> bool {
    workspace.active_member(user_id).is_some_and(|member| member.role == Role::Owner)
}

/// Whether the one who asked may still ask: the user themselves, or an operator.
async fn is_still_asked(reader: &mut Reader<'_>, user_id: UserId, erasure: Erasure) -> Result<bool, CommandError> {
    Ok(erasure.requested_by == user_id || reader.user(erasure.requested_by).await?.is_operator())
}

struct Request<'a> {
    user_id: UserId,
    wait: TimeDelta,
    around: Around<'a>,
}

impl Request<'_> {
    /// They themselves, and operators. That a user is there learns only somebody who shares a workspace with them.
    async fn may(&self, reader: &mut Reader<'_>, context: &Context, actor: &User) -> Result<(), CommandError> {
        if context.actor == self.user_id || actor.is_operator() {
            return Ok(());
        }
        for workspace_id in self.around.workspaces {
            let workspace = reader.workspace(*workspace_id).await?;
            if workspace.members.contains_key(&self.user_id) && workspace.active_member(context.actor).is_some() {
                return Err(AccessRefusal::ErasureNotYours.into());
            }
        }
        Err(AccessRefusal::UserNotFound.into())
    }
}

impl Decision for Request<'_> {
    fn name(&self) -> &'static str {
        "request erasure"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let command = UserCommand::RequestErasure { wait: self.wait };
        authorize::user_command(context.actor, &actor, self.user_id, &command)?;
        self.may(reader, context, &actor).await?;
        let user = reader.user(self.user_id).await?;
        nothing_in_the_way(reader, self.user_id, &user, self.around).await?;
        let events = user.decide(context, command)?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Propose {
    workspace_id: WorkspaceId,
    user_id: UserId,
}

impl Decision for Propose {
    fn name(&self) -> &'static str {
        "propose erasure"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let command = UserCommand::ProposeErasure { workspace_id: self.workspace_id };
        authorize::user_command(context.actor, &actor, self.user_id, &command)?;
        let workspace = reader.workspace(self.workspace_id).await?;
        authorize::sees_workspace(&workspace, context.actor)?;
        if !is_owner(&workspace, context.actor) {
            return Err(AccessRefusal::NotAnOwner.into());
        }
        if !workspace.members.contains_key(&self.user_id) {
            return Err(WorkspaceRefusal::MemberNotFound.into());
        }
        let events = reader.user(self.user_id).await?.decide(context, command)?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Cancel {
    user_id: UserId,
}

impl Decision for Cancel {
    fn name(&self) -> &'static str {
        "cancel erasure"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        authorize::user_command(context.actor, &actor, self.user_id, &UserCommand::CancelErasure)?;
        let user = reader.user(self.user_id).await?;
        // They themselves object to it, whoever asked.
        if !actor.is_operator() && context.actor != self.user_id {
            return Err(AccessRefusal::UserNotFound.into());
        }
        let events = user.decide(context, UserCommand::CancelErasure)?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Withdraw {
    user_id: UserId,
}

impl Decision for Withdraw {
    fn name(&self) -> &'static str {
        "withdraw erasure"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let user = reader.user(self.user_id).await?;
        let events = match user.erasure {
            Some(erasure) if !is_still_asked(reader, self.user_id, erasure).await? => user.decide(context, UserCommand::CancelErasure)?,
            Some(_) | None => vec![],
        };
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Erase<'a> {
    user_id: UserId,
    around: Around<'a>,
    invitations: &'a [InvitationId],
}

impl Decision for Erase<'_> {
    fn name(&self) -> &'static str {
        "erase user"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let command = UserCommand::Erase { invitations: self.invitations.to_vec() };
        authorize::user_command(context.actor, &User::default(), self.user_id, &command)?;
        let user = reader.user(self.user_id).await?;
        if let Some(erasure) = user.erasure
            && !is_still_asked(reader, self.user_id, erasure).await?
        {
            return Err(UserRefusal::ErasureNoLongerAsked.into());
        }
        nothing_in_the_way(reader, self.user_id, &user, self.around).await?;
        let events = user.decide(context, command)?;
        let claims = user.registration.iter().flat_map(|registration| {
            let email = Claim::on_server(ClaimKind::Email, registration.email.folded());
            let username = Claim::on_server(ClaimKind::Username, registration.username.folded());
            [email, username].map(ClaimChange::Release)
        });
        let draft = Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events).claim(claims);
        self.end_memberships(draft, reader).await
    }
}

impl Erase<'_> {
    /// Nobody is a member, or an owner, who is nobody any more; and their invitations end.
    async fn end_memberships(&self, mut draft: Draft, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        for workspace_id in self.around.workspaces {
            let ended = reader.workspace(*workspace_id).await?.end_membership(self.user_id);
            let (cause, stream) = (StreamId::user(self.user_id), StreamId::workspace(*workspace_id));
            draft = draft.effect(cause, stream, Some(*workspace_id), ended);
        }
        Ok(draft)
    }
}
