//! `backscroll users add`: the first user of a server, and each further one, without HTTP.

use clap::Args;
use domain::ids::UserId;
use domain::text::{DisplayName, Email, Username};
use domain::user::{Preferences, Profile, Registration};
use identity::registration::Registrations;
use uuid::Uuid;

use super::password::PasswordSource;
use crate::cli::connection::{asked, commands, credentials, passwords};
use crate::cli::{Failure, print};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The email address. It is unique on this server.
    #[arg(long)]
    email: String,
    /// The username. It is unique on this server.
    #[arg(long)]
    username: String,
    /// The name that others see. The default is the username.
    #[arg(long)]
    name: Option<String>,
    /// Make the user an operator of this server. The first user is always one.
    #[arg(long)]
    operator: bool,
    #[command(flatten)]
    password: PasswordSource,
}

impl Arguments {
    fn registration(&self) -> Result<Registration, Failure> {
        let display_name = DisplayName::parse(self.name.as_deref().unwrap_or(&self.username))?;
        Ok(Registration {
            email: Email::parse(&self.email)?,
            username: Username::parse(&self.username)?,
            profile: Profile { display_name, avatar_url: None, title: None, phone: None, bio: None, pronouns: None },
            preferences: Preferences::default(),
            is_bot: false,
            is_operator: self.operator,
        })
    }
}

pub(super) async fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    let registration = arguments.registration()?;
    let commands = commands(settings).await?;
    let passwords = passwords()?;
    let password = passwords.parse_for(arguments.password.read()?, Some(&registration)).await?;
    let user_id = UserId(Uuid::now_v7());
    let registrations = Registrations::new(commands.clone(), credentials(settings).await?, passwords);
    let registered = registrations.register(&asked(), user_id, registration, password, None).await?;
    let role = if commands.user_state(user_id).await?.is_operator() { ", as an operator of this server" } else { "" };
    print(&format!("{user_id} is registered from position {} on{role}", registered.position))
}
