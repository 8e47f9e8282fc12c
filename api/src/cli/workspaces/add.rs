//! `backscroll workspaces add`

use clap::Args;
use commands::NewWorkspace;
use domain::text::{Description, WorkspaceDomain, WorkspaceName};
use domain::workspace::Details;
use uuid::Uuid;

use crate::cli::connection::{asked, commands};
use crate::cli::users::find;
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The name.
    #[arg(long)]
    name: String,
    /// The owner: the email address or the identifier of a user of this server.
    #[arg(long, value_name = "EMAIL or ID")]
    owner: String,
    /// The domain, such as acme.example.org. It is unique on this server.
    #[arg(long)]
    domain: Option<String>,
    /// A description.
    #[arg(long)]
    description: Option<String>,
    /// The most active members: 1 to 1000000. The default is the setting `workspace_members_max`.
    #[arg(long, value_name = "NUMBER")]
    max_members: Option<u32>,
}

impl Arguments {
    fn parse(&self, members_max: u32) -> Result<NewWorkspace, Failure> {
        let details = Details {
            name: WorkspaceName::parse(&self.name)?,
            description: self.description.as_deref().map(Description::parse).transpose()?,
            avatar_url: None,
        };
        Ok(NewWorkspace {
            workspace_id: Uuid::now_v7().into(),
            general_channel_id: Uuid::now_v7().into(),
            details,
            domain: self.domain.as_deref().map(WorkspaceDomain::parse).transpose()?,
            max_members: self.max_members.unwrap_or(members_max),
            each_max: None,
        })
    }
}

pub(super) async fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    let new = arguments.parse(settings.workspace_members_max)?;
    let commands = commands(settings).await?;
    let owner = find(&commands, &arguments.owner).await?;
    let created = commands.create_workspace_for(&asked(), owner, new).await?;
    print(&format!("{} is a workspace from position {} on; its owner is {owner}", created.id, created.position))
}
