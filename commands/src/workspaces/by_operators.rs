//! Commands of the server's operators on workspaces: over HTTP or on the command line, where the server itself acts for
//! them. The domain is here too, because an operator may change it as an owner may.

use domain::ids::{UserId, WorkspaceId};
use domain::permission::Role;
use domain::text::WorkspaceDomain;
use domain::workspace::Plan;
use domain::{Context, StreamId, WorkspaceCommand};
use tracing::instrument;

use super::{Create, NewWorkspace, claim_of, join_general, row_of};
use crate::event_store::ClaimChange;
use crate::execute::{ChangedRow, Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRequest, Commands, authorize};

impl Commands {
    /// Creates a workspace for another user, who becomes its owner. The command line does this. The number of workspaces
    /// that a user may create does not count.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "create a workspace for a user", skip_all, fields(workspace.id = %new.workspace_id, user.id = %owner))]
    pub async fn create_workspace_for(&self, asked: &CommandRequest, owner: UserId, new: NewWorkspace) -> Result<Appended, CommandError> {
        self.execute(asked, &Create { owner: Some(owner), new: &new }).await
    }

    /// Changes the plan of a workspace. Operators of the server may do this, and need not be members.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "change a workspace's plan", skip_all, fields(workspace.id = %workspace_id))]
    pub async fn change_plan(&self, asked: &CommandRequest, workspace_id: WorkspaceId, plan: Plan) -> Result<Appended, CommandError> {
        self.execute(asked, &ChangePlan { workspace_id, plan }).await
    }

    /// Changes or removes the domain of a workspace. Its owners may do this, and operators of the server, who need not be
    /// members.
    ///
    /// # Errors
    /// The command is refused, for example because another workspace has the domain; or the store failed.
    #[instrument(name = "change a workspace's domain", skip_all, fields(workspace.id = %workspace_id))]
    pub async fn change_domain(
        &self,
        asked: &CommandRequest,
        workspace_id: WorkspaceId,
        domain: Option<WorkspaceDomain>,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &ChangeDomain { workspace_id, domain }).await
    }

    /// Adds a user to a workspace without an invitation. The command line does this. The user joins #general unless they
    /// are a guest.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "add a member", skip_all, fields(workspace.id = %workspace_id, user.id = %user_id))]
    pub async fn add_member(
        &self,
        asked: &CommandRequest,
        workspace_id: WorkspaceId,
        user_id: UserId,
        role: Role,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &AddMember { workspace_id, user_id, role }).await
    }
}

struct ChangePlan {
    workspace_id: WorkspaceId,
    plan: Plan,
}

impl Decision for ChangePlan {
    fn name(&self) -> &'static str {
        "change workspace plan"
    }

    fn row(&self) -> Option<ChangedRow> {
        Some(row_of(self.workspace_id))
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        authorize::server_itself(context.actor).or_else(|_| authorize::operator(&actor))?;
        let workspace = reader.workspace(self.workspace_id).await?;
        let changed = workspace.decide(context, WorkspaceCommand::ChangePlan { plan: self.plan })?;
        Ok(Draft::of(self.workspace_id).write(StreamId::workspace(self.workspace_id), Some(self.workspace_id), changed))
    }
}

struct ChangeDomain {
    workspace_id: WorkspaceId,
    domain: Option<WorkspaceDomain>,
}

impl Decision for ChangeDomain {
    fn name(&self) -> &'static str {
        "change workspace domain"
    }

    fn row(&self) -> Option<ChangedRow> {
        Some(row_of(self.workspace_id))
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let workspace = reader.workspace(self.workspace_id).await?;
        authorize::change_domain(&workspace, context.actor, &actor)?;
        let changed = workspace.decide(context, WorkspaceCommand::ChangeDomain { domain: self.domain.clone() })?;
        let draft = Draft::of(self.workspace_id);
        if changed.is_empty() {
            return Ok(draft);
        }
        let released = workspace.domain.iter().map(|domain| ClaimChange::Release(claim_of(domain)));
        let taken = self.domain.iter().map(|domain| claim_of(domain).taken_by(self.workspace_id));
        let claims = released.chain(taken).collect::<Vec<_>>();
        Ok(draft.write(StreamId::workspace(self.workspace_id), Some(self.workspace_id), changed).claim(claims))
    }
}

struct AddMember {
    workspace_id: WorkspaceId,
    user_id: UserId,
    role: Role,
}

impl Decision for AddMember {
    fn name(&self) -> &'static str {
        "add member"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        authorize::server_itself(context.actor)?;
        authorize::active(reader.user(self.user_id).await?.as_ref())?;
        let workspace = reader.workspace(self.workspace_id).await?;
        let command = WorkspaceCommand::AddMember { user_id: self.user_id, role: self.role };
        authorize::workspace_command_of_the_server(&workspace, &command)?;
        let joined = workspace.decide(context, command)?;
        let draft = Draft::of(self.workspace_id).write(StreamId::workspace(self.workspace_id), Some(self.workspace_id), joined);
        match workspace.general_channel_id.filter(|_| self.role != Role::Guest) {
            Some(general) => {
                join_general(draft, &Context { actor: self.user_id, ..context.clone() }, reader, general, self.workspace_id).await
            }
            None => Ok(draft),
        }
    }
}
