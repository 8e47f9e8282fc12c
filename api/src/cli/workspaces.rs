//! `backscroll workspaces …`: the workspaces of this server. Nobody is signed in here, so the log has the operating
//! system's user who ran the command.

mod add;
mod list;
mod members;

use clap::Subcommand;
use domain::WorkspaceCommand;
use domain::text::{WorkspaceDomain, WorkspaceName};
use domain::workspace::{Details, Plan};

use self::members::MemberArguments;
use super::connection::{NamedWorkspace, asked, commands};
use super::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Create a workspace with its #general channel for an owner.
    Add(add::Arguments),
    /// List all workspaces in the order of their identifiers, which is that of their creation.
    List(list::Arguments),
    /// Show one workspace with its owners.
    Show(list::ShowArguments),
    /// Change the name of a workspace.
    Rename {
        /// The workspace: the identifier or the domain.
        #[arg(value_name = "ID or DOMAIN")]
        workspace: NamedWorkspace,
        /// The new name.
        name: String,
    },
    /// Give a workspace a domain, or another one. Clients that ask this host find the workspace.
    SetDomain {
        /// The workspace: the identifier or the present domain.
        #[arg(value_name = "ID or DOMAIN")]
        workspace: NamedWorkspace,
        /// The new domain, such as acme.example.org. It is unique on this server.
        #[arg(value_name = "NEW DOMAIN")]
        domain: String,
    },
    /// Remove the domain of a workspace.
    RemoveDomain {
        /// The workspace: the identifier or the domain.
        #[arg(value_name = "ID or DOMAIN")]
        workspace: NamedWorkspace,
    },
    /// Change the plan of a workspace: it decides the rate limits of the members.
    SetPlan {
        /// The workspace: the identifier or the domain.
        #[arg(value_name = "ID or DOMAIN")]
        workspace: NamedWorkspace,
        /// free, pro or enterprise.
        #[arg(value_parser = plan)]
        plan: Plan,
    },
    /// Add a user of this server to a workspace, without an invitation.
    AddMember {
        #[command(flatten)]
        member: MemberArguments,
        /// The role: owner, admin, member or guest.
        #[arg(long, default_value = "member", value_parser = members::role)]
        role: domain::permission::Role,
    },
    /// Change the role of a member. The last owner stays one.
    SetRole {
        #[command(flatten)]
        member: MemberArguments,
        /// The role: owner, admin, member or guest.
        #[arg(value_parser = members::role)]
        role: domain::permission::Role,
    },
    /// Deactivate a member. Their messages stay.
    DeactivateMember(MemberArguments),
    /// Reactivate a member with the role from before.
    ReactivateMember(MemberArguments),
}

fn plan(name: &str) -> Result<Plan, String> {
    Plan::ALL.into_iter().find(|plan| plan.as_str() == name).ok_or_else(|| "must be free, pro or enterprise".to_owned())
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Add(arguments) => add::run(&settings, arguments).await,
        Verb::List(arguments) => list::run(&settings, &arguments).await,
        Verb::Show(arguments) => list::show(&settings, &arguments).await,
        Verb::Rename { workspace, name } => rename(&settings, &workspace, &name).await,
        Verb::SetDomain { workspace, domain } => {
            let domain = WorkspaceDomain::parse(&domain)?;
            change_domain(&settings, &workspace, Some(domain)).await
        }
        Verb::RemoveDomain { workspace } => change_domain(&settings, &workspace, None).await,
        Verb::SetPlan { workspace, plan } => set_plan(&settings, &workspace, plan).await,
        Verb::AddMember { member, role } => members::add(&settings, &member, role).await,
        Verb::SetRole { member, role } => members::set_role(&settings, &member, role).await,
        Verb::DeactivateMember(member) => members::deactivate(&settings, &member).await,
        Verb::ReactivateMember(member) => members::reactivate(&settings, &member).await,
    }
}

async fn rename(settings: &Settings, workspace: &NamedWorkspace, name: &str) -> Result<(), Failure> {
    let name = WorkspaceName::parse(name)?;
    let commands = commands(settings).await?;
    let workspace_id = workspace.find(&commands).await?;
    let asked = asked();
    let renamed = commands.workspace_with(&asked, workspace_id, "change workspace details", |workspace| {
        let before = workspace.details.clone().ok_or(domain::WorkspaceRefusal::NotFound)?;
        Ok(WorkspaceCommand::ChangeDetails(Details { name: name.clone(), ..before }))
    });
    print(&format!("{workspace_id} has this name from position {} on", renamed.await?.position))
}

async fn change_domain(settings: &Settings, workspace: &NamedWorkspace, domain: Option<WorkspaceDomain>) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    let workspace_id = workspace.find(&commands).await?;
    let has = domain.as_ref().map_or_else(|| "no domain".to_owned(), |domain| format!("the domain {domain}"));
    let changed = commands.change_domain(&asked(), workspace_id, domain).await?;
    print(&format!("{workspace_id} has {has} from position {} on", changed.position))
}

async fn set_plan(settings: &Settings, workspace: &NamedWorkspace, plan: Plan) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    let workspace_id = workspace.find(&commands).await?;
    let changed = commands.change_plan(&asked(), workspace_id, plan).await?;
    print(&format!("{workspace_id} has the plan {} from position {} on", plan.as_str(), changed.position))
}
