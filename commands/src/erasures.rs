//! Erasing people: who may ask for it, what is in its way, and the erasure itself.
//!
//! In which workspaces somebody is or was, no stream of the write side says: the caller proposes them, from the read side, and each is judged
//! here, and guarded, as it is now.

use chrono::TimeDelta;
use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::permission::Role;
use domain::user::Erasure;
use domain::workspace::Subject;
use domain::{Context, StreamId, User, UserCommand, UserRefusal, Workspace};
use tracing::instrument;

use crate::authorize::{self, AccessRefusal};
use crate::event_store::{Claim, ClaimChange, ClaimKind};
use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, Asked, CommandError, Commands};

impl Commands {
    /// Has a user erased, once it has been waited for so long. `workspaces` are those that they are or were in.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "request an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn request_erasure(
        &self,
        asked: &Asked,
        user_id: UserId,
        wait: TimeDelta,
        workspaces: &[WorkspaceId],
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Request { user_id, wait, workspaces }).await
    }

    /// Has a user not erased after all.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "cancel an erasure", skip_all, fields(user.id = %user_id))]
    pub async fn cancel_erasure(&self, asked: &Asked, user_id: UserId) -> Result<Appended, CommandError> {
        self.execute(asked, &Cancel { user_id }).await
    }

    /// Erases a user whose erasure is due, for ever: their keys go with the event, in one transaction. `workspaces` are those that they are
    /// or were in, `invitations` those that they accepted.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "erase a user", skip_all, fields(user.id = %user_id))]
    pub async fn erase(
        &self,
        asked: &Asked,
        user_id: UserId,
        workspaces: &[WorkspaceId],
        invitations: &[InvitationId],
    ) -> Result<Appended, CommandError> {
        let erased = self.execute(asked, &Erase { user_id, workspaces, invitations }).await?;
        for owner in std::iter::once(user_id.0).chain(invitations.iter().map(|id| id.0)) {
            self.store.keys().forget(owner);
        }
        Ok(erased)
    }
}

/// Nothing stands in the way: no legal hold covers them, and no workspace would be left without an owner.
async fn nothing_in_the_way(reader: &mut Reader<'_>, user_id: UserId, workspaces: &[WorkspaceId]) -> Result<(), CommandError> {
    for workspace_id in workspaces {
        let workspace = reader.workspace(*workspace_id).await?;
        if !workspace.members.contains_key(&user_id) {
            continue;
        }
        workspace.not_held(Subject::Person { user_id })?;
        if is_owner(&workspace, user_id) && !workspace.members.keys().any(|other| *other != user_id && is_owner(&workspace, *other)) {
            return Err(UserRefusal::ErasureOfTheLastOwner.into());
        }
    }
    Ok(())
}

fn is_owner(workspace: &Workspace, user_id: UserId) -> bool {
    workspace.active_member(user_id).is_some_and(|member| member.role == Role::Owner)
}

struct Request<'a> {
    user_id: UserId,
    wait: TimeDelta,
    workspaces: &'a [WorkspaceId],
}

impl Request<'_> {
    /// They themselves, operators, and who owns every workspace that they are in.
    async fn may(&self, reader: &mut Reader<'_>, context: &Context, actor: &User) -> Result<(), CommandError> {
        if context.actor == self.user_id || actor.is_operator() {
            return Ok(());
        }
        let (mut shares, mut owns_all) = (false, true);
        for workspace_id in self.workspaces {
            let workspace = reader.workspace(*workspace_id).await?;
            if workspace.members.contains_key(&self.user_id) {
                shares |= workspace.active_member(context.actor).is_some();
                owns_all &= is_owner(&workspace, context.actor);
            }
        }
        match (shares, owns_all) {
            (false, _) => Err(AccessRefusal::UserNotFound.into()),
            (true, false) => Err(AccessRefusal::NotTheirOnlyOwner.into()),
            (true, true) => Ok(()),
        }
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
        nothing_in_the_way(reader, self.user_id, self.workspaces).await?;
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
        let asked_for_it = |erasure: Erasure| erasure.requested_by == context.actor;
        if !actor.is_operator() && context.actor != self.user_id && !user.erasure.is_some_and(asked_for_it) {
            return Err(AccessRefusal::UserNotFound.into());
        }
        // What an owner or an operator has asked for, the person themselves do not undo.
        if !actor.is_operator() && user.erasure.is_some_and(|erasure| !asked_for_it(erasure)) {
            return Err(AccessRefusal::NotTheirOnlyOwner.into());
        }
        let events = user.decide(context, UserCommand::CancelErasure)?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Erase<'a> {
    user_id: UserId,
    workspaces: &'a [WorkspaceId],
    invitations: &'a [InvitationId],
}

impl Decision for Erase<'_> {
    fn name(&self) -> &'static str {
        "erase user"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let command = UserCommand::Erase { invitations: self.invitations.to_vec() };
        authorize::user_command(context.actor, &User::default(), self.user_id, &command)?;
        nothing_in_the_way(reader, self.user_id, self.workspaces).await?;
        let user = reader.user(self.user_id).await?;
        let events = user.decide(context, command)?;
        let claims = user.registration.iter().flat_map(|registration| {
            let email = Claim::on_server(ClaimKind::Email, registration.email.folded());
            let username = Claim::on_server(ClaimKind::Username, registration.username.folded());
            [email, username].map(ClaimChange::Release)
        });
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events).claim(claims))
    }
}
