//! The release of this server, the features that are switched on, and the limits that a client must know. Everybody may
//! read it, so it has no secret, and nothing about the users.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use domain::channel::GROUP_PEOPLE;
use domain::message::EMOJIS_MAX;
use domain::text::{ClientMsgId, MessageBody};
use projections::search::BackendName;
use projections::search::query::QUERY_CHARS_MAX;
use serde::Serialize;
use state::limits::Class;
use state::presence::HOLDS_FOR;
use utoipa::ToSchema;

use crate::config::Settings;
use crate::extract::{PAGE_ROWS_MAX, WAIT_MAX, count_visitor};
use crate::problem::Problem;

/// This server.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerInfo {
    /// The name of the software.
    #[schema(example = "Backscroll")]
    name: &'static str,
    /// Its release. Servers of two releases may run side by side for a while.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The people who may register.
    #[schema(example = "invited")]
    registration: &'static str,
    /// The backend that answers searches. Without an answer of Elasticsearch, Postgres answers.
    search_backend: BackendName,
    /// Whether everybody may read the proof of the log. If not, operators may.
    is_proof_public: bool,
    /// The limits of requests.
    limits: ServerLimits,
}

/// The limits that a client must know. A request beyond a limit is refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerLimits {
    /// The longest text of a message, in characters (Unicode scalar values).
    message_chars_max: usize,
    /// The most different emojis that a message can have as reactions.
    emojis_per_message_max: usize,
    /// The longest `client_msg_id`, in characters.
    client_msg_id_chars_max: usize,
    /// The most people in a group conversation, with the caller.
    conversation_people_max: usize,
    /// The longest query of a search, in characters.
    search_chars_max: usize,
    /// The most rows of a page.
    page_rows_max: u16,
    /// The largest body of a request, in bytes.
    body_bytes_max: usize,
    /// The time for which a heartbeat of presence holds, in seconds. Send the next one earlier.
    presence_seconds: u64,
    /// The longest time that a query waits for its `Backscroll-Min-Position`, in seconds.
    position_wait_seconds: u64,
}

impl ServerLimits {
    fn of(settings: &Settings) -> Self {
        Self {
            message_chars_max: MessageBody::CHARS_MAX,
            emojis_per_message_max: EMOJIS_MAX,
            client_msg_id_chars_max: ClientMsgId::CHARS_MAX,
            conversation_people_max: *GROUP_PEOPLE.end(),
            search_chars_max: QUERY_CHARS_MAX,
            page_rows_max: PAGE_ROWS_MAX,
            body_bytes_max: settings.body_bytes_max,
            presence_seconds: HOLDS_FOR.as_secs(),
            position_wait_seconds: WAIT_MAX.as_secs(),
        }
    }
}

/// Get the release, the features and the limits of this server
///
/// A client asks this first, before anybody has signed in. The answer has the release, the features that the operator has
/// switched on, and the limits that a client would otherwise learn from refusals. Everybody may ask; the answer has no
/// secret.
#[utoipa::path(tag = "server", security(()), responses((status = 200, description = "This server.", body = ServerInfo)))]
#[get("/server")]
pub async fn get_server(request: HttpRequest, settings: Data<Settings>) -> Result<HttpResponse, Problem> {
    count_visitor(&request, Class::Read).await?;
    let info = ServerInfo {
        name: "Backscroll",
        version: env!("CARGO_PKG_VERSION"),
        registration: settings.registration.as_str(),
        search_backend: settings.search.backend,
        is_proof_public: settings.proof.is_public,
        limits: ServerLimits::of(&settings),
    };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(info))
}
