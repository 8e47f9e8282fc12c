//! The proof that the log was not tampered with: signed heads, tiles, proofs. They contain only hashes. Everybody may
//! read them, unless the settings restrict them to operators.
//!
//! Heads and tiles are served as <https://c2sp.org/tlog-tiles> specifies. `/v1/proof` is the prefix of the log.

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::web::{Data, Path};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use commands::Commands;
use futures::future::LocalBoxFuture;
use ledger::proof::tiles::{self, Tile};
use ledger::proof::{ConsistencyProof, InclusionProof, Proofs, PublishedKey};
use serde::Deserialize;
use state::limits::Class;
use utoipa::IntoParams;

use super::path::{EntriesPath, TileAddress};
use crate::config::Settings;
use crate::extract::{Actor, Page, Query, count_visitor, part};
use crate::problem::Problem;

/// A caller that may read the proof: any caller, or operators only.
pub struct ProofAccess {
    is_public: bool,
}

impl ProofAccess {
    /// For answers that never change.
    fn immutable(&self) -> (HeaderName, &'static str) {
        (CACHE_CONTROL, if self.is_public { "public, max-age=31536000, immutable" } else { "private, max-age=31536000, immutable" })
    }

    /// For answers that may change within a second.
    fn mutable(&self) -> (HeaderName, &'static str) {
        (CACHE_CONTROL, if self.is_public { "no-cache" } else { "private, no-store" })
    }
}

impl FromRequest for ProofAccess {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let is_public = part::<Settings>(&request)?.proof.is_public;
            if is_public {
                count_visitor(&request, Class::Read).await?;
            } else {
                let actor = Actor::extract(&request).await?;
                part::<Commands>(&request)?.read_access(actor.user_id).await?.operator().await?;
            }
            Ok(Self { is_public })
        })
    }
}

/// The event to prove, and the size of the tree.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InclusionQuery {
    /// The position of the event in the log.
    #[param(minimum = 1)]
    position: u64,
    /// The number of events in the tree. The default is that of the newest head.
    #[param(minimum = 1)]
    size: Option<u64>,
}

/// The sizes of the two trees.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// The number of events in the smaller tree.
    #[param(minimum = 1)]
    from: u64,
    /// The number of events in the larger tree. The default is that of the newest head.
    #[param(minimum = 1)]
    to: Option<u64>,
}

/// Get the newest signed head of the log (c2sp.org/tlog-checkpoint)
///
/// The head gives the number of events in the log, and the hash over all of them. It contains no data of users.
/// Everybody may read it, unless the server's settings limit the proof to operators.
#[utoipa::path(tag = "proof", security((), ("token" = [])), responses(
    (status = 200, description = "The signed note.", content_type = "text/plain", body = String)))]
#[get("/proof/checkpoint")]
pub async fn get_checkpoint(access: ProofAccess, proofs: Data<Proofs>) -> Result<HttpResponse, Problem> {
    let head = proofs.head().await?;
    Ok(HttpResponse::Ok().insert_header(access.mutable()).content_type("text/plain; charset=utf-8").body(head.note))
}

/// List the public keys that signed heads, oldest first (c2sp.org/signed-note)
///
/// Keep a copy outside of this server: a verifier needs keys that it already trusts. Everybody may ask, unless the
/// server's settings limit the proof to operators.
#[utoipa::path(tag = "proof", security((), ("token" = [])), responses((status = 200, description = "The keys.", body = Page<PublishedKey>)))]
#[get("/proof/keys")]
pub async fn list_proof_keys(access: ProofAccess, proofs: Data<Proofs>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header(access.mutable()).json(Page::whole(proofs.keys().await?)))
}

/// Get a bundle of up to 256 event digests (c2sp.org/tlog-tiles)
///
/// Each digest comes after its length, as two bytes. A full bundle never changes. Everybody may ask, unless the
/// server's settings limit the proof to operators.
#[utoipa::path(tag = "proof", params(EntriesPath), security((), ("token" = [])), responses(
    (status = 200, description = "The entries.", content_type = "application/octet-stream", body = Vec<u8>)))]
#[get("/proof/tile/entries/{index:.+}")]
pub async fn get_entries(path: Path<EntriesPath>, access: ProofAccess, proofs: Data<Proofs>) -> Result<HttpResponse, Problem> {
    bytes(&access, proofs.entries(tile(0, &path.index)?).await?)
}

/// Get a tile: up to 256 hashes of one level of the tree (c2sp.org/tlog-tiles)
///
/// The answer is bytes: 32 for each hash. A full tile never changes. Everybody may ask, unless the server's settings
/// limit the proof to operators.
#[utoipa::path(tag = "proof", params(TileAddress), security((), ("token" = [])), responses(
    (status = 200, description = "The hashes.", content_type = "application/octet-stream", body = Vec<u8>)))]
#[get("/proof/tile/{level}/{index:.+}")]
pub async fn get_tile(path: Path<TileAddress>, access: ProofAccess, proofs: Data<Proofs>) -> Result<HttpResponse, Problem> {
    let level = path.level.parse().ok().filter(|level: &u8| *level < 64 && level.to_string() == path.level);
    let refused = || Problem::malformed("request.path_invalid", Some("level".into()), "level must be a whole number from 0 to 63");
    bytes(&access, proofs.tile(tile(level.ok_or_else(refused)?, &path.index)?).await?)
}

/// Prove that an event is in the log of a given size (RFC 9162, 2.1.3)
///
/// The answer has the digest of the event, and the hashes up to the root of the tree. docs/AUDIT.md says how to check
/// it without this server. Everybody may ask, unless the server's settings limit the proof to operators.
#[utoipa::path(tag = "proof", params(InclusionQuery), security((), ("token" = [])), responses(
    (status = 200, description = "The proof.", body = InclusionProof)))]
#[get("/proof/inclusion")]
pub async fn prove_inclusion(query: Query<InclusionQuery>, access: ProofAccess, proofs: Data<Proofs>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header(access.mutable()).json(proofs.inclusion(query.position, query.size).await?))
}

/// Prove that a longer log begins with a shorter one (RFC 9162, 2.1.4)
///
/// Nobody changed or removed an event of the shorter log, if the proof is right. docs/AUDIT.md says how to check it
/// without this server. Everybody may ask, unless the server's settings limit the proof to operators.
#[utoipa::path(tag = "proof", params(ConsistencyQuery), security((), ("token" = [])), responses(
    (status = 200, description = "The proof.", body = ConsistencyProof)))]
#[get("/proof/consistency")]
pub async fn prove_consistency(query: Query<ConsistencyQuery>, access: ProofAccess, proofs: Data<Proofs>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header(access.mutable()).json(proofs.consistency(query.from, query.to).await?))
}

fn tile(level: u8, path: &str) -> Result<Tile, Problem> {
    let detail = "index must have the form that c2sp.org/tlog-tiles specifies: x001/x234/067, or x001/x234/067.p/112";
    tiles::parse_path(level, path).ok_or_else(|| Problem::malformed("request.path_invalid", Some("index".into()), detail))
}

fn bytes(access: &ProofAccess, bytes: Option<Vec<u8>>) -> Result<HttpResponse, Problem> {
    let none =
        || Problem::not_found("proof.no_such_tile", "no signed head has this tile: /v1/proof/checkpoint gives the number of its events");
    let bytes = bytes.ok_or_else(none)?;
    Ok(HttpResponse::Ok().insert_header(access.immutable()).content_type("application/octet-stream").body(bytes))
}
