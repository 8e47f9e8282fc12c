//! The headers that several operations share, for the OpenAPI document. `extract` reads them.

use utoipa::IntoParams;

/// The header of every command.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct CommandHeaders {
    /// A key that the client chooses for this request. The same request with the same key gets the first answer again,
    /// and changes nothing. 1 to 200 visible characters, such as a random UUID.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 200, example = "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b")]
    pub idempotency_key: Option<String>,
}

/// The header of commands that change a row with an `ETag`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// The `ETag` of the row as the client knows it. If the row has changed since, the command is refused (412
    /// `request.row_changed`). Reactions, replies, members and the like are no changes of the row.
    #[param(rename = "If-Match", example = "\"4711-0f1e2d3c4b5a697887\"")]
    pub if_match: Option<String>,
}

/// The header of queries for a row with an `ETag`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfNoneMatchHeader {
    /// The `ETag` of the answer that the client has. If it is still the same, the answer is 304 without a body.
    #[param(rename = "If-None-Match", example = "\"4711-0f1e2d3c4b5a697887\"")]
    pub if_none_match: Option<String>,
}

/// The header of every query.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct QueryHeaders {
    /// The position that the answer must include: the `Backscroll-Position` of a command or a query. The query waits
    /// for it, at most 5 seconds. Without this header, the query waits for everything that the caller has written. With
    /// 0, it does not wait. A search waits only for a position that is named here. A cursor of `GET …/changes` serves
    /// too: then a position of another log is refused.
    #[param(rename = "Backscroll-Min-Position", min_length = 1, example = "4711")]
    pub min_position: Option<String>,
}
