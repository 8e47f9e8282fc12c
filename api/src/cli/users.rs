//! `backscroll users …`

use clap::Subcommand;
use commands::{CommandError, Commands};
use domain::UserCommand;
use domain::ids::UserId;
use uuid::Uuid;

use super::connection::{asked, commands};
use super::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a user an operator of this server. Operators may suspend and erase users, and replay projections. The log
    /// keeps the change, and the operating system's user who made it.
    MakeOperator {
        /// The user: the email address or the identifier.
        #[arg(value_name = "EMAIL or ID")]
        user: String,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::MakeOperator { user } => make_operator(&commands(&settings).await?, &user).await,
    }
}

async fn make_operator(commands: &Commands, named: &str) -> Result<(), Failure> {
    let user_id = find(commands, named).await?;
    if commands.user_state(user_id).await.map_err(failed)?.is_operator() {
        return print(&format!("{user_id} is already an operator"));
    }
    let made = commands.user(&asked(), user_id, UserCommand::MakeOperator).await.map_err(failed)?;
    print(&format!("{user_id} is an operator from position {} on", made.position))
}

/// Finds a user by email address or identifier. Usernames are not accepted, because one could look like either.
async fn find(commands: &Commands, named: &str) -> Result<UserId, Failure> {
    let found = match named.parse::<Uuid>() {
        Ok(id) => Some(UserId(id)),
        Err(_) if named.contains('@') => commands.user_by_login(named).await.map_err(failed)?,
        Err(_) => None,
    };
    let unknown = || Failure::new(Exit::Wrong, anyhow::anyhow!("there is no user {named}: give the email address or the identifier"));
    let user_id = found.ok_or_else(unknown)?;
    let is_known = commands.user_state(user_id).await.map_err(failed)?.registration.is_some();
    if is_known { Ok(user_id) } else { Err(unknown()) }
}

fn failed(error: CommandError) -> Failure {
    let exit = match &error {
        CommandError::Refused(_) | CommandError::KeyReused => Exit::Refused,
        CommandError::Contended => Exit::Failed,
        CommandError::Unavailable(_) => Exit::Unreachable,
    };
    Failure::new(exit, error)
}
