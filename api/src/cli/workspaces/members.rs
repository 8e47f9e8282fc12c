//! The verbs about one member of a workspace.

use clap::Args;
use commands::Commands;
use domain::WorkspaceCommand;
use domain::ids::{UserId, WorkspaceId};
use domain::permission::Role;

use crate::cli::connection::{NamedWorkspace, asked, commands};
use crate::cli::users::find;
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct MemberArguments {
    /// The workspace: the identifier or the domain.
    #[arg(value_name = "ID or DOMAIN")]
    workspace: NamedWorkspace,
    /// The user: the email address or the identifier.
    #[arg(value_name = "EMAIL or ID")]
    user: String,
}

impl MemberArguments {
    async fn find(&self, settings: &Settings) -> Result<(Commands, WorkspaceId, UserId), Failure> {
        let commands = commands(settings).await?;
        let workspace_id = self.workspace.find(&commands).await?;
        let user_id = find(&commands, &self.user).await?;
        Ok((commands, workspace_id, user_id))
    }
}

pub(super) fn role(name: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.as_str() == name).ok_or_else(|| "must be owner, admin, member or guest".to_owned())
}

pub(super) async fn add(settings: &Settings, member: &MemberArguments, role: Role) -> Result<(), Failure> {
    let (commands, workspace_id, user_id) = member.find(settings).await?;
    let added = commands.add_member(&asked(), workspace_id, user_id, role).await?;
    print(&format!("{user_id} is {} of {workspace_id} from position {} on", role.as_str(), added.position))
}

pub(super) async fn set_role(settings: &Settings, member: &MemberArguments, role: Role) -> Result<(), Failure> {
    let (commands, workspace_id, user_id) = member.find(settings).await?;
    let change = WorkspaceCommand::ChangeMemberRole { user_id, role };
    let changed = commands.workspace(&asked(), workspace_id, change).await?;
    print(&format!("{user_id} is {} of {workspace_id} from position {} on", role.as_str(), changed.position))
}

pub(super) async fn deactivate(settings: &Settings, member: &MemberArguments) -> Result<(), Failure> {
    let (commands, workspace_id, user_id) = member.find(settings).await?;
    let done = commands.workspace(&asked(), workspace_id, WorkspaceCommand::DeactivateMember { user_id }).await?;
    print(&format!("{user_id} is deactivated in {workspace_id} from position {} on", done.position))
}

pub(super) async fn reactivate(settings: &Settings, member: &MemberArguments) -> Result<(), Failure> {
    let (commands, workspace_id, user_id) = member.find(settings).await?;
    let done = commands.workspace(&asked(), workspace_id, WorkspaceCommand::ReactivateMember { user_id }).await?;
    print(&format!("{user_id} is active in {workspace_id} from position {} on", done.position))
}
