//! `backscroll users …`: the users of this server. Nobody is signed in here, so the log has the operating system's user
//! who ran the command.

mod add;
mod list;
mod password;

use clap::Subcommand;
use commands::Commands;
use domain::UserCommand;
use domain::ids::UserId;
use domain::text::Reason;
use uuid::Uuid;

use super::connection::{asked, commands, sessions};
use super::{Exit, Failure, print};
use crate::config::Settings;

/// How many users are looked at in one step, in search of another operator.
const STEP_USERS: u16 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Register a user, whatever the setting `registration` is. The first user of a server becomes its operator.
    Add(add::Arguments),
    /// List all users in the order of their identifiers, which is that of their registration.
    List(list::Arguments),
    /// Show one user, with the user's workspaces.
    Show(list::ShowArguments),
    /// Set a new password for a user who forgot it. It ends all sessions of the user, and makes the known devices
    /// unknown.
    SetPassword(password::Arguments),
    /// End all sessions of a user.
    SignOut {
        /// The user: the email address or the identifier.
        #[arg(value_name = "EMAIL or ID")]
        user: String,
    },
    /// Suspend a user on the whole server: the user cannot sign in, and sessions are refused. The last operator cannot
    /// be suspended.
    Suspend {
        /// The user: the email address or the identifier.
        #[arg(value_name = "EMAIL or ID")]
        user: String,
        /// The reason. Other users do not see it.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a user's suspension.
    Reactivate {
        /// The user: the email address or the identifier.
        #[arg(value_name = "EMAIL or ID")]
        user: String,
    },
    /// Make a user an operator of this server. Operators may suspend and erase users, and replay projections. The log
    /// keeps the change, and the operating system's user who made it.
    MakeOperator {
        /// The user: the email address or the identifier.
        #[arg(value_name = "EMAIL or ID")]
        user: String,
    },
    /// Make an operator an ordinary user. The last operator stays.
    RemoveOperator {
        /// The user: the email address or the identifier.
        #[arg(value_name = "EMAIL or ID")]
        user: String,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Add(arguments) => add::run(&settings, arguments).await,
        Verb::List(arguments) => list::run(&settings, &arguments).await,
        Verb::Show(arguments) => list::show(&settings, &arguments).await,
        Verb::SetPassword(arguments) => password::run(&settings, arguments).await,
        Verb::SignOut { user } => sign_out(&settings, &user).await,
        Verb::Suspend { user, reason } => suspend(&commands(&settings).await?, &user, reason.as_deref()).await,
        Verb::Reactivate { user } => reactivate(&commands(&settings).await?, &user).await,
        Verb::MakeOperator { user } => make_operator(&commands(&settings).await?, &user).await,
        Verb::RemoveOperator { user } => remove_operator(&commands(&settings).await?, &user).await,
    }
}

async fn sign_out(settings: &Settings, named: &str) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    let user_id = find(&commands, named).await?;
    let ended = sessions(settings, &commands).await?.sign_out(&asked().context, user_id).await?;
    print(&format!("{user_id} is signed out: {ended} sessions have ended"))
}

async fn suspend(commands: &Commands, named: &str, reason: Option<&str>) -> Result<(), Failure> {
    let reason = reason.map(Reason::parse).transpose()?;
    let user_id = find(commands, named).await?;
    if commands.user_state(user_id).await?.suspended {
        return print(&format!("{user_id} is already suspended"));
    }
    let others = another_operator(commands, user_id).await?;
    let suspended = commands.suspend_user(&asked(), user_id, reason, &others).await?;
    print(&format!("{user_id} is suspended from position {} on", suspended.position))
}

async fn reactivate(commands: &Commands, named: &str) -> Result<(), Failure> {
    let user_id = find(commands, named).await?;
    let state = commands.user_state(user_id).await?;
    if !state.suspended && !state.erased {
        return print(&format!("{user_id} is not suspended"));
    }
    let reactivated = commands.user(&asked(), user_id, UserCommand::Reactivate).await?;
    print(&format!("{user_id} is active from position {} on", reactivated.position))
}

async fn make_operator(commands: &Commands, named: &str) -> Result<(), Failure> {
    let user_id = find(commands, named).await?;
    if commands.user_state(user_id).await?.is_operator() {
        return print(&format!("{user_id} is already an operator"));
    }
    let made = commands.user(&asked(), user_id, UserCommand::MakeOperator).await?;
    print(&format!("{user_id} is an operator from position {} on", made.position))
}

async fn remove_operator(commands: &Commands, named: &str) -> Result<(), Failure> {
    let user_id = find(commands, named).await?;
    let state = commands.user_state(user_id).await?;
    if !state.registration.as_ref().is_some_and(|registration| registration.is_operator) {
        return print(&format!("{user_id} is not an operator"));
    }
    let others = another_operator(commands, user_id).await?;
    let removed = commands.remove_operator(&asked(), user_id, &others).await?;
    print(&format!("{user_id} is not an operator any more from position {} on", removed.position))
}

/// Another active operator, if there is one. It comes from the log, because the read side may be behind, or empty when
/// no server runs.
async fn another_operator(commands: &Commands, user_id: UserId) -> Result<Vec<UserId>, Failure> {
    let mut after = None;
    loop {
        let page = commands.page_of_users(after, STEP_USERS).await?;
        if let Some((other, _)) = page.iter().find(|(id, user)| *id != user_id && user.is_operator()) {
            return Ok(vec![*other]);
        }
        match page.last() {
            Some((last, _)) => after = Some(*last),
            None => return Ok(Vec::new()),
        }
    }
}

/// Finds a user by email address or identifier. Usernames are not accepted, because one could look like either.
pub(super) async fn find(commands: &Commands, named: &str) -> Result<UserId, Failure> {
    let found = match named.parse::<Uuid>() {
        Ok(id) => Some(UserId(id)),
        Err(_) if named.contains('@') => commands.user_by_login(named).await?,
        Err(_) => None,
    };
    let unknown = || Failure::new(Exit::Wrong, anyhow::anyhow!("there is no user {named}: give the email address or the identifier"));
    let user_id = found.ok_or_else(unknown)?;
    let is_known = commands.user_state(user_id).await?.registration.is_some();
    if is_known { Ok(user_id) } else { Err(unknown()) }
}
