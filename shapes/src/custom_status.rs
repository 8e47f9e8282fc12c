//! A custom status: a text, an emoji, or both, until a given time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The text and the emoji that a user shows beside their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomStatus {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The emoji.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// When it ends. Absent if it has no end.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub expires_at: Option<DateTime<Utc>>,
}

impl CustomStatus {
    /// The status now. `None` if it has ended, or if it has neither a text nor an emoji.
    #[must_use]
    pub fn now(text: Option<String>, emoji: Option<String>, expires_at: Option<DateTime<Utc>>) -> Option<Self> {
        let has_ended = expires_at.is_some_and(|expires_at| expires_at <= Utc::now());
        let is_set = text.is_some() || emoji.is_some();
        (is_set && !has_ended).then_some(Self { text, emoji, expires_at })
    }
}
