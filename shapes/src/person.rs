//! A person.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A person. Each row about a person has these fields, and more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention. Absent if the user was erased, or if names were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The display name. Absent if the user was erased, or if names were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The address of the user's picture. Absent as the names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the user was erased. Then nothing else is known about them.
    #[serde(default)]
    pub is_erased: bool,
}

impl Person {
    /// Leaves out the names and the picture.
    pub fn leave_out_names(&mut self) {
        (self.username, self.display_name, self.avatar_url) = (None, None, None);
    }
}
