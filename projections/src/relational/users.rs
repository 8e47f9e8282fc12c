//! `users`: all users of this server, people and bots.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::UserEvent;
use domain::ids::{UserId, WorkspaceId};
use domain::personal;
use domain::user::{Preferences, Profile, Registration};
use serde::Serialize;
use serde_json::Value;
use shapes::{CustomStatus, Person};
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::stamp::{EventStamp, to_micros};
use crate::read_models::{QueryError, ReadModels, rows};

/// The status of the account of a user who was erased.
const ERASED: &str = "erased";

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserRow {
    /// The user.
    pub user_id: Uuid,
    /// The user's mail address.
    pub email: String,
    /// The name that others mention.
    pub username: String,
    /// The display name.
    pub display_name: String,
    /// The address of the user's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The time zone in which the user's day begins.
    pub timezone: String,
    /// `active`, `suspended` or `erased`.
    pub status: String,
    /// Job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A short text about the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// Pronouns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pronouns: Option<String>,
    /// The client's notification settings. The server does not read them.
    #[serde(serialize_with = "domain::document::serialize")]
    pub notification_settings: Value,
    /// The client's theme. The server does not read it.
    #[serde(serialize_with = "domain::document::serialize")]
    pub theme_preferences: Value,
    /// The language of the user's client.
    pub language: String,
    /// Whether a second factor is required.
    pub mfa_enabled: bool,
    /// The status text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_text: Option<String>,
    /// The status emoji.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_emoji: Option<String>,
    /// When the status expires.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub status_expires_at: Option<DateTime<Utc>>,
    /// Whether the user is a bot.
    pub is_bot: bool,
    /// Whether the user is an operator of this server.
    pub is_operator: bool,
    /// When the user registered.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub updated_at: DateTime<Utc>,
    /// When the user last signed in.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub last_login_at: Option<DateTime<Utc>>,
    /// The last event that was applied to the row.
    pub position: i64,
    /// When the user will be erased, if an erasure was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub erasure_due_at: Option<DateTime<Utc>>,
}

/// A member of a workspace, as the directory shows it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DirectoryRow {
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention.
    pub username: String,
    /// The display name.
    pub display_name: String,
    /// The user's mail address. Guests do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The address of the user's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The job title in this workspace, or else the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Department in this workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// A short text about the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// Pronouns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pronouns: Option<String>,
    /// Telephone number. Guests do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The time zone in which the user's day begins.
    pub timezone: String,
    /// The user's custom status. Absent if it has ended, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CustomStatus>)]
    pub custom_status: Option<Json<CustomStatus>>,
    /// Whether the user was erased: never, because the directory lists people to write to.
    pub is_erased: bool,
    /// Whether the user is a bot.
    pub is_bot: bool,
    /// Owner, admin, member or guest.
    pub role: String,
}

/// Applies an event to a user.
pub(super) fn apply(users: &mut Rows<UserRow>, id: Uuid, stamp: EventStamp, event: &UserEvent) -> Result<(), Missing> {
    match event {
        UserEvent::Registered(registration) => {
            users.insert(UserRow::registered(id, stamp, registration));
            Ok(())
        }
        UserEvent::ProfileChanged(profile) => users.change(id, stamp, |user| user.set_profile(profile)),
        UserEvent::PreferencesChanged(preferences) => users.change(id, stamp, |user| user.set_preferences(preferences)),
        UserEvent::StatusChanged { text, emoji, expires_at } => users.change(id, stamp, |user| {
            user.status_text = text.as_ref().map(ToString::to_string);
            user.status_emoji = emoji.as_ref().map(ToString::to_string);
            user.status_expires_at = expires_at.map(to_micros);
        }),
        UserEvent::Suspended { reason: _ } => users.change(id, stamp, |user| user.status = "suspended".into()),
        UserEvent::Reactivated {} => users.change(id, stamp, |user| user.status = "active".into()),
        UserEvent::MadeOperator {} => users.change(id, stamp, |user| user.is_operator = true),
        UserEvent::OperatorRemoved {} => users.change(id, stamp, |user| user.is_operator = false),
        // These change no column of the account, but the row has the event's stamp.
        UserEvent::ErasureProposed { .. } | UserEvent::PasswordReset {} => users.change(id, stamp, |_| ()),
        UserEvent::ErasureRequested { requested_by: _, due_at } => {
            users.change(id, stamp, |user| user.erasure_due_at = Some(to_micros(*due_at)))
        }
        UserEvent::ErasureCancelled { cancelled_by: _ } => users.change(id, stamp, |user| user.erasure_due_at = None),
        UserEvent::Erased { invitations: _ } => users.change(id, stamp, UserRow::erase),
    }
}

/// Reads users.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<UserRow>> {
    query_file_as!(UserRow, "src/relational/sql/users.sql", ids).fetch_all(connection).await
}

/// Writes when users last signed in, unless the stored time is later.
pub(super) async fn save_logins(connection: &mut PgConnection, logins: &HashMap<Uuid, DateTime<Utc>>) -> sqlx::Result<()> {
    let (ids, times) = logins.iter().map(|(id, at)| (*id, *at)).unzip::<_, _, Vec<_>, Vec<_>>();
    query!(
        "UPDATE users SET last_login_at = GREATEST(users.last_login_at, login.at)
         FROM unnest($1::uuid[], $2::timestamptz[]) AS login (user_id, at)
         WHERE users.user_id = login.user_id",
        &ids,
        &times,
    )
    .execute(connection)
    .await
    .map(drop)
}

row!(UserRow, "users", user_id, updated_at);

json_row! {
    UserRow, "users", "user_id",
    "email", "username", "display_name", "avatar_url", "timezone", "status", "title", "phone", "bio", "pronouns",
    "notification_settings", "theme_preferences", "language", "mfa_enabled", "status_text", "status_emoji",
    "status_expires_at", "is_bot", "is_operator", "created_at", "updated_at", "last_login_at", "position",
    "erasure_due_at"
}

impl UserRow {
    /// The row of a user who has just registered, with an event that was recorded at this position and time. Queries
    /// return the same row as soon as the event is projected.
    #[must_use]
    pub fn just_registered(user_id: UserId, (position, recorded_at): (i64, DateTime<Utc>), registration: &Registration) -> Self {
        let at = to_micros(recorded_at);
        Self::registered(user_id.0, EventStamp { position, at, recorded_at: at }, registration)
    }

    fn registered(user_id: Uuid, stamp: EventStamp, registration: &Registration) -> Self {
        let mut user = Self {
            user_id,
            email: registration.email.to_string(),
            username: registration.username.to_string(),
            display_name: String::new(),
            avatar_url: None,
            timezone: String::new(),
            status: "active".into(),
            title: None,
            phone: None,
            bio: None,
            pronouns: None,
            notification_settings: Value::Null,
            theme_preferences: Value::Null,
            language: String::new(),
            mfa_enabled: false,
            status_text: None,
            status_emoji: None,
            status_expires_at: None,
            is_bot: registration.is_bot,
            is_operator: registration.is_operator,
            created_at: stamp.at,
            updated_at: stamp.at,
            last_login_at: None,
            position: stamp.position,
            erasure_due_at: None,
        };
        user.set_profile(&registration.profile);
        user.set_preferences(&registration.preferences);
        user
    }

    /// Removes all personal data.
    fn erase(&mut self) {
        let name = personal::short_name(self.user_id);
        (self.email, self.username, self.display_name) = (format!("{name}@erased.invalid"), name.clone(), name);
        (self.avatar_url, self.title, self.phone, self.bio, self.pronouns) = (None, None, None, None, None);
        (self.status_text, self.status_emoji, self.status_expires_at) = (None, None, None);
        self.set_preferences(&Preferences::default());
        (self.status, self.erasure_due_at) = (ERASED.into(), None);
    }

    fn set_profile(&mut self, profile: &Profile) {
        self.display_name = profile.display_name.to_string();
        self.avatar_url = profile.avatar_url.as_ref().map(ToString::to_string);
        self.title = profile.title.as_ref().map(ToString::to_string);
        self.phone = profile.phone.as_ref().map(ToString::to_string);
        self.bio = profile.bio.as_ref().map(ToString::to_string);
        self.pronouns = profile.pronouns.as_ref().map(ToString::to_string);
    }

    fn set_preferences(&mut self, preferences: &Preferences) {
        self.timezone = preferences.timezone.as_ref().map_or_else(|| "UTC".into(), ToString::to_string);
        self.language = preferences.language.as_ref().map_or_else(|| "en".into(), ToString::to_string);
        self.notification_settings = Value::Object(preferences.notification_settings.clone());
        self.theme_preferences = Value::Object(preferences.theme_preferences.clone());
    }
}

impl UserRow {
    /// Whether the user was erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.status == ERASED
    }

    /// The user, as rows about a person show them.
    #[must_use]
    pub fn person(&self) -> Person {
        let name = |name: &String| Some(name.clone()).filter(|_| !self.is_erased());
        Person {
            user_id: self.user_id,
            username: name(&self.username),
            display_name: name(&self.display_name),
            avatar_url: self.avatar_url.clone(),
            is_erased: self.is_erased(),
        }
    }

    /// The user's custom status, unless it has ended. The table keeps it until the user sets another.
    #[must_use]
    pub fn custom_status(&self) -> Option<CustomStatus> {
        CustomStatus::now(self.status_text.clone(), self.status_emoji.clone(), self.status_expires_at)
    }
}

impl ReadModels {
    /// Returns a user.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn user(&self, user_id: UserId) -> Result<Option<UserRow>, QueryError> {
        Ok(self.users(&[user_id]).await?.pop())
    }

    /// Returns users, in order of their identifiers. Unknown ones are left out.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn users(&self, user_ids: &[UserId]) -> Result<Vec<UserRow>, QueryError> {
        let ids = user_ids.iter().map(|id| id.0).collect::<Vec<_>>();
        Ok(query_file_as!(UserRow, "src/relational/sql/users.sql", &ids).fetch_all(&self.pool).await?)
    }

    /// Returns active members of a workspace with their profiles, by name. `query` is searched in the names, the
    /// address, the title and the department, ignoring case. `after` is the name and the identifier of the last user of
    /// the page before, as they were then: nobody is left out when that user takes another name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn user_directory(
        &self,
        workspace_id: WorkspaceId,
        query: Option<&str>,
        after: Option<(String, Uuid)>,
        limit: u16,
    ) -> Result<Vec<DirectoryRow>, QueryError> {
        let (pattern, (name, user_id)) = (query.map(contains), after.unzip());
        let file =
            query_file_as!(DirectoryRow, "src/relational/sql/user_directory.sql", workspace_id.0, pattern, name, user_id, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }
}

/// The `ILIKE` pattern for a text that contains `needle`. No character of the needle is a wildcard.
pub(super) fn contains(needle: &str) -> String {
    let mut pattern = String::from("%");
    for c in needle.trim().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_character_of_a_search_is_a_wildcard() {
        assert_eq!(super::contains(" 50%_a\\b "), "%50\\%\\_a\\\\b%");
    }
}
