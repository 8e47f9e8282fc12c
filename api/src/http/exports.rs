//! All data of one user, for the user or for an operator: a zip of JSON, made while it is sent. The request contains
//! the caller's password, so it is a POST.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Path;
use actix_web::{HttpResponse, post};
use domain::ids::UserId;
use identity::confirmation::Confirmations;
use processes::exports::{self, Sources};
use projections::ReadModels;

use super::confirmation::ConfirmPassword;
use super::headers::QueryHeaders;
use super::path::UserPath;
use super::users::no_such_user;
use crate::extract::{Body, Reading, parts};
use crate::problem::Problem;

parts! {
    /// The parts that export a user's data.
    pub struct Exporting {
        read_models: ReadModels,
        sources: Sources,
        confirmations: Confirmations,
    }
}

/// Export all of the caller's data as a zip of JSON
///
/// Requires the caller's password. The zip contains the profile, the memberships, the messages with their edits, the
/// caller's actions, the sessions and the events of the account. Each sign-in is among them, with the address that it
/// came from.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(QueryHeaders),
    responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[post("/users/me/export")]
pub async fn export_me(reading: Reading, body: Body<ConfirmPassword>, exporting: Exporting) -> Result<HttpResponse, Problem> {
    exporting.export(&reading, body.input, reading.actor).await
}

/// Export all of a user's data as a zip of JSON
///
/// Operators only. Requires the operator's password.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(UserPath, QueryHeaders),
    responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[post("/users/{user_id}/export")]
pub async fn export_user(
    path: Path<UserPath>,
    reading: Reading,
    body: Body<ConfirmPassword>,
    exporting: Exporting,
) -> Result<HttpResponse, Problem> {
    reading.access.operator().await?;
    exporting.export(&reading, body.input, path.user_id).await
}

impl Exporting {
    async fn export(&self, reading: &Reading, body: ConfirmPassword, user_id: UserId) -> Result<HttpResponse, Problem> {
        self.confirmations.confirm(&reading.context(), body.current_password).await?;
        let profile = self.read_models.user(user_id).await?.ok_or_else(no_such_user)?;
        let zip = exports::stream(self.sources.get_ref().clone(), profile);
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/zip"))
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"backscroll-{user_id}.zip\"")))
            .streaming(zip))
    }
}
