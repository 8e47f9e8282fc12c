//! The headers that operations share, for the OpenAPI document. What reads them is in `extract`.

use utoipa::IntoParams;

/// What every command takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct CommandHeaders {
    /// Whoever sends the same request again under the same key gets the outcome of the first, and nothing is done twice. 1 to 200 visible
    /// characters; a random UUID is a good one.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 200, example = "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b")]
    pub idempotency_key: Option<String>,
}

/// What every query takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct QueryHeaders {
    /// The position that the answer must have seen: what a command answered as `Backscroll-Position`. The query waits for it, at most 5 seconds.
    #[param(rename = "Backscroll-Min-Position", minimum = 0, example = 4711)]
    pub min_position: Option<i64>,
}
