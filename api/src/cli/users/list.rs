//! `backscroll users list` and `show`. They read the log, so they are right although no server runs.

use anyhow::Context;
use clap::Args;
use commands::Commands;
use domain::User;
use domain::ids::UserId;
use serde::Serialize;
use serde_json::json;

use super::find;
use crate::cli::connection::{commands, sessions};
use crate::cli::pages::{PageArguments, columns};
use crate::cli::{Failure, print};
use crate::config::Settings;

/// How many workspaces are looked at in one step.
const STEP_WORKSPACES: u16 = 500;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    page: PageArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArguments {
    /// The user: the email address or the identifier.
    #[arg(value_name = "EMAIL or ID")]
    user: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A user, as both verbs show one.
#[derive(Serialize)]
struct UserLine {
    user_id: UserId,
    username: String,
    email: String,
    display_name: String,
    status: &'static str,
    is_operator: bool,
    is_bot: bool,
}

impl UserLine {
    fn of(user_id: UserId, user: &User) -> Option<Self> {
        let known = user.registration.as_ref()?;
        let status = match (user.erased, user.suspended) {
            (true, _) => "erased",
            (false, true) => "suspended",
            (false, false) => "active",
        };
        Some(Self {
            user_id,
            username: known.username.to_string(),
            email: known.email.to_string(),
            display_name: known.profile.display_name.to_string(),
            status,
            is_operator: known.is_operator && !user.erased,
            is_bot: known.is_bot,
        })
    }

    fn cells(&self) -> Vec<String> {
        let role = if self.is_operator { "operator" } else { "" };
        let (username, email, name) = (self.username.clone(), self.email.clone(), self.display_name.clone());
        vec![self.user_id.to_string(), username, email, self.status.to_owned(), role.to_owned(), name]
    }
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), Failure> {
    let page = &arguments.page;
    let found = commands(settings).await?.page_of_users(page.after.map(UserId), page.asked_for()).await?;
    let lines = found.iter().filter_map(|(id, user)| UserLine::of(*id, user)).collect::<Vec<_>>();
    page.print(&lines, ["ID", "USERNAME", "EMAIL", "STATUS", "ROLE", "NAME"], UserLine::cells, |line| line.user_id.to_string())
}

/// A workspace of a user.
#[derive(Serialize)]
struct Membership {
    workspace_id: String,
    name: String,
    role: &'static str,
}

pub(super) async fn show(settings: &Settings, arguments: &ShowArguments) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    let user_id = find(&commands, &arguments.user).await?;
    let user = commands.user_state(user_id).await?;
    let line = UserLine::of(user_id, &user).context("the user has no registration")?;
    let memberships = memberships(&commands, user_id).await?;
    let open = sessions(settings, &commands).await?.of_user(user_id).await?.len();
    let due_at = user.erasure.map(|erasure| erasure.due_at);
    if arguments.json {
        let mut shown = serde_json::to_value(&line).context("a user cannot be written as JSON")?;
        shown["workspaces"] = json!(memberships);
        shown["sessions"] = json!(open);
        shown["erasure_due_at"] = json!(due_at);
        return print(&serde_json::to_string_pretty(&shown).context("a user cannot be written as JSON")?);
    }
    let yes = |is: bool| if is { "yes" } else { "no" };
    let of = |membership: &Membership| format!("{} {} ({})", membership.workspace_id, membership.name, membership.role);
    let mut rows = [
        ("id", user_id.to_string()),
        ("username", line.username),
        ("email", line.email),
        ("name", line.display_name),
        ("status", line.status.to_owned()),
        ("operator", yes(line.is_operator).to_owned()),
        ("sessions", open.to_string()),
        ("erasure due", due_at.map_or_else(|| "no".to_owned(), |at| at.to_rfc3339())),
    ]
    .map(|(name, value)| vec![name.to_owned(), value])
    .to_vec();
    rows.extend(memberships.iter().map(|membership| vec!["workspace".to_owned(), of(membership)]));
    print(&columns(&rows))
}

async fn memberships(commands: &Commands, user_id: UserId) -> Result<Vec<Membership>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = commands.page_of_workspaces(after, STEP_WORKSPACES).await?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = Some(*last);
        for (id, workspace) in &page {
            if let (Some(member), Some(details)) = (workspace.active_member(user_id), &workspace.details) {
                let name = details.name.to_string();
                found.push(Membership { workspace_id: id.to_string(), name, role: member.role.as_str() });
            }
        }
    }
}
