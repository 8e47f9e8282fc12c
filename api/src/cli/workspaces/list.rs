//! `backscroll workspaces list` and `show`. They read the log, so they are right although no server runs.

use anyhow::Context;
use clap::Args;
use commands::Commands;
use domain::Workspace;
use domain::ids::{UserId, WorkspaceId};
use domain::permission::Role;
use serde::Serialize;

use crate::cli::connection::{NamedWorkspace, commands};
use crate::cli::pages::{PageArguments, columns};
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    page: PageArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArguments {
    /// The workspace: the identifier or the domain.
    #[arg(value_name = "ID or DOMAIN")]
    workspace: NamedWorkspace,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A workspace, as both verbs show one.
#[derive(Serialize)]
struct WorkspaceLine {
    workspace_id: WorkspaceId,
    name: String,
    domain: Option<String>,
    plan: &'static str,
    active_members: usize,
    max_members: u32,
    owners: Vec<UserId>,
}

impl WorkspaceLine {
    fn of(workspace_id: WorkspaceId, workspace: &Workspace) -> Option<Self> {
        let details = workspace.details.as_ref()?;
        let active = || workspace.members.iter().filter(|(_, member)| member.active);
        Some(Self {
            workspace_id,
            name: details.name.to_string(),
            domain: workspace.domain.as_ref().map(ToString::to_string),
            plan: workspace.plan.as_str(),
            active_members: active().count(),
            max_members: workspace.max_members,
            owners: active().filter(|(_, member)| member.role == Role::Owner).map(|(id, _)| *id).collect(),
        })
    }

    fn cells(&self) -> Vec<String> {
        let domain = self.domain.clone().unwrap_or_default();
        let members = format!("{}/{}", self.active_members, self.max_members);
        let owners = self.owners.len().to_string();
        vec![self.workspace_id.to_string(), domain, self.plan.to_owned(), members, owners, self.name.clone()]
    }
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), Failure> {
    let page = &arguments.page;
    let found = commands(settings).await?.page_of_workspaces(page.after.map(WorkspaceId), page.asked_for()).await?;
    let lines = found.iter().filter_map(|(id, workspace)| WorkspaceLine::of(*id, workspace)).collect::<Vec<_>>();
    let id = |line: &WorkspaceLine| line.workspace_id.to_string();
    page.print(&lines, ["ID", "DOMAIN", "PLAN", "MEMBERS", "OWNERS", "NAME"], WorkspaceLine::cells, id)
}

pub(super) async fn show(settings: &Settings, arguments: &ShowArguments) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    let workspace_id = arguments.workspace.find(&commands).await?;
    let workspace = commands.workspace_state(workspace_id).await?;
    let line = WorkspaceLine::of(workspace_id, &workspace).context("the workspace has no details")?;
    if arguments.json {
        return print(&serde_json::to_string_pretty(&line).context("a workspace cannot be written as JSON")?);
    }
    let mut rows = [
        ("id", workspace_id.to_string()),
        ("name", line.name),
        ("domain", line.domain.unwrap_or_else(|| "none".to_owned())),
        ("plan", line.plan.to_owned()),
        ("members", format!("{} active, at most {}", line.active_members, line.max_members)),
    ]
    .map(|(name, value)| vec![name.to_owned(), value])
    .to_vec();
    for owner in line.owners {
        rows.push(vec!["owner".to_owned(), named(&commands, owner).await?]);
    }
    print(&columns(&rows))
}

async fn named(commands: &Commands, user_id: UserId) -> Result<String, Failure> {
    let user = commands.user_state(user_id).await?;
    let email = user.registration.as_ref().map(|known| known.email.to_string()).unwrap_or_default();
    Ok(format!("{user_id} {email}").trim_end().to_owned())
}
