//! All data of one person, for themselves or on their behalf: a zip of JSON, made while it is sent.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use domain::ids::UserId;
use processes::exports::{self, Sources};
use projections::ReadModels;

use super::headers::QueryHeaders;
use super::path::UserPath;
use super::users::no_such_user;
use crate::extract::Reading;
use crate::problem::Problem;

/// Export all of the caller's data as a zip of JSON
///
/// It has the profile, the memberships, the messages with their edits, everything that the caller did, the sessions
/// and the events of the account. Every sign-in is among them, with the address that it came from.
#[utoipa::path(tag = "erasure", params(QueryHeaders), responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[get("/users/me/export")]
pub async fn export_me(reading: Reading, read_models: Data<ReadModels>, sources: Data<Sources>) -> Result<HttpResponse, Problem> {
    export(&read_models, &sources, reading.actor).await
}

/// Export all of a user's data as a zip of JSON
///
/// Operators only.
#[utoipa::path(tag = "erasure", params(UserPath, QueryHeaders),
    responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[get("/users/{user_id}/export")]
pub async fn export_user(
    path: Path<UserPath>,
    reading: Reading,
    read_models: Data<ReadModels>,
    sources: Data<Sources>,
) -> Result<HttpResponse, Problem> {
    reading.access.operator().await?;
    export(&read_models, &sources, path.user_id).await
}

async fn export(read_models: &ReadModels, sources: &Sources, user_id: UserId) -> Result<HttpResponse, Problem> {
    let profile = read_models.user(user_id).await?.ok_or_else(no_such_user)?;
    let body = exports::stream(sources.clone(), profile);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/zip"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"backscroll-{user_id}.zip\"")))
        .streaming(body))
}
