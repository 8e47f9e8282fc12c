//! The caller's own account: reading it, and changing it.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, patch, put};
use chrono::{DateTime, Utc};
use commands::{AccessRefusal, Commands};
use domain::UserCommand;
use domain::text::{AvatarUrl, Bio, DisplayName, Emoji, InvalidText, Language, Phone, Pronouns, StatusText, Timezone, Title};
use domain::user::{Json, Preferences, Profile};
use identity::confirmation::Confirmations;
use identity::password::Passwords;
use identity::sign_in::SignIns;
use projections::ReadModels;
use serde::Deserialize;
use serde_json::Value;
use state::credentials::Credentials;
use utoipa::ToSchema;

use super::account::Account;
use super::answer::{Done, RowFollows};
use super::command_rows::{By, CommandRows};
use super::headers::{CommandHeaders, IfMatchHeader, IfNoneMatchHeader, QueryHeaders};
use super::sessions::SignOut;
use super::users::{no_such_user, parse_password};
use crate::config::Secret;
use crate::extract::{Actor, Body, Change, Checks, Command, Reading, Tagged, merge, parts};
use crate::problem::Problem;

/// The most bytes of a client's own settings, as JSON.
const JSON_BYTES_MAX: usize = 65_536;

parts! {
    /// The parts that change a password.
    pub struct PasswordParts {
        credentials: Credentials,
        passwords: Passwords,
        confirmations: Confirmations,
        sign_ins: SignIns,
    }
}

/// Get the caller's account
///
/// The answer has more than others see: the preferences, the address, and the time of a requested erasure.
#[utoipa::path(tag = "users", params(QueryHeaders, IfNoneMatchHeader), responses(
    (status = 200, description = "The caller.", body = Account, headers(("ETag", description = "For `If-Match` and `If-None-Match`."))),
    (status = 304, description = "The row is the one that `If-None-Match` names.")))]
#[get("/users/me")]
pub async fn get_me(reading: Reading, read_models: Data<ReadModels>) -> Result<Tagged<Account>, Problem> {
    let user = read_models.user(reading.actor).await?.ok_or_else(no_such_user)?;
    Ok(reading.answer_row(user.position, user.into()))
}

/// Changes of the profile. An absent field stays, and `null` clears a field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProfile {
    /// The display name. It cannot be cleared.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    display_name: Change<String>,
    /// The address of the picture.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000, example = "https://example.org/ann.png")]
    avatar_url: Change<String>,
    /// The job title.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    title: Change<String>,
    /// The telephone number.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 50)]
    phone: Change<String>,
    /// A text about the user.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 10000)]
    bio: Change<String>,
    /// The pronouns.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 50)]
    pronouns: Change<String>,
}

/// A parsed change of a profile.
struct ProfileChange {
    display_name: Option<DisplayName>,
    avatar_url: Change<AvatarUrl>,
    title: Change<Title>,
    phone: Change<Phone>,
    bio: Change<Bio>,
    pronouns: Change<Pronouns>,
}

impl ChangeProfile {
    fn parse(&self) -> Result<ProfileChange, Problem> {
        let mut checks = Checks::default();
        let parsed = (
            checks.note(self.display_name.parse_required("display_name", |text| DisplayName::parse(text))),
            checks.note(self.avatar_url.parse(|text| AvatarUrl::parse(text))),
            checks.note(self.title.parse(|text| Title::parse(text))),
            checks.note(self.phone.parse(|text| Phone::parse(text))),
            checks.note(self.bio.parse(|text| Bio::parse(text))),
            checks.note(self.pronouns.parse(|text| Pronouns::parse(text))),
        );
        let (Some(display_name), Some(avatar_url), Some(title), Some(phone), Some(bio), Some(pronouns)) = parsed else {
            return Err(checks.refusal());
        };
        Ok(ProfileChange { display_name, avatar_url, title, phone, bio, pronouns })
    }
}

impl ProfileChange {
    fn of(&self, before: &Profile) -> Profile {
        Profile {
            display_name: self.display_name.clone().unwrap_or_else(|| before.display_name.clone()),
            avatar_url: self.avatar_url.of(before.avatar_url.as_ref()),
            title: self.title.of(before.title.as_ref()),
            phone: self.phone.of(before.phone.as_ref()),
            bio: self.bio.of(before.bio.as_ref()),
            pronouns: self.pronouns.of(before.pronouns.as_ref()),
        }
    }
}

/// Change the caller's profile (JSON Merge Patch)
///
/// An absent member stays as it is, and `null` clears it. Everybody who shares a workspace with the caller sees the
/// profile. It is the same in all workspaces.
#[utoipa::path(tag = "users", request_body = ChangeProfile, params(CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The caller with the new profile.", body = Account), RowFollows))]
#[patch("/users/me")]
pub async fn change_profile(
    command: Command<Body<ChangeProfile>>,
    commands: Data<Commands>,
    rows: CommandRows,
) -> Result<Done<Account>, Problem> {
    let change = command.body.input.parse()?;
    let asked = command.asked();
    let appended = commands.user_with(&asked, command.actor.user_id, "change profile", |user| match &user.registration {
        Some(registration) => Ok(UserCommand::ChangeProfile(Box::new(change.of(&registration.profile)))),
        None => Err(AccessRefusal::NotActive.into()),
    });
    let appended = appended.await?;
    let row = rows.caller(By(command.actor.user_id, &appended)).await;
    Ok(Done::changed(appended, row))
}

/// Changes of the preferences. An absent field stays, and `null` clears a field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePreferences {
    /// A name of the time zone database.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 50, example = "Europe/Zurich")]
    timezone: Change<String>,
    /// A language tag.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 10, example = "en")]
    language: Change<String>,
    /// The client's own settings. The server only stores them. Their members are merged too, and `null` removes one.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    notification_settings: Change<Json>,
    /// The client's own settings. The server only stores them. Their members are merged too, and `null` removes one.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    theme_preferences: Change<Json>,
}

/// A parsed change of preferences.
struct PreferencesChange {
    timezone: Change<Timezone>,
    language: Change<Language>,
    notification_settings: Change<Json>,
    theme_preferences: Change<Json>,
}

impl ChangePreferences {
    fn parse(&self) -> Result<PreferencesChange, Problem> {
        let mut checks = Checks::default();
        let parsed = (
            checks.note(self.timezone.parse(|text| Timezone::parse(text))),
            checks.note(self.language.parse(|text| Language::parse(text))),
            checks.note(self.notification_settings.parse(|json| storable("notification_settings", json))),
            checks.note(self.theme_preferences.parse(|json| storable("theme_preferences", json))),
        );
        let (Some(timezone), Some(language), Some(notification_settings), Some(theme_preferences)) = parsed else {
            return Err(checks.refusal());
        };
        Ok(PreferencesChange { timezone, language, notification_settings, theme_preferences })
    }
}

/// Checks that a client's settings fit into a row: not too large, and without U+0000, which Postgres' `jsonb` refuses.
fn storable(field: &'static str, json: &Json) -> Result<Json, InvalidText> {
    let refuse = |reason: String| Err(InvalidText { field, reason });
    if json.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
        return refuse("may not contain the character U+0000".into());
    }
    match serde_json::to_string(json) {
        Ok(text) if text.len() <= JSON_BYTES_MAX => Ok(json.clone()),
        _ => refuse(format!("may have at most {JSON_BYTES_MAX} bytes as JSON")),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl PreferencesChange {
    fn of(&self, before: &Preferences) -> Preferences {
        Preferences {
            timezone: self.timezone.of(before.timezone.as_ref()),
            language: self.language.of(before.language.as_ref()),
            notification_settings: merged(&self.notification_settings, &before.notification_settings),
            theme_preferences: merged(&self.theme_preferences, &before.theme_preferences),
        }
    }
}

/// The settings after a change of some of their members.
fn merged(change: &Change<Json>, before: &Json) -> Json {
    match change {
        Change::Keep => before.clone(),
        Change::Clear => Json::new(),
        Change::Set(patch) => {
            let mut settings = before.clone();
            merge(&mut settings, patch);
            settings
        }
    }
}

/// Change the caller's preferences (JSON Merge Patch)
///
/// An absent member stays as it is, and `null` clears it. The server does not read `notification_settings` and
/// `theme_preferences`: they are the client's, and a new value replaces the whole. Nobody else sees the preferences.
#[utoipa::path(tag = "users", request_body = ChangePreferences, params(CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The caller with the new preferences.", body = Account), RowFollows))]
#[patch("/users/me/preferences")]
pub async fn change_preferences(
    command: Command<Body<ChangePreferences>>,
    commands: Data<Commands>,
    rows: CommandRows,
) -> Result<Done<Account>, Problem> {
    let change = command.body.input.parse()?;
    let asked = command.asked();
    let appended = commands.user_with(&asked, command.actor.user_id, "change preferences", |user| match &user.registration {
        Some(registration) => Ok(UserCommand::ChangePreferences(change.of(&registration.preferences))),
        None => Err(AccessRefusal::NotActive.into()),
    });
    let appended = appended.await?;
    let row = rows.caller(By(command.actor.user_id, &appended)).await;
    Ok(Done::changed(appended, row))
}

/// The custom status. Without any field, it is cleared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCustomStatus {
    /// The text.
    #[schema(max_length = 200, example = "In a meeting")]
    text: Option<String>,
    /// The emoji.
    #[schema(max_length = 100, example = "📅")]
    emoji: Option<String>,
    /// The time at which it ends.
    expires_at: Option<DateTime<Utc>>,
}

/// Set or clear the caller's custom status
///
/// An empty body clears it. Everybody who shares a workspace with the caller sees it. With `expires_at` it ends
/// by itself.
#[utoipa::path(tag = "users", request_body = ChangeCustomStatus, params(CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The caller with the new custom status.", body = Account), RowFollows))]
#[put("/users/me/custom-status")]
pub async fn change_custom_status(
    command: Command<Body<ChangeCustomStatus>>,
    commands: Data<Commands>,
    rows: CommandRows,
) -> Result<Done<Account>, Problem> {
    let input = &command.body.input;
    let mut checks = Checks::default();
    let text = checks.note(input.text.as_deref().map(StatusText::parse).transpose());
    let emoji = checks.note(input.emoji.as_deref().map(Emoji::parse).transpose());
    let (Some(text), Some(emoji)) = (text, emoji) else { return Err(checks.refusal()) };
    let change = UserCommand::ChangeStatus { text, emoji, expires_at: input.expires_at };
    let appended = commands.user(&command.asked(), command.actor.user_id, change).await?;
    let row = rows.caller(By(command.actor.user_id, &appended)).await;
    Ok(Done::changed(appended, row))
}

/// A new password, and the current one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The current password.
    #[schema(value_type = String, min_length = 1, max_length = 200, format = Password)]
    current_password: Secret,
    /// The new password.
    #[schema(value_type = String, min_length = 8, max_length = 200, format = Password)]
    new_password: Secret,
}

/// Change the caller's password, and end their other sessions
///
/// Requires the current password. All other sessions of the caller end, and this one goes on. Easily guessed passwords
/// are refused.
#[utoipa::path(tag = "users", request_body = ChangePassword, responses((status = 204, description = "The password is changed.")))]
#[put("/users/me/password")]
pub async fn change_password(
    actor: Actor,
    body: Body<ChangePassword>,
    commands: Data<Commands>,
    parts: PasswordParts,
    sign_out: SignOut,
) -> Result<HttpResponse, Problem> {
    let ChangePassword { current_password, new_password } = body.input;
    commands.read_access(actor.user_id).await?;
    let user = commands.user_state(actor.user_id).await?;
    let new_password = parse_password(&parts.passwords, "new_password", new_password, user.registration.as_ref()).await?;
    let context = actor.context();
    let stored = parts.confirmations.confirm(&context, current_password).await?;
    let hash = parts.passwords.hash(new_password).await?;
    let ended = sign_out.sessions.change_password(&parts.credentials, &context, actor.session_id, (&stored, &hash)).await?;
    // The password is already changed: an error here must not fail the request.
    if let Err(error) = parts.sign_ins.forget_other_devices(&context).await {
        tracing::warn!(%error, "the devices from before a password change could not be forgotten");
    }
    // Presence is updated in the background, so that the caller does not wait for it.
    tokio::spawn(async move { sign_out.leave(&ended).await });
    Ok(HttpResponse::NoContent().finish())
}
