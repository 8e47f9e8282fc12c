//! Users: registration, the profile that others see, and the operators' actions. The caller's own account is in
//! `me.rs`.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post, put};
use commands::{Appended, CommandRequest, Commands, ReadAccess};
use domain::UserCommand;
use domain::ids::UserId;
use domain::text::{DisplayName, Email, Language, Reason, Timezone, Username};
use domain::user::{Preferences, Profile, Registration};
use identity::AuthError;
use identity::password::{Password, Passwords};
use identity::registration::{Admissions, Registrations};
use projections::ReadModels;
use projections::relational::users::UserRow;
use serde::{Deserialize, Serialize};
use shapes::{CustomStatus, Person};
use utoipa::ToSchema;
use uuid::Uuid;

use super::account::Account;
use super::answer::{Done, RowFollows};
use super::headers::{CommandHeaders, QueryHeaders};
use super::path::UserPath;
use crate::config::Secret;
use crate::extract::{Body, Checks, Circumstances, Command, Key, QueryAnswer, Reading, Visitor, parts};
use crate::problem::Problem;

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterUser {
    /// Unique on this server; case does not matter.
    #[schema(min_length = 3, max_length = 255, example = "ann@example.org")]
    email: String,
    /// Letters of any script, digits, `.`, `_` and `-`. Unique on this server; case does not matter. A name that looks
    /// like a taken one is taken, and some names are reserved, such as `me` and `here`.
    #[schema(min_length = 1, max_length = 100, example = "ann")]
    username: String,
    /// The display name.
    #[schema(min_length = 1, max_length = 200, example = "Ann Example")]
    display_name: String,
    /// The password to sign in with.
    #[schema(value_type = String, min_length = 8, max_length = 200, format = Password, example = "correct horse battery")]
    password: Secret,
    /// A name of the time zone database.
    #[schema(max_length = 50, example = "Europe/Zurich")]
    timezone: Option<String>,
    /// A language tag.
    #[schema(max_length = 10, example = "en")]
    language: Option<String>,
    /// The token of an invitation for this email address. A server whose `registration` is `invited` needs it; others only
    /// check that it is a token.
    #[schema(value_type = Option<String>, min_length = 47, max_length = 47, example = "bsi_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    invitation_token: Option<Secret>,
}

impl RegisterUser {
    fn parse(&self) -> Result<Registration, Problem> {
        let mut checks = Checks::default();
        let parsed = (
            checks.note(Email::parse(&self.email)),
            checks.note(Username::parse(&self.username)),
            checks.note(DisplayName::parse(&self.display_name)),
            checks.note(self.timezone.as_deref().map(Timezone::parse).transpose()),
            checks.note(self.language.as_deref().map(Language::parse).transpose()),
        );
        let (Some(email), Some(username), Some(display_name), Some(timezone), Some(language)) = parsed else {
            return Err(checks.refusal());
        };
        let profile = Profile { display_name, avatar_url: None, title: None, phone: None, bio: None, pronouns: None };
        let preferences = Preferences { timezone, language, ..Preferences::default() };
        Ok(Registration { email, username, profile, preferences, is_bot: false, is_operator: false })
    }
}

impl RegisterUser {
    /// Parses everything, so that one answer names the mistakes of the password too.
    async fn parse_with_password(&self, passwords: &Passwords) -> Result<(Registration, Password), Problem> {
        let registration = self.parse();
        let password = parse_password(passwords, "password", self.password.clone(), registration.as_ref().ok()).await;
        let mut checks = Checks::default();
        let (registration, password) = (checks.note(registration), checks.note(password));
        let (Some(registration), Some(password)) = (registration, password) else { return Err(checks.refusal()) };
        Ok((registration, password))
    }
}

/// Parses a new password. It must not be the user's address, username or display name.
pub(super) async fn parse_password(
    passwords: &Passwords,
    field: &'static str,
    text: Secret,
    registration: Option<&Registration>,
) -> Result<Password, Problem> {
    passwords.parse_for(text, registration).await.map_err(|error| match error {
        AuthError::Password(refusal) => Problem::password_refused(field, refusal),
        error => error.into(),
    })
}

parts! {
    /// The parts that a registration needs.
    pub struct Registering {
        commands: Commands,
        admissions: Admissions,
        passwords: Passwords,
        registrations: Registrations,
    }
}

/// Register a user
///
/// `registration` of `get_server` says who may register: everybody (`open`), people who send the `invitation_token` of
/// an invitation for their address (`invited`), or nobody (`closed`). The first user of a server becomes its operator.
/// Registering does not sign in.
#[utoipa::path(tag = "users", request_body = RegisterUser, security(()), params(CommandHeaders),
    responses((status = 201, description = "The user is registered.", body = Account), RowFollows))]
#[post("/users")]
pub async fn register_user(
    _: Visitor,
    body: Body<RegisterUser>,
    key: Key,
    from: Circumstances,
    registering: Registering,
) -> Result<Done<Account>, Problem> {
    let invitation = registering.admissions.admit(body.input.invitation_token.as_ref()).await?;
    let (registration, password) = body.input.parse_with_password(&registering.passwords).await?;
    let user_id = new_user_id(&key, &registration);
    let asked = CommandRequest {
        context: from.context_of(user_id),
        idempotency: key.idempotency(user_id, &open_parts(&registration)?),
        unchanged_since: None,
    };
    let appended = registering.registrations.register(&asked, user_id, registration.clone(), password, invitation).await?;
    let row = registering.row(user_id, &appended, registration).await;
    Ok(Done::created(appended, format!("/v1/users/{user_id}"), row))
}

impl Registering {
    /// The user as registered. Nobody is signed in here, so a repeated request does not show what the user has changed
    /// since.
    async fn row(&self, user_id: UserId, appended: &Appended, registration: Registration) -> Option<Account> {
        // The server decides who is an operator.
        let is_operator = self.commands.user_state(user_id).await.ok()?.registration.as_ref().is_some_and(|user| user.is_operator);
        let registration = Registration { is_operator, ..registration };
        Some(UserRow::just_registered(user_id, (appended.position, appended.recorded_at), &registration).into())
    }
}

/// The parts of the request that are not secret. The fingerprint of a request is stored, and a fast digest of a
/// password could be guessed.
fn open_parts(registration: &Registration) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(registration).map_err(|error| Problem::internal(&error))
}

/// With an idempotency key, the identifier is derived from it. So a repeated request has the same actor, and finds the
/// key again.
fn new_user_id(key: &Key, registration: &Registration) -> UserId {
    match key.sent() {
        Some(key) => {
            Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("backscroll:{}:{}", registration.email.folded(), key.as_str()).as_bytes()).into()
        }
        None => Uuid::now_v7().into(),
    }
}

pub(super) fn no_such_user() -> Problem {
    Problem::not_found("user.not_found", "the user does not exist, or you share no workspace with them")
}

/// A user, as others see them.
#[derive(Serialize, ToSchema)]
pub struct OtherUser {
    /// The user.
    user_id: Uuid,
    /// The email address. Guests do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The username. Others mention the user with it. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The display name. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// The address of the profile picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    /// The job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The telephone number. Guests do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The user's text about themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    bio: Option<String>,
    /// The pronouns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pronouns: Option<String>,
    /// The time zone.
    timezone: String,
    /// `active`, `suspended` or `erased`.
    account_state: String,
    /// The user's custom status. Absent if it has ended, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<CustomStatus>,
    /// Whether the user was erased. Then nothing else is known about them.
    is_erased: bool,
    /// Whether the user is a program.
    is_bot: bool,
}

impl From<UserRow> for OtherUser {
    fn from(row: UserRow) -> Self {
        let Person { user_id, username, display_name, avatar_url, is_erased } = row.person();
        let custom_status = row.custom_status();
        Self {
            user_id,
            email: Some(row.email).filter(|_| !is_erased),
            username,
            display_name,
            avatar_url,
            title: row.title,
            phone: row.phone,
            bio: row.bio,
            pronouns: row.pronouns,
            timezone: row.timezone,
            account_state: row.status,
            custom_status,
            is_erased,
            is_bot: row.is_bot,
        }
    }
}

/// Get a user who shares a workspace with the caller
///
/// A guest sees the people of the guest's channels, without addresses. Anybody else answers as a user who does not
/// exist.
#[utoipa::path(tag = "users", params(UserPath, QueryHeaders),
    responses((status = 200, description = "The user.", body = OtherUser)))]
#[get("/users/{user_id}")]
pub async fn get_user(path: Path<UserPath>, reading: Reading, read_models: Data<ReadModels>) -> Result<QueryAnswer<OtherUser>, Problem> {
    let shares_a_workspace = share_a_workspace(&read_models, &reading.access, path.user_id).await?;
    if !shares_a_workspace && !share_a_channel(&read_models, &reading.access, path.user_id).await? {
        return Err(no_such_user());
    }
    let user = OtherUser::from(read_models.user(path.user_id).await?.ok_or_else(no_such_user)?);
    Ok(reading.answer(if shares_a_workspace { user } else { OtherUser { email: None, phone: None, ..user } }))
}

/// Whether both are in a common channel. A guest knows the people of these channels only.
async fn share_a_channel(read_models: &ReadModels, access: &ReadAccess, other: UserId) -> Result<bool, Problem> {
    let channels = read_models.shared_channels(access.user_id(), &[other]).await?;
    Ok(access.recent().await?.shares_a_channel(&channels, other).await?)
}

/// The read model gives the candidates. The write side, which is never behind, decides. A workspace in which the caller
/// is a guest does not count.
async fn share_a_workspace(read_models: &ReadModels, access: &ReadAccess, other: UserId) -> Result<bool, Problem> {
    if access.user_id() == other {
        return Ok(true);
    }
    let workspaces = read_models.workspaces_of(access.user_id()).await?;
    let ids = workspaces.into_iter().map(|row| row.workspace_id.into()).collect::<Vec<_>>();
    Ok(access.recent().await?.shares_one_of(&ids, other).await?)
}

/// The reason to suspend a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendUser {
    /// The reason. Other users do not see it.
    #[schema(max_length = 1000, example = "left the company")]
    reason: Option<String>,
}

/// Suspend a user on the whole server
///
/// Operators only. The user's sessions end, and nobody can sign in to the account. The messages stay. The last operator
/// of the server cannot be suspended.
#[utoipa::path(tag = "users", request_body = SuspendUser, params(UserPath, CommandHeaders),
    responses((status = 204, description = "The user is suspended.")))]
#[put("/users/{user_id}/suspension")]
pub async fn suspend_user(
    path: Path<UserPath>,
    command: Command<Body<SuspendUser>>,
    commands: Data<Commands>,
    read_models: Data<ReadModels>,
) -> Result<Done, Problem> {
    let reason = command.body.input.reason.as_deref().map(Reason::parse).transpose()?;
    let operators = read_models.operators().await?;
    Ok(Done::no_content(commands.suspend_user(&command.asked(), path.user_id, reason, &operators).await?))
}

/// End a user's suspension
///
/// Operators only. The user must sign in again. If the user is not suspended, nothing changes.
#[utoipa::path(tag = "users", params(UserPath, CommandHeaders),
    responses((status = 204, description = "The suspension has ended.")))]
#[delete("/users/{user_id}/suspension")]
pub async fn reactivate_user(path: Path<UserPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.user(&command.asked(), path.user_id, UserCommand::Reactivate).await?))
}
