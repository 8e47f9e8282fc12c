//! All data of one user, for the user or for an operator: a zip of JSON. It is asked for, made by a process, and then
//! downloaded. Requests that contain the caller's password are POSTs.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get, post};
use domain::ids::UserId;
use futures::Stream;
use identity::confirmation::Confirmations;
use projections::ReadModels;
use state::exports::{Export, ExportStore, PER_DAY_MAX, Requested};
use uuid::Uuid;

use super::answer::NO_STORE;
use super::confirmation::ConfirmPassword;
use super::headers::QueryHeaders;
use super::path::{ExportPath, UserPath};
use super::users::no_such_user;
use crate::extract::{Body, QueryAnswer, Reading, parts};
use crate::problem::Problem;

parts! {
    /// The parts that export a user's data.
    pub struct Exporting {
        read_models: ReadModels,
        exports: ExportStore,
        confirmations: Confirmations,
    }
}

/// Ask for an export of all of the caller's data
///
/// Requires the caller's password. The server makes a zip of JSON: the profile, the memberships, the messages with
/// their edits, the caller's actions, the sessions and the events of the account. Each sign-in is among them, with the
/// address that it came from. `Location` is the address of the export. One export of a user is made at a time.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(QueryHeaders),
    responses((status = 202, description = "The export is queued.", body = Export)))]
#[post("/users/me/export")]
pub async fn export_me(reading: Reading, body: Body<ConfirmPassword>, exporting: Exporting) -> Result<HttpResponse, Problem> {
    exporting.request(&reading, body.input, reading.actor).await
}

/// Ask for an export of all of a user's data
///
/// Operators only. Requires the operator's password. `Location` is the address of the export. Only the operator who
/// asked may download it.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(UserPath, QueryHeaders),
    responses((status = 202, description = "The export is queued.", body = Export)))]
#[post("/users/{user_id}/export")]
pub async fn export_user(
    path: Path<UserPath>,
    reading: Reading,
    body: Body<ConfirmPassword>,
    exporting: Exporting,
) -> Result<HttpResponse, Problem> {
    reading.access.operator().await?;
    exporting.request(&reading, body.input, path.user_id).await
}

/// Get the state of an export
///
/// Only the user who asked for the export may ask. Ask again every few seconds until `state` is `ready` or `failed`.
#[utoipa::path(tag = "erasure", params(ExportPath, QueryHeaders), responses((status = 200, description = "The export.", body = Export)))]
#[get("/exports/{export_id}")]
pub async fn get_export(path: Path<ExportPath>, reading: Reading, exports: Data<ExportStore>) -> Result<QueryAnswer<Export>, Problem> {
    let export = own_export(&exports, &reading, path.export_id).await?;
    Ok(reading.answer(export))
}

/// Download an export that is ready
///
/// Only the user who asked for the export may download it, with the caller's password. `expires_at` of the export says
/// until when. The answer is a zip of JSON files, and no cache may keep it.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(ExportPath, QueryHeaders),
    responses((status = 200, description = "A zip of JSON.", body = Vec<u8>, content_type = "application/zip")))]
#[post("/exports/{export_id}/download")]
pub async fn download_export(
    path: Path<ExportPath>,
    reading: Reading,
    body: Body<ConfirmPassword>,
    exporting: Exporting,
) -> Result<HttpResponse, Problem> {
    let export = own_export(&exporting.exports, &reading, path.export_id).await?;
    exporting.confirmations.confirm(&reading.context(), body.input.current_password).await?;
    match export.state.as_str() {
        "ready" => {}
        "failed" => return Err(Problem::conflict("export.failed", "the export could not be made: ask for another one")),
        _ => return Err(Problem::conflict("export.not_ready", "the export is not ready: GET the export until its state is ready")),
    }
    let name = format!("attachment; filename=\"backscroll-{}.zip\"", export.user_id);
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "application/zip")).insert_header((CONTENT_DISPOSITION, name)).insert_header(NO_STORE);
    response.no_chunking(u64::try_from(export.bytes).unwrap_or(0));
    Ok(response.streaming(pieces(exporting.exports.get_ref().clone(), export)))
}

/// Returns the export, if the caller asked for it and may still have it.
async fn own_export(exports: &ExportStore, reading: &Reading, export_id: Uuid) -> Result<Export, Problem> {
    let found = exports.get(export_id).await?.filter(|export| export.requested_by == reading.actor.0);
    let export = found.ok_or_else(|| Problem::not_found("export.not_found", "there is no such export of yours, or it has expired"))?;
    if export.user_id != reading.actor.0 {
        reading.access.operator().await?;
    }
    Ok(export)
}

/// The zip, piece by piece. It breaks off if it is deleted meanwhile.
fn pieces(exports: ExportStore, export: Export) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    futures::stream::try_unfold((exports, 0, 0), move |(exports, number, sent)| {
        let Export { export_id, bytes, .. } = export;
        async move {
            if sent >= bytes {
                return Ok(None);
            }
            let piece = exports.piece(export_id, number).await.map_err(std::io::Error::other)?;
            let piece = piece.ok_or_else(|| std::io::Error::other("the export was deleted"))?;
            let sent = sent + i64::try_from(piece.len()).unwrap_or(i64::MAX);
            Ok(Some((piece, (exports, number + 1, sent))))
        }
    })
}

impl Exporting {
    async fn request(&self, reading: &Reading, body: ConfirmPassword, user_id: UserId) -> Result<HttpResponse, Problem> {
        self.confirmations.confirm(&reading.context(), body.current_password).await?;
        self.read_models.user(user_id).await?.ok_or_else(no_such_user)?;
        match self.exports.request(user_id, reading.actor).await? {
            Requested::Accepted(export) => {
                Ok(HttpResponse::Accepted().insert_header((LOCATION, format!("/v1/exports/{}", export.export_id))).json(export))
            }
            Requested::UnderWay => {
                Err(Problem::conflict("export.under_way", "another export of this user is being made: try again when it is done"))
            }
            Requested::TooMany(again_at) => Err(Problem::too_many_exports(PER_DAY_MAX, again_at)),
        }
    }
}
