//! Erasure of users: who may request it, what prevents it, and the erasure itself.
//!
//! An account belongs to the server. The user and operators may erase it. An owner of a workspace may propose it to the
//! operators, and the proposal has no effect by itself. The conditions are checked twice: when the erasure is
//! requested, and when it is due.
//!
//! No stream of the write side lists a user's workspaces or the server's operators. So the caller passes candidates
//! from the read side, and each of them is checked here against its present state, and guarded.

use chrono::TimeDelta;
use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::permission::Role;
use domain::user::Erasure;
use domain::workspace::Subject;
use domain::{Context, StreamId, User, UserCommand, UserRefusal, Workspace, WorkspaceRefusal};
use tracing::instrument;

use crate::access_refusal::AccessRefusal;
use crate::authorize;
use crate::event_store::names;
use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::users::another_operator_remains;
use crate::{Appended, CommandError, CommandRequest, Commands};

/// The candidates from the read side that an erasure depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErasureCandidates<'a> {
    /// The workspaces that the user is or was a member of.
    pub workspaces: &'a [WorkspaceId],
    /// The operators of the server.
    pub operators: &'a [UserId],
}

impl Commands {
    /// Requests the erasure of a user, which is due after the waiting time.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "request an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn request_erasure(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        wait: TimeDelta,
        candidates: ErasureCandidates<'_>,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Request { user_id, wait, candidates }).await
    }

    /// Proposes the erasure of a present or former member to the operators. The actor is an owner of the workspace.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "propose an erasure", skip_all, fields(user.id = %user_id, workspace.id = %workspace_id))]
    pub async fn propose_erasure(
        &self,
        asked: &CommandRequest,
        workspace_id: WorkspaceId,
        user_id: UserId,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Propose { workspace_id, user_id }).await
    }

    /// Cancels the requested erasure of a user.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "cancel an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn cancel_erasure(&self, asked: &CommandRequest, user_id: UserId) -> Result<Appended, CommandError> {
        self.execute(asked, &Cancel { user_id }).await
    }

    /// Cancels an erasure if the user who requested it has lost the right to do so. Else nothing happens.
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "withdraw an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn withdraw_erasure(&self, asked: &CommandRequest, user_id: UserId) -> Result<Appended, CommandError> {
        self.execute(asked, &Withdraw { user_id }).await
    }

    /// Erases a user for ever, when the erasure is due. The user's keys are destroyed in the transaction of the event,
    /// and the memberships end with it. `invitations` are those that the user accepted.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "erase a user", skip_all, fields(user.id = %user_id))]
    pub async fn erase(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        candidates: ErasureCandidates<'_>,
        invitations: &[InvitationId],
    ) -> Result<Appended, CommandError> {
        let erased = self.execute(asked, &Erase { user_id, candidates, invitations }).await?;
        for owner in std::iter::once(user_id.0).chain(invitations.iter().map(|id| id.0)) {
            self.store.keys().forget(owner);
        }
        Ok(erased)
    }
}

/// Checks that nothing prevents the erasure: no legal hold covers the user, and neither a workspace is left without an
/// owner nor the server without an operator.
async fn nothing_prevents_it(
    reader: &mut Reader<'_>,
    user_id: UserId,
    user: &User,
    candidates: ErasureCandidates<'_>,
) -> Result<(), CommandError> {
    another_operator_remains(reader, user_id, user, candidates.operators).await?;
    for workspace_id in candidates.workspaces {
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

/// Whether the workspace has another owner who is not erased. Old logs have erased owners, because memberships did not
/// end with the account then.
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

/// Whether the user who requested the erasure may still do so: it is the user to erase, or an operator.
async fn may_still_request(reader: &mut Reader<'_>, user_id: UserId, erasure: Erasure) -> Result<bool, CommandError> {
    Ok(erasure.requested_by == user_id || reader.user(erasure.requested_by).await?.is_operator())
}

struct Request<'a> {
    user_id: UserId,
    wait: TimeDelta,
    candidates: ErasureCandidates<'a>,
}

impl Request<'_> {
    /// Checks that the actor is the user or an operator. Only actors who share a workspace with the user may learn that
    /// the user exists.
    async fn may(&self, reader: &mut Reader<'_>, context: &Context, actor: &User) -> Result<(), CommandError> {
        if context.actor == self.user_id || actor.is_operator() {
            return Ok(());
        }
        for workspace_id in self.candidates.workspaces {
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
        nothing_prevents_it(reader, self.user_id, &user, self.candidates).await?;
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
        // The user may cancel the erasure, also if an operator requested it.
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
            Some(erasure) if !may_still_request(reader, self.user_id, erasure).await? => {
                user.decide(context, UserCommand::CancelErasure)?
            }
            Some(_) | None => vec![],
        };
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Erase<'a> {
    user_id: UserId,
    candidates: ErasureCandidates<'a>,
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
            && !may_still_request(reader, self.user_id, erasure).await?
        {
            return Err(UserRefusal::ErasureNoLongerAsked.into());
        }
        nothing_prevents_it(reader, self.user_id, &user, self.candidates).await?;
        let events = user.decide(context, command)?;
        let held = user.registration.as_ref().map(|known| names::ever_of_user(&known.email, &known.username));
        let claims = reader.store().exchange_claims(self.user_id, held.unwrap_or_default(), Vec::new()).await?;
        let draft = Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events).claim(claims);
        self.end_memberships(draft, reader).await
    }
}

impl Erase<'_> {
    /// Ends the memberships, so that no erased user is a member or an owner, and revokes the user's invitations.
    async fn end_memberships(&self, mut draft: Draft, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        for workspace_id in self.candidates.workspaces {
            let ended = reader.workspace(*workspace_id).await?.end_membership(self.user_id);
            let (cause, stream) = (StreamId::user(self.user_id), StreamId::workspace(*workspace_id));
            draft = draft.effect(cause, stream, Some(*workspace_id), ended);
        }
        Ok(draft)
    }
}
