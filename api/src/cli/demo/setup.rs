//! The demo's owner and workspace. A later run finds those of the first.

use anyhow::Context as _;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use commands::event_store::{Claim, ClaimKind};
use commands::{CommandRequest, NewWorkspace};
use domain::Context;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::text::{DisplayName, Email, Username, WorkspaceDomain, WorkspaceName};
use domain::user::{Preferences, Profile, Registration};
use domain::workspace::Details;
use identity::password::Password;
use identity::sessions::Device;
use state::token::Token;
use uuid::Uuid;

use super::run_file::Saved;
use crate::app::{App, StartError};
use crate::cli::Failure;

/// The owner's email address.
pub(super) const OWNER_EMAIL: &str = "owner@backscroll.example";
const OWNER_USERNAME: &str = "owner";
const DOMAIN: &str = "demo.backscroll.example";

/// The demo's owner and workspace.
pub(super) struct Setup {
    pub owner_id: UserId,
    pub password: String,
    pub token: Token,
    pub workspace_id: WorkspaceId,
    pub general_id: ChannelId,
    owner_is_new: bool,
    workspace_is_new: bool,
}

impl Setup {
    pub(super) fn summary(&self) -> String {
        let done = |is_new| if is_new { "created" } else { "found" };
        format!("owner {OWNER_EMAIL}: {}\nworkspace {DOMAIN}: {}", done(self.owner_is_new), done(self.workspace_is_new))
    }
}

pub(super) async fn set_up(app: &App, saved: Saved) -> Result<Setup, Failure> {
    let (owner_id, password, owner_is_new) = owner(app, saved.password).await?;
    let (workspace_id, workspace_is_new) = workspace(app, owner_id).await?;
    let token = token(app, owner_id, saved.token).await?;
    let workspace = app.commands.workspace_state(workspace_id).await.context("the workspace cannot be read")?;
    let general_id = workspace.general_channel_id.context("the workspace has no #general")?;
    Ok(Setup { owner_id, password, token, workspace_id, general_id, owner_is_new, workspace_is_new })
}

/// Finds or creates the owner. The saved password is used if it still matches. Otherwise the owner gets a new one.
async fn owner(app: &App, saved: Option<String>) -> Result<(UserId, String, bool), Failure> {
    let found = app.commands.user_by_login(OWNER_EMAIL).await.context("the owner cannot be looked up")?;
    if let (Some(owner_id), Some(password)) = (found, &saved) {
        let stored = app.credentials.hash_of(owner_id).await.context("the owner's password cannot be read")?;
        if app.passwords.matches(password.clone().into(), stored).await.context("the owner's password cannot be checked")? {
            return Ok((owner_id, password.clone(), false));
        }
    }
    let password = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>());
    let owner_id = found.unwrap_or_else(|| Uuid::now_v7().into());
    let parsed = Password::parse(password.clone().into(), &[]).map_err(anyhow::Error::from)?;
    let hash = app.passwords.hash(parsed).await.context("the owner's password cannot be hashed")?;
    app.credentials.replace(owner_id, &hash).await.context("the owner's password cannot be stored")?;
    if found.is_none() {
        app.commands.register_user(&asked(owner_id), owner_id, registration()?).await.context("the owner cannot be registered")?;
    }
    Ok((owner_id, password, found.is_none()))
}

fn registration() -> anyhow::Result<Registration> {
    let display_name = DisplayName::parse("Owner")?;
    Ok(Registration {
        email: Email::parse(OWNER_EMAIL)?,
        username: Username::parse(OWNER_USERNAME)?,
        profile: Profile { display_name, avatar_url: None, title: None, phone: None, bio: None, pronouns: None },
        preferences: Preferences::default(),
        is_bot: false,
        is_operator: false,
    })
}

async fn workspace(app: &App, owner_id: UserId) -> Result<(WorkspaceId, bool), Failure> {
    let claim = Claim::on_server(ClaimKind::WorkspaceDomain, DOMAIN);
    let holders = app.commands.store().holders(&[claim]).await.map_err(StartError::from)?;
    if let Some(id) = holders.into_values().next() {
        return Ok((id.into(), false));
    }
    let new = NewWorkspace {
        workspace_id: Uuid::now_v7().into(),
        general_channel_id: Uuid::now_v7().into(),
        details: details()?,
        domain: Some(WorkspaceDomain::parse(DOMAIN).map_err(anyhow::Error::from)?),
        max_members: app.settings.workspace_members_max,
        each_max: None,
    };
    let created = app.commands.create_workspace(&asked(owner_id), new).await.context("the workspace cannot be created")?;
    Ok((created.id.into(), true))
}

fn details() -> anyhow::Result<Details> {
    Ok(Details { name: WorkspaceName::parse("Demo")?, description: None, avatar_url: None })
}

/// The saved token if its session still exists. Otherwise a new one.
async fn token(app: &App, owner_id: UserId, saved: Option<String>) -> Result<Token, Failure> {
    if let Some(token) = saved.as_deref().and_then(Token::parse_session) {
        let session = app.sessions.take_up(&token).await.context("the session cannot be read")?;
        if session.is_some_and(|session| session.user_id == owner_id) {
            return Ok(token);
        }
    }
    let device = Device { device_type: Some("demo".into()), ..Device::default() };
    let (token, _) = app.sessions.start(owner_id, device).await.context("the owner cannot be signed in")?;
    Ok(token)
}

fn asked(actor: UserId) -> CommandRequest {
    CommandRequest { context: Context::of(actor, Utc::now(), Uuid::now_v7()), idempotency: None, unchanged_since: None }
}
