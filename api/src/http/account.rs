//! The row of the caller's own account.

use chrono::{DateTime, Utc};
use projections::relational::users::UserRow;
use serde::Serialize;
use serde_json::Value;
use shapes::CustomStatus;
use utoipa::ToSchema;
use uuid::Uuid;

/// The caller's own account.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// The user.
    user_id: Uuid,
    /// The mail address.
    email: String,
    /// The name that others mention.
    username: String,
    /// The display name.
    display_name: String,
    /// The address of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    /// Whether the user was erased.
    is_erased: bool,
    /// `active`, `suspended` or `erased`.
    account_state: String,
    /// The job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// A text about the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    bio: Option<String>,
    /// The pronouns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pronouns: Option<String>,
    /// The user's custom status. Absent if it has ended, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<CustomStatus>,
    /// The time zone in which the user's day begins.
    timezone: String,
    /// The language of the user's client.
    language: String,
    /// The client's notification settings. The server does not read them.
    #[serde(serialize_with = "domain::document::serialize")]
    notification_settings: Value,
    /// The client's theme. The server does not read it.
    #[serde(serialize_with = "domain::document::serialize")]
    theme_preferences: Value,
    /// Whether a second factor is required.
    mfa_enabled: bool,
    /// Whether the user is a bot.
    is_bot: bool,
    /// Whether the user is an operator of this server.
    is_operator: bool,
    /// When the user registered.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    created_at: DateTime<Utc>,
    /// When the account last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    updated_at: DateTime<Utc>,
    /// When the user last signed in.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    last_login_at: Option<DateTime<Utc>>,
    /// When the user will be erased, if an erasure was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    erasure_due_at: Option<DateTime<Utc>>,
    /// The position of the account's last change in the log.
    position: i64,
}

impl From<UserRow> for Account {
    fn from(row: UserRow) -> Self {
        let (custom_status, is_erased) = (row.custom_status(), row.is_erased());
        Self {
            user_id: row.user_id,
            email: row.email,
            username: row.username,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            is_erased,
            account_state: row.status,
            title: row.title,
            phone: row.phone,
            bio: row.bio,
            pronouns: row.pronouns,
            custom_status,
            timezone: row.timezone,
            language: row.language,
            notification_settings: row.notification_settings,
            theme_preferences: row.theme_preferences,
            mfa_enabled: row.mfa_enabled,
            is_bot: row.is_bot,
            is_operator: row.is_operator,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_login_at: row.last_login_at,
            erasure_due_at: row.erasure_due_at,
            position: row.position,
        }
    }
}
