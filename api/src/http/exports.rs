//! All data of one person, for themselves or on their behalf: a zip of JSON, made while it is sent.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use domain::ids::UserId;

use super::headers::QueryHeaders;
use super::path::UserPath;
use super::users::no_such_user;
use crate::app::App;
use crate::extract::Reading;
use crate::problem::Problem;
use processes::exports;

/// Hands out all data of the asker: profile, memberships, messages with their edits, everything that they did, sessions, and the account's own events:
/// every sign-in among them, with the address that it came from.
#[utoipa::path(tag = "erasure", params(QueryHeaders), responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[get("/users/me/export")]
pub async fn export_me(reading: Reading, app: Data<App>) -> Result<HttpResponse, Problem> {
    export(&app, reading.actor).await
}

/// Hands out all data of a user. Operators only.
#[utoipa::path(tag = "erasure", params(UserPath, QueryHeaders),
    responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[get("/users/{user_id}/export")]
pub async fn export_user(path: Path<UserPath>, reading: Reading, app: Data<App>) -> Result<HttpResponse, Problem> {
    reading.access.operator().await?;
    export(&app, path.user_id).await
}

async fn export(app: &Data<App>, user_id: UserId) -> Result<HttpResponse, Problem> {
    let profile = app.read_models.user(user_id).await?.ok_or_else(no_such_user)?;
    let body = exports::stream(app.export_sources(), profile);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/zip"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"backscroll-{user_id}.zip\"")))
        .streaming(body))
}
