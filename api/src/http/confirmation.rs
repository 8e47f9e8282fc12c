//! The body of a request that the caller must confirm with the password.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::config::Secret;

/// The caller's password, to confirm the request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmPassword {
    /// The current password.
    #[schema(value_type = String, min_length = 1, max_length = 200, format = Password)]
    pub(super) current_password: Secret,
}
